//! From an experiment to a result: each world has its executor.

mod convert;
mod hw;
mod in_kernel;
mod lines;
mod native;
mod parameters;
#[cfg(test)]
mod planted_slowdown;
mod prepared;
mod replayed;
mod sim;
#[cfg(test)]
mod tests;
mod world;

use pamt_hw::TwinError;
use pamt_reports::exit::Exit;
use pamt_reports::schema::Run;
use pamt_sim::machine::ProfileError;
use pamt_sim::tdx::ModuleError;
use pamt_strategies::platform::native::NativeError;
use pamt_strategies::spec::SpecError;
use thiserror::Error;

use crate::experiment::Backend;
use crate::host::PlanError;
use crate::params::ParamError;
use crate::recording::RecordingError;
use crate::workloads::UnknownWorkload;

pub(crate) use in_kernel::{InKernel, run as run_in_kernel};
pub use native::NativeRun;
pub(crate) use parameters::parameters;
pub use prepared::{Prepared, machine};

/// An experiment that could not be run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The strategy's spec.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The workload's name.
    #[error(transparent)]
    Workload(#[from] UnknownWorkload),
    /// A `--set`.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// Sizes or placements.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The machine.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The module's configuration, which follows from the sizes.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// A recording that cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// No recording.
    #[error("--workload trace: give its file, --workload trace:FILE (docs/trace-format.md)")]
    NoTrace,
    /// A recording that cannot be replayed so.
    #[error("--workload trace:FILE: {why}")]
    Replay {
        /// Why, and what to do.
        why: &'static str,
    },
    /// Threads of this host.
    #[error(transparent)]
    Native(#[from] NativeError),
    /// A value of the machine that is no number.
    #[error("`--set machine.{key}={value}`: `{value}` is no number; write for example `1.5`")]
    MachineValue {
        /// Key of the profile.
        key: String,
        /// As given.
        value: String,
    },
    /// A machine file that cannot be read.
    #[error("cannot read machine {path}: {source}; `list machines` shows the built-in ones")]
    MachineFile {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// More than a comparison of this host needs.
    #[error(
        "--backend {backend}: {needed} vCPUs, this host has {cpus} CPUs; lower --tds or --vcpus, or add --oversubscribe to let them take turns"
    )]
    Oversubscribed {
        /// World.
        backend: &'static str,
        /// vCPUs.
        needed: usize,
        /// CPUs.
        cpus: usize,
    },
    /// No real SEAMCALLs on this host.
    #[error("{0}")]
    NoHardware(String),
    /// A strategy that the helper does not have in C.
    #[error("--in-kernel: {0}")]
    Twin(#[from] TwinError),
    /// A strategy that the helper cannot serve.
    #[error("--backend hw: `{strategy}` {why}; choose another strategy, or --backend sim")]
    NotOnHardware {
        /// Its spec.
        strategy: String,
        /// Why.
        why: &'static str,
    },
}

pub(crate) use sim::run_traced;

impl RunError {
    /// The exit code that it ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoHardware(_) => Exit::HostCannot,
            Self::Native(NativeError::Panicked { .. }) => Exit::Internal,
            Self::Native(NativeError::Spawn { .. }) => Exit::HostCannot,
            _ => Exit::Usage,
        }
    }
}

/// Runs an experiment.
///
/// # Errors
/// This host cannot run it, or a size turns out not to fit.
pub fn run(prepared: &Prepared) -> Result<Run, RunError> {
    run_with(prepared, &NativeRun::default())
}

/// The same, with choices of a native run; the other worlds do not look at them.
///
/// # Errors
/// As of [`run`].
pub fn run_with(prepared: &Prepared, choices: &NativeRun) -> Result<Run, RunError> {
    match prepared.experiment.backend {
        Backend::Sim => sim::run(prepared),
        Backend::Native => native::run(prepared, choices),
        Backend::Hw => hw::run(prepared),
    }
}
