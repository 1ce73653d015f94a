//! The native world: real atomics, threads pinned to CPUs of this host, its own clock.
//!
//! Words are [`std::sync::atomic`] cells at the stride that their [`Place`](super::Place) asks for, in
//! memory aligned to a line, so that neighbours share lines as in the kernel. Sub-word operations are
//! the instructions of that width (`subword`), because Rust's memory model has no mixed-size atomics.
//! What this host cannot do (a SEAMCALL, MOVDIR64B into PAMT pages) is a delay of a given length:
//! [`Platform::work`](super::Platform::work) and the [`BulkCosts`].
//!
//! More actors than CPUs work, and are reported: waiting threads then yield, since whom they wait for
//! may not be running.

mod cpu;
mod favours;
mod host;
mod host_clock;
mod run;
mod subword;
mod words;

pub use cpu::{Native, NativeCpu};
pub use favours::Favours;
pub use host::{HostCpu, host_cpus};
pub use run::{BulkCosts, NativeBuild, NativeError, NativeOptions, NativeOutcome, run};
pub use words::NativeWords;
