//! What a run of the benchmark gave.

use pamt_strategies::units::{Clock, Cycles, Ns};

use super::body::Done;
use super::steady;

/// What a run of the benchmark gave.
#[derive(Clone, Debug, PartialEq)]
pub struct LockRow {
    /// Acquisitions of all threads.
    pub acquires: u64,
    /// From the start of the first thread to the end of the last.
    pub elapsed: Ns,
    /// `elapsed` over `acquires`.
    pub ns_per_acquire: f64,
    /// Jain's index over the threads' rates: 1 is fair, 1/N is one thread alone.
    pub fairness_jain: f64,
    /// Transfers between cores on all lines of the benchmark, an acquisition; simulated runs only.
    pub transfers_per_acquire: Option<f64>,
    /// How far the windows of a run by time lay apart: nine tenths of them within this share of the
    /// median; native runs only.
    pub spread_frac: Option<f64>,
    /// Time at the start of a native run by time that does not count, because the run was not steady yet.
    pub warm_up: Option<Ns>,
    /// What was asked of the host and not given.
    pub refused: Vec<String>,
    /// More threads than CPUs.
    pub oversubscribed: bool,
    /// Cut short.
    pub partial: bool,
}

impl LockRow {
    /// The row of a run in which the threads did `done`.
    pub(super) fn new(mut done: Vec<Done>, clock: Clock) -> Self {
        // In order of threads: sums of floating point numbers depend on their order.
        done.sort_by_key(|done| done.thread);
        let acquires: u64 = done.iter().map(|done| done.acquires).sum();
        let first = done.iter().map(|done| done.start).min().unwrap_or_default();
        let last = done.iter().map(|done| done.end).max().unwrap_or_default();
        let elapsed = last - first;
        let ns = elapsed.0 as f64 / clock.ghz();
        Self {
            acquires,
            elapsed: clock.ns(elapsed),
            ns_per_acquire: ns / acquires.max(1) as f64,
            fairness_jain: jain(&done),
            transfers_per_acquire: None,
            spread_frac: None,
            warm_up: None,
            refused: Vec::new(),
            oversubscribed: false,
            partial: false,
        }
    }

    /// The row of a run by time, from the windows in which it was steady: all threads then run from the
    /// first to the last moment that counts. A run too short for a window counts as a whole.
    pub(super) fn in_windows(mut done: Vec<Done>, clock: Clock, window: Cycles) -> Self {
        done.sort_by_key(|done| done.thread);
        let windows = done.iter().map(|done| done.marks.len()).min().unwrap_or(0);
        if windows == 0 {
            return Self::new(done, clock);
        }
        let at = |done: &Done, mark: usize| if mark == 0 { 0 } else { done.marks[mark - 1] };
        let counts: Vec<f64> = (0..windows)
            .map(|w| done.iter().map(|done| (at(done, w + 1) - at(done, w)) as f64).sum())
            .collect();
        let skipped = steady::warm_up(&counts);
        let steady_part = |done: Done| Done {
            acquires: at(&done, windows) - at(&done, skipped),
            start: Cycles(0),
            end: Cycles(window.0 * (windows - skipped) as u64),
            ..done
        };
        let done = done.into_iter().map(steady_part).collect();
        Self {
            spread_frac: steady::spread(&counts[skipped..]),
            warm_up: Some(clock.ns(Cycles(window.0 * skipped as u64))),
            ..Self::new(done, clock)
        }
    }
}

/// Jain's index over the rates of the threads.
fn jain(done: &[Done]) -> f64 {
    let rates =
        || done.iter().map(|done| done.acquires as f64 / (done.end - done.start).0.max(1) as f64);
    let (sum, squares): (f64, f64) = (rates().sum(), rates().map(|rate| rate * rate).sum());
    if squares > 0.0 { sum * sum / (done.len() as f64 * squares) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_does_not_count() {
        let marks: Vec<u64> = [1, 2].into_iter().chain((1..30).map(|w| 2 + 100 * w)).collect();
        let done = Done { thread: 0, acquires: 2999, start: Cycles(7), end: Cycles(31_050), marks };
        let row = LockRow::in_windows(vec![done], Clock::new(1.0), Cycles(1000));
        assert_eq!((row.acquires, row.elapsed), (2900, Ns(29_000)));
        assert_eq!((row.warm_up, row.spread_frac), (Some(Ns(2000)), Some(0.0)));
    }

    #[test]
    fn jains_index_is_one_for_equal_rates_and_one_over_n_for_a_single_winner() {
        let done = |acquires| Done {
            thread: 0,
            acquires,
            start: Cycles(0),
            end: Cycles(1000),
            marks: Vec::new(),
        };
        assert!((jain(&[done(5), done(5)]) - 1.0).abs() < 1e-12);
        assert!((jain(&[done(9), done(0), done(0)]) - 1.0 / 3.0).abs() < 1e-12);
    }
}
