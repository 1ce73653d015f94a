//! The lock microbenchmark: acquire, hold, release, wait, in a loop on each CPU.
//!
//! What Arm's lockhammer measures, in any world: the wall time of a run over the acquisitions of all its
//! threads. With a fixed number of acquisitions a thread, early finishers thin the contention at the
//! end, as they do in the published data; a run by time has no such end.

mod body;
mod contenders;
mod documented;
mod draw;
mod error;
mod native;
mod pin;
mod row;
mod simulated;
mod steady;

pub use body::{Length, Stop};
pub use contenders::{CONTENDERS, Contender, ContenderInfo};
pub use documented::documented;
pub use error::LockRunError;
pub(crate) use native::empty_loop_ns;
pub use native::{NativeChoices, run_native};
pub use pin::{PinError, PinOrder};
pub use row::LockRow;
pub use simulated::run_simulated;

use pamt_strategies::locks::{LOCKS, LockKindId};
use pamt_strategies::spec::nearest;

/// What is taken and released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A lock of ours, or one of lockhammer's two counters; in every world.
    Own(LockKindId),
    /// A lock of another library; on this host only.
    Other(Contender),
}

impl Subject {
    /// The subject of a name or alias.
    ///
    /// # Errors
    /// No such lock; the message names the nearest.
    pub fn parse(name: &str) -> Result<Self, LockRunError> {
        let own = LockKindId::by_name(name).map(Self::Own);
        own.or_else(|| Contender::by_name(name).map(Self::Other)).ok_or_else(|| {
            let names = LOCKS.iter().map(|lock| lock.name);
            let names = names.chain(CONTENDERS.iter().map(|contender| contender.name));
            LockRunError::UnknownLock {
                name: name.to_owned(),
                nearest: nearest(name, names).unwrap_or_default().to_owned(),
            }
        })
    }

    /// Name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own(lock) => lock.info().name,
            Self::Other(contender) => contender.info().name,
        }
    }

    /// One holder at a time; the reference counts are none.
    #[must_use]
    pub fn exclusive(self) -> bool {
        match self {
            Self::Own(lock) => lock.info().exclusive,
            Self::Other(_) => true,
        }
    }
}

/// One run of the benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct LockBench {
    /// The lock.
    pub lock: Subject,
    /// Threads, one a CPU in pin order.
    pub threads: usize,
    /// Time for which it is held.
    pub critical: Length,
    /// Time between release and the next acquire.
    pub parallel: Length,
    /// When a thread stops.
    pub stop: Stop,
    /// Which CPUs, in which order.
    pub pin: PinOrder,
    /// Seed.
    pub seed: u64,
}

impl LockBench {
    /// `threads` threads without work in the lock or outside of it, 1000 acquisitions each.
    #[must_use]
    pub fn new(lock: Subject, threads: usize) -> Self {
        Self {
            lock,
            threads,
            critical: Length::Constant(0.0),
            parallel: Length::Constant(0.0),
            stop: Stop::Acquires(1000),
            pin: PinOrder::default(),
            seed: 1,
        }
    }
}
