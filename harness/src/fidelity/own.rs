//! This host's own lock curves.

use pamt_reports::schema::Noise;
use pamt_reports::stats::{median, quantile};
use pamt_strategies::locks::LockKindId;
use pamt_strategies::platform::native::host_cpus;

use super::rows::PublishedRow;
use crate::lockbench::{
    Length, LockBench, LockRunError, NativeChoices, PinOrder, Stop, Subject, run_native,
};
use crate::native_host::Watch;

/// Locks that are measured: the word that all fight for, the queue of the word, the queue of lines, the
/// kernel's mixture of both, and a counter.
const LOCKS: [LockKindId; 5] = [
    LockKindId::Tas,
    LockKindId::Ticket,
    LockKindId::Mcs,
    LockKindId::QSpinLock,
    LockKindId::Refcount,
];
/// Held and not held, in ns: nothing but the lock; as the published curves; as long in it as outside.
const MIXES: [(f64, f64); 3] = [(0.0, 0.0), (200.0, 1000.0), (500.0, 500.0)];
/// Length of one run.
const RUN_NS: u64 = 40_000_000;

/// Rows of this host, and how far they can be trusted.
#[derive(Debug)]
pub struct OwnRows {
    /// In order of locks, mixes and threads.
    pub rows: Vec<PublishedRow>,
    /// Over the whole time.
    pub noise: Noise,
}

/// Points that [`own_rows`] measures.
#[must_use]
pub fn own_points(threads: &[usize]) -> usize {
    LOCKS.len() * MIXES.len() * threads.len()
}

/// Measures every lock in every mix with each of these numbers of threads, `runs` times; `step` is called
/// after each point.
///
/// # Errors
/// More threads than CPUs.
pub fn own_rows(
    threads: &[usize],
    runs: u64,
    mut step: impl FnMut(),
) -> Result<OwnRows, LockRunError> {
    let most = threads.iter().copied().max().unwrap_or(1);
    let mut cpus = PinOrder::CoresFirst.host_cpus(&host_cpus())?;
    cpus.truncate(most);
    let watch = Watch::begin(cpus);
    let mut rows = Vec::new();
    for lock in LOCKS {
        for (critical_ns, parallel_ns) in MIXES {
            for threads in threads {
                rows.push(row(lock, (critical_ns, parallel_ns), *threads, runs)?);
                step();
            }
        }
    }
    let spreads: Vec<f64> = rows.iter().map(|row| (row.max_ns - row.min_ns) / row.ns).collect();
    Ok(OwnRows { rows, noise: watch.end(median(&spreads)) })
}

fn row(
    lock: LockKindId,
    mix: (f64, f64),
    threads: usize,
    runs: u64,
) -> Result<PublishedRow, LockRunError> {
    let bench = LockBench {
        critical: Length::Constant(mix.0),
        parallel: Length::Constant(mix.1),
        stop: Stop::After(RUN_NS),
        ..LockBench::new(Subject::Own(lock), threads)
    };
    let times: Vec<f64> = (0..runs.max(1))
        .map(|_| Ok(run_native(&bench, &NativeChoices::default())?.ns_per_acquire))
        .collect::<Result<_, LockRunError>>()?;
    let of = |q: f64| quantile(&times, q).unwrap_or(f64::NAN);
    Ok(PublishedRow {
        host: "this-host".into(),
        lock,
        critical_ns: mix.0,
        parallel_ns: mix.1,
        threads,
        ns: of(0.5),
        min_ns: of(0.0),
        max_ns: of(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lock_is_measured_in_each_mix() {
        let mut steps = 0;
        let own = own_rows(&[1], 1, || steps += 1).expect("one CPU is there");
        assert_eq!((own.rows.len(), steps), (own_points(&[1]), 15));
        for row in &own.rows {
            // A window may count an acquisition that began before it.
            assert!(row.ns >= 0.99 * (row.critical_ns + row.parallel_ns), "{row:?}");
            assert!(row.min_ns <= row.ns && row.ns <= row.max_ns);
        }
    }
}
