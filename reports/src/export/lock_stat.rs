//! Locks as `/proc/lock_stat` prints them (version 0.4): the twelve columns in its order, times in
//! microseconds with two decimals, up to four contention points of waiters and then of holders below
//! each class, most contended class first.
//!
//! A contention point has a count and the operation that waited or held; there is no instruction
//! pointer, which lock_stat prints between them. Unknown figures are `n/a`.

use super::{ExportError, Exporter, Part, evidence, file_label, label};
use crate::schema::{ContentionPoint, Document, LockRow, Run};

/// lock_stat shows no more points of a class.
const POINTS: usize = 4;

const HEADS: [&str; 12] = [
    "con-bounces",
    "contentions",
    "waittime-min",
    "waittime-max",
    "waittime-total",
    "waittime-avg",
    "acq-bounces",
    "acquisitions",
    "holdtime-min",
    "holdtime-max",
    "holdtime-total",
    "holdtime-avg",
];

/// The format.
pub(super) struct LockStat;

impl Exporter for LockStat {
    fn name(&self) -> &'static str {
        "lock_stat"
    }

    fn suffix(&self) -> &'static str {
        ".lockstat"
    }

    fn about(&self) -> &'static str {
        "locks as /proc/lock_stat prints them, a file a run"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let runs = document.runs.iter().filter(|run| !run.result.locks.is_empty());
        let parts: Vec<Part> =
            runs.map(|run| Part::text(file_label(run), report(document, run))).collect();
        if parts.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "locks" });
        }
        Ok(parts)
    }
}

fn report(document: &Document, run: &Run) -> String {
    let mut locks: Vec<(&String, &LockRow)> = run.result.locks.iter().collect();
    // A stable sort: classes with as many contentions stay in order of name.
    locks.sort_by_key(|(_, lock)| std::cmp::Reverse(lock.contentions));
    let head = format!("{:>40} {}", "class name", HEADS.map(|h| format!("{h:>14}")).join(" "));
    let rule = "-".repeat(head.len());
    let mut text = format!("lock_stat version 0.4\n{rule}\n{head}\n{rule}\n\n");
    for (name, lock) in locks {
        text.push_str(&class(name, lock));
    }
    text.push_str(&format!("# {}\n", label(run)));
    for line in evidence(document, run) {
        text.push_str(&format!("# {line}\n"));
    }
    text
}

fn class(name: &str, lock: &LockRow) -> String {
    let n = |value: u64| value.to_string();
    // What was never waited for or held has times of 0.00 in lock_stat.
    let us = |value: Option<u64>, count: u64| match value {
        Some(ns) => format!("{:.2}", ns as f64 / 1000.0),
        None if count == 0 => "0.00".into(),
        None => "n/a".into(),
    };
    let cells = [
        n(lock.con_bounces),
        n(lock.contentions),
        us(lock.waittime_min_ns, lock.contentions),
        us(lock.waittime_max_ns, lock.contentions),
        us(Some(lock.waittime_total_ns), lock.contentions),
        us(lock.waittime_avg_ns, lock.contentions),
        n(lock.acq_bounces),
        n(lock.acquisitions),
        us(lock.holdtime_min_ns, lock.acquisitions),
        us(lock.holdtime_max_ns, lock.acquisitions),
        us(Some(lock.holdtime_total_ns), lock.acquisitions),
        us(lock.holdtime_avg_ns, lock.acquisitions),
    ];
    let mut text =
        format!("{:>40} {}\n", format!("{name}:"), cells.map(|c| format!("{c:>14}")).join(" "));
    for points in [&lock.points_waiters, &lock.points_holders] {
        if !points.is_empty() {
            text.push_str(&format!("{:>40}\n", "-".repeat(name.len())));
            points.iter().take(POINTS).for_each(|point| text.push_str(&contention(name, point)));
        }
    }
    text.push('\n');
    text
}

fn contention(name: &str, point: &ContentionPoint) -> String {
    format!("{name:>40} {:>14} {:>29} {}\n", point.count, "[<->]", point.name)
}
