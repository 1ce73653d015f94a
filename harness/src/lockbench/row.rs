//! What a run of the benchmark gave.

use pamt_strategies::units::{Clock, Ns};

use super::body::Done;

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
    use pamt_strategies::units::Cycles;

    use super::*;

    #[test]
    fn jains_index_is_one_for_equal_rates_and_one_over_n_for_a_single_winner() {
        let done = |acquires| Done { thread: 0, acquires, start: Cycles(0), end: Cycles(1000) };
        assert!((jain(&[done(5), done(5)]) - 1.0).abs() < 1e-12);
        assert!((jain(&[done(9), done(0), done(0)]) - 1.0 / 3.0).abs() < 1e-12);
    }
}
