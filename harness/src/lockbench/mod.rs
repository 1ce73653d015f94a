//! The lock microbenchmark: acquire, hold, release, wait, in a loop on each CPU.
//!
//! What Arm's lockhammer measures, in any world: the wall time of a run over the acquisitions of all its
//! threads. With a fixed number of acquisitions a thread, early finishers thin the contention at the
//! end, as they do in the published data; a run by time has no such end.

mod body;
mod draw;
mod pin;
mod simulated;

pub use body::{Length, Stop};
pub use pin::PinOrder;
pub use simulated::{LockRunError, run_simulated};

use pamt_strategies::locks::LockKindId;
use pamt_strategies::units::Ns;

/// One run of the benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct LockBench {
    /// The lock, or one of lockhammer's two counters.
    pub lock: LockKindId,
    /// Threads, one a CPU in pin order.
    pub threads: usize,
    /// Time for which it is held.
    pub critical: Length,
    /// Time between release and the next acquire.
    pub parallel: Length,
    /// What the loop itself costs while it is held, beside `critical`, in ns.
    pub hold_overhead_ns: f64,
    /// What the loop itself costs beside `parallel`, in ns.
    pub overhead_ns: f64,
    /// When a thread stops.
    pub stop: Stop,
    /// Which CPUs, in which order.
    pub pin: PinOrder,
    /// Seed.
    pub seed: u64,
}

/// What a run of the benchmark gave.
#[derive(Clone, Debug, PartialEq)]
pub struct LockRow {
    /// Acquisitions of all threads.
    pub acquires: u64,
    /// From the start to the end of the last thread.
    pub elapsed: Ns,
    /// `elapsed` over `acquires`.
    pub ns_per_acquire: f64,
    /// Jain's index over the threads' rates: 1 is fair, 1/N is one thread alone.
    pub fairness_jain: f64,
    /// Transfers between cores on all lines of the benchmark, an acquisition; simulated runs only.
    pub transfers_per_acquire: Option<f64>,
}
