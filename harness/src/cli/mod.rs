//! The `pamt-bench` command: arguments, dispatch, exit codes.
//!
//! A file a subcommand. Results go to standard output, progress and notes to standard error; a failure
//! is one line that names the input and the remedy, and ends the process with a code of
//! [`Exit`](pamt_reports::exit::Exit).

mod ab;
mod calibrate;
mod check;
mod compare;
mod favours;
mod gate;
mod generate;
mod hw;
mod interrupt;
mod list;
mod lock;
mod machine;
mod output;
mod progress;
mod report;
mod run;
mod seamcall;
mod sweep;
mod trace;
mod validate;

use std::panic;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use pamt_reports::exit::Exit;
use thiserror::Error;

use crate::calibrate::CalibrateError;
use crate::exec::RunError;
use crate::fidelity::rows::RowsError;
use crate::lockbench::LockRunError;
use crate::machine_fit::FitError;
use crate::recording::RecordingError;

pub(crate) use output::Beside;

/// Lock-strategy benchmarking harness and simulator for Intel TDX Dynamic PAMT
#[derive(Debug, Parser)]
#[command(
    name = "pamt-bench",
    version,
    args_conflicts_with_subcommands = true,
    after_help = exit_codes()
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run experiments: strategies x workloads x repetitions (the default command)
    Run(run::RunArgs),
    /// Lock microbenchmark: acquire, hold, release, wait; time an acquisition for each number of threads
    Lock(lock::LockArgs),
    /// This host, measured into a machine profile
    Calibrate(calibrate::CalibrateArgs),
    /// Error of the simulated machine against curves that others, or this host, measured
    Validate(validate::ValidateArgs),
    /// Machine profiles: fit one to measured lock rows, or show one
    #[command(subcommand)]
    Machine(machine::MachineCommand),
    /// What there is, a line each; with a name, one of them explained
    List(list::ListArgs),
    /// Explore the interleavings of a strategy against the module model
    Check(check::CheckArgs),
    /// One self-contained HTML file of results, or one of the exports
    Report(report::ReportArgs),
    /// All experiments of a plan, in parallel and resumable
    Sweep(sweep::SweepArgs),
    /// Differences between results, with their evidence, worst first
    Compare(compare::CompareArgs),
    /// Verdict and exit code for CI
    Gate(gate::GateArgs),
    /// Two builds in turn, in fresh processes, on this host
    Ab(ab::AbArgs),
    /// Real SEAMCALLs on this host
    #[command(subcommand)]
    Hw(hw::HwCommand),
    /// Run a script of SEAMCALLs on simulated CPUs (docs/seamcall-script.md)
    Seamcall(seamcall::SeamcallArgs),
    /// Traces: gets and puts recorded on a real host (docs/trace-format.md)
    #[command(subcommand)]
    Trace(trace::TraceCommand),
    /// Completion script for a shell
    Completions(generate::CompletionArgs),
    /// The manual page
    Man,
}

/// A command that failed: what to print, and how to exit.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// An experiment.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A fit.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A calibration.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// Measured rows.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The lock benchmark.
    #[error(transparent)]
    Lock(#[from] LockRunError),
    /// Something in the arguments.
    #[error("{0}")]
    Usage(String),
    /// Something that has an exit code of its own.
    #[error("{1}")]
    Ended(Exit, String),
    /// Reading or writing.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// `write`, `read`.
        doing: &'static str,
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl CliError {
    fn exit(&self) -> Exit {
        match self {
            Self::Run(error) => error.exit(),
            Self::Lock(error) => error.exit(),
            Self::Calibrate(error) => error.exit(),
            Self::Usage(_) | Self::Rows(_) | Self::Fit(_) | Self::Recording(_) => Exit::Usage,
            Self::Ended(exit, _) => *exit,
            Self::Io { .. } => Exit::Io,
        }
    }
}

fn exit_codes() -> String {
    let lines = Exit::ALL.iter().map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        anstream::eprintln!("pamt-bench: bug: {info}\nPlease report it with the command line.");
    }));
    match panic::catch_unwind(|| dispatch(arguments())) {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            anstream::eprintln!("pamt-bench: {error}");
            error.exit().into()
        }
        Err(_) => Exit::Internal.into(),
    }
}

/// The arguments; what is wrong with a value takes one line, as every failure.
fn arguments() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let text = error.to_string();
            let line = text.lines().map(str::trim).take_while(|line| !line.starts_with("For more"));
            let line = line.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
            anstream::eprintln!("pamt-bench: {}", line.trim_start_matches("error: "));
            std::process::exit(i32::from(Exit::Usage.code()))
        }
        _ => error.exit(),
    })
}

fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    match cli.command {
        None => run::execute(&cli.run),
        Some(Command::Run(args)) => run::execute(&args),
        Some(Command::Lock(args)) => lock::execute(&args),
        Some(Command::Calibrate(args)) => calibrate::execute(&args),
        Some(Command::Validate(args)) => validate::execute(&args),
        Some(Command::Machine(command)) => machine::execute(&command),
        Some(Command::List(args)) => list::execute(&args),
        Some(Command::Check(args)) => check::execute(&args),
        Some(Command::Report(args)) => report::execute(&args),
        Some(Command::Sweep(args)) => sweep::execute(&args),
        Some(Command::Compare(args)) => compare::execute(&args),
        Some(Command::Gate(args)) => gate::execute(&args),
        Some(Command::Ab(args)) => ab::execute(&args),
        Some(Command::Hw(command)) => hw::execute(&command),
        Some(Command::Seamcall(args)) => seamcall::execute(&args),
        Some(Command::Trace(command)) => trace::execute(&command),
        Some(Command::Completions(args)) => generate::completions(&args, Cli::command()),
        Some(Command::Man) => generate::man(Cli::command()),
    }
}
