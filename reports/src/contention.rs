//! What the lists asked about the lock, a line for each strategy: the wait for it as a share of CPU
//! time (Dave Hansen, 2025-08-13), of TD boot and of teardown (Rick Edgecombe, 2025-08-08), how much of
//! the contention is false, and beside it the utilisation law: the share of time in which the lock was
//! held, from which alone queueing follows.

use crate::figure::Unit;
use crate::scenario::Scenario;
use crate::schema::{LockRow, RunResult};

/// What the names of the locks begin with that guard page pairs: `pamt_lock`, `pamt_rwlocks`, ...
const LOCK: &str = "pamt_";
/// Utilisation below which queueing hardly matters: no simulation was needed to know it.
pub(crate) const IDLE: f64 = 0.05;
/// Operations whose own time is no work of a host CPU: the guest runs, or somebody waits for others.
const IDLE_OPS: [&str; 3] = ["guest", "td_boot", "td_teardown"];

/// The locks of a run that guard page pairs, with their names.
pub(crate) fn pair_locks(result: &RunResult) -> impl Iterator<Item = (&String, &LockRow)> {
    result.locks.iter().filter(|(name, _)| name.starts_with(LOCK))
}

/// Time that gets and puts wait for a lock, where `op` is given within it.
pub(crate) fn wait_within(result: &RunResult, op: Option<&str>) -> u64 {
    let inside = |path: &[String]| {
        let at = |name: &str| path.iter().position(|step| step == name);
        let call = at("pamt_get").or_else(|| at("pamt_put"));
        let waits = path.last().is_some_and(|step| step == "lock_wait");
        let within = |inner| op.is_none_or(|op| at(op).is_some_and(|outer| outer < inner));
        waits && call.is_some_and(within)
    };
    result.spans.iter().filter(|span| inside(&span.path)).map(|span| span.self_ns).sum()
}

/// Time that CPUs worked for the host, or waited for its locks.
fn cpu_time(result: &RunResult) -> u64 {
    let idle = |path: &[String]| path.last().is_some_and(|op| IDLE_OPS.contains(&op.as_str()));
    result.spans.iter().filter(|span| !idle(&span.path)).map(|span| span.self_ns).sum()
}

/// A line for each strategy that has such a lock.
#[must_use]
pub fn answers(scenario: &Scenario<'_>) -> Vec<String> {
    scenario.cells.iter().filter_map(|cell| answer(cell.strategy(), cell.result())).collect()
}

fn answer(strategy: &str, result: &RunResult) -> Option<String> {
    let share = |part: u64, whole: u64| {
        (whole > 0).then(|| Unit::Share.show(&(part as f64 / whole as f64).into()))
    };
    let of_cpu = share(wait_within(result, None), cpu_time(result))?;
    let held = pair_locks(result).filter_map(|(_, lock)| lock.utilisation).reduce(f64::max)?;
    let (name, _) = pair_locks(result).next()?;
    let mut parts = vec![format!("{of_cpu} of CPU time")];
    for (op, what) in [("td_boot", "TD boot"), ("td_teardown", "teardown")] {
        let whole = result.ops.get(op).map_or(0, |row| row.total_ns);
        parts.extend(
            share(wait_within(result, Some(op)), whole).map(|part| format!("{part} of {what}")),
        );
    }
    let count =
        |pick: fn(&LockRow) -> u64| pair_locks(result).map(|(_, lock)| pick(lock)).sum::<u64>();
    let contentions = count(|lock| lock.contentions);
    let false_share = share(count(|lock| lock.false_contentions), contentions)
        .map_or_else(String::new, |part| format!("; {part} of {contentions} contentions false"));
    let law = match held {
        held if held < IDLE => ": no simulation was needed",
        _ => "",
    };
    let held = Unit::Share.show(&held.into());
    Some(format!(
        "{strategy} waits for {name} {}{false_share}; held {held} of the time{law}",
        parts.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{OpRow, SpanRow};

    fn run(held: f64) -> RunResult {
        let span = |path: &[&str], self_ns| SpanRow {
            count: 1,
            path: path.iter().map(|op| (*op).to_owned()).collect(),
            self_ns,
        };
        let lock = LockRow {
            contentions: 4,
            false_contentions: 3,
            true_contentions: 1,
            utilisation: Some(held),
            ..LockRow::default()
        };
        let boot = OpRow { total_ns: 1000, ..OpRow::default() };
        let spans = vec![
            span(&["td_boot"], 700),
            span(&["td_boot", "guest"], 100),
            span(&["td_boot", "fault", "pamt_get", "lock_wait"], 20),
            span(&["fault", "pamt_get", "lock_wait"], 20),
            span(&["fault"], 160),
        ];
        RunResult {
            locks: [("pamt_lock".to_owned(), lock)].into(),
            ops: [("td_boot".to_owned(), boot)].into(),
            spans,
            ..RunResult::default()
        }
    }

    #[test]
    fn the_wait_is_a_share_of_the_time_that_cpus_worked_and_of_the_boot() {
        let line = answer("global", &run(0.4)).expect("it has the lock");
        assert!(line.contains("20.0% of CPU time, 2.0% of TD boot"), "{line}");
        assert!(line.contains("75.0% of 4 contentions false; held 40.0% of the time"), "{line}");
    }

    #[test]
    fn a_lock_that_is_hardly_held_needs_no_simulation() {
        let line = answer("global", &run(0.01)).expect("it has the lock");
        assert!(line.ends_with("no simulation was needed"), "{line}");
    }
}
