//! Why a run of the benchmark was not possible.

use pamt_reports::exit::Exit;
use pamt_sim::machine::ProfileError;
use pamt_strategies::platform::native::NativeError;

use super::pin::PinError;

/// Why a run of the benchmark was not possible.
#[derive(Debug, thiserror::Error)]
pub enum LockRunError {
    /// No lock of this name.
    #[error("unknown lock `{name}`; nearest: `{nearest}`; `pamt-bench list locks` shows all")]
    UnknownLock {
        /// As given.
        name: String,
        /// The nearest known one.
        nearest: String,
    },
    /// More threads than CPUs.
    #[error("{threads} threads on {machine}, but CPUs in this pin order: {cpus}; {remedy}")]
    TooManyThreads {
        /// Asked for.
        threads: usize,
        /// There.
        cpus: usize,
        /// Where.
        machine: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A lock that has no source of ours, in the simulator.
    #[error("`{lock}` is compiled code of another library: it runs with --backend native only")]
    NativeOnly {
        /// Which.
        lock: &'static str,
    },
    /// The pin order.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The machine's profile is unusable.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Threads of this host.
    #[error(transparent)]
    Native(#[from] NativeError),
    /// The lock deadlocked.
    #[error("the run deadlocked: {0}")]
    Deadlock(String),
}

impl LockRunError {
    /// The exit code that it ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Deadlock(_) | Self::Native(NativeError::Panicked { .. }) => Exit::Internal,
            Self::Native(NativeError::Spawn { .. }) => Exit::HostCannot,
            _ => Exit::Usage,
        }
    }
}
