//! The table of `perf lock contention`: `contended  total wait  max wait  avg wait  type  caller`.

use std::collections::BTreeMap;

use pamt_reports::schema::LockRow;

/// Locks by type and caller, prefixed so that no lock of ours has their name; `None` where there is no such
/// table.
pub(super) fn locks(text: &str) -> Option<BTreeMap<String, LockRow>> {
    let is_head = |line: &str| line.contains("contended") && line.contains("caller");
    let head = text.lines().position(is_head)?;
    Some(text.lines().skip(head + 1).filter_map(row).collect())
}

fn row(line: &str) -> Option<(String, LockRow)> {
    let mut words = line.split_whitespace();
    let contentions = words.next()?.parse().ok()?;
    let mut time = || Some((words.next()?.parse::<f64>().ok()? * unit(words.next()?)?) as u64);
    let (total, max, avg) = (time()?, time()?, time()?);
    let kind = words.next()?.to_owned();
    let caller = words.next()?.split('+').next().unwrap_or_default().to_owned();
    let row = LockRow {
        contentions,
        queued_contentions: Some(contentions),
        waittime_total_ns: total,
        waittime_max_ns: Some(max),
        waittime_avg_ns: Some(avg),
        kind: kind.clone(),
        ..LockRow::default()
    };
    Some((format!("kernel: {kind} {caller}"), row))
}

/// ns of a unit.
fn unit(name: &str) -> Option<f64> {
    match name {
        "ns" => Some(1.0),
        "us" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
 contended   total wait     max wait     avg wait         type   caller

        12     35.20 us      9.10 us      2.93 us     spinlock   futex_wake+0xa0
         1    840 ns        840 ns        840 ns      rwsem:W    vm_mmap_pgoff+0x88

=== output for debug ===
";

    #[test]
    fn each_caller_is_a_lock_with_its_waits() {
        let locks = locks(TABLE).expect("a table");
        assert_eq!(locks.len(), 2);
        let futex = &locks["kernel: spinlock futex_wake"];
        assert_eq!((futex.contentions, futex.waittime_total_ns), (12, 35_200));
        assert_eq!((futex.waittime_max_ns, futex.kind.as_str()), (Some(9_100), "spinlock"));
        assert_eq!(locks["kernel: rwsem:W vm_mmap_pgoff"].waittime_avg_ns, Some(840));
    }

    #[test]
    fn a_report_without_a_table_is_not_one_without_locks() {
        assert!(super::locks("no events").is_none());
        let head: String = TABLE.lines().take(1).collect();
        assert_eq!(super::locks(&head), Some(BTreeMap::new()));
    }
}
