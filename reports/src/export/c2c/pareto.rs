//! Block 5: the accesses to each line by field.

use super::super::grid::Grid;
use super::{Named, UNKNOWN, optional, share};
use crate::schema::FieldRow;

const HEADS: [(&str, &str); 21] = [
    ("", "Num"),
    ("HITM", "RmtHitm"),
    ("HITM", "LclHitm"),
    ("Store Refs", "L1 Hit"),
    ("Store Refs", "L1 Miss"),
    ("Store Refs", "N/A"),
    ("Data address", "Offset"),
    ("Data address", "Node"),
    ("Data address", "PA cnt"),
    ("", "Pid"),
    ("", "Tid"),
    ("", "Code address"),
    ("ns", "rmt hitm"),
    ("ns", "lcl hitm"),
    ("ns", "load"),
    ("Total", "records"),
    ("cpu", "cnt"),
    ("", "Symbol"),
    ("Shared", "Object"),
    ("", "Source:Line"),
    ("", "Node{cpu list}"),
];

/// A block a line that has fields.
pub(super) fn blocks(lines: &[Named<'_>]) -> String {
    let mut grid = Grid::new(&HEADS);
    let with_fields = || lines.iter().enumerate().filter(|(_, line)| !line.row.fields.is_empty());
    for (_, line) in with_fields() {
        line.row.fields.iter().for_each(|field| grid.row(row(line, field)));
    }
    let (mut text, body) = (grid.head(), grid.body());
    let mut rows = body.lines();
    for (index, line) in with_fields() {
        let c = &line.row.counts;
        let heading = format!(
            "{index}: HITM rmt {} lcl {}, stores L1 hit {} miss {} N/A {}, line {}",
            c.rmt_hitm,
            c.lcl_hitm,
            c.store_l1_hit,
            c.store_l1_miss,
            c.store_na,
            line.name()
        );
        let rule = "-".repeat(heading.len());
        text.push_str(&format!("\n  {rule}\n  {heading}\n  {rule}\n"));
        for row in rows.by_ref().take(line.row.fields.len()) {
            text.push_str(row);
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

fn row(line: &Named<'_>, f: &FieldRow) -> Vec<String> {
    let c = &line.row.counts;
    let dash = || "-".to_owned();
    let part = |part: Option<u64>, whole| {
        part.map_or_else(|| UNKNOWN.to_owned(), |part| share(part, whole))
    };
    let mut cpus: Vec<u32> = f.readers.iter().chain(&f.writers).copied().collect();
    cpus.sort_unstable();
    cpus.dedup();
    vec![
        dash(),
        part(f.rmt_hitm, c.rmt_hitm),
        part(f.lcl_hitm, c.lcl_hitm),
        part(f.store_l1_hit, c.store_l1_hit),
        part(f.store_l1_miss, c.store_l1_miss),
        UNKNOWN.into(),
        format!("{:#x}", f.offset),
        optional(line.row.node),
        dash(),
        dash(),
        dash(),
        dash(),
        optional(f.rmt_hitm_mean_ns),
        optional(f.lcl_hitm_mean_ns),
        UNKNOWN.into(),
        f.total_records.to_string(),
        f.cpu_cnt.to_string(),
        f.field.clone(),
        line.object.to_owned(),
        dash(),
        format!("{{{}}}", ranges(&cpus)),
    ]
}

/// Ascending numbers with runs as `first-last`, as the kernel lists CPUs.
fn ranges(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let texts =
        runs.iter().map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        );
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn cpus_are_listed_as_the_kernel_does() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[]), "");
    }
}
