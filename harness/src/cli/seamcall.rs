//! `seamcall`: a script of SEAMCALLs on simulated CPUs.

use std::path::{Path, PathBuf};

use clap::Args;
use pamt_reports::exit::Exit;

use super::{CliError, output};
use crate::exec::RunError;
use crate::seamcall::{self, Failure};

/// Arguments of `seamcall`.
#[derive(Debug, Args)]
pub(super) struct SeamcallArgs {
    /// The script
    script: PathBuf,
    /// Only what failed
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn execute(args: &SeamcallArgs) -> Result<Exit, CliError> {
    let name = args.script.display().to_string();
    let text = std::fs::read_to_string(&args.script)
        .map_err(|why| CliError::Usage(format!("cannot read script {name}: {why}")))?;
    let folder = args.script.parent().unwrap_or(Path::new("")).to_owned();
    let load =
        move |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|why| why.to_string());
    let script =
        seamcall::parse(&name, &text, &load).map_err(|error| CliError::Usage(error.to_string()))?;
    let report = seamcall::run(&script).map_err(RunError::from)?;
    if !args.quiet {
        output::text(&seamcall::print(&report))?;
    }
    for failure in &report.failures {
        anstream::eprintln!("pamt-bench: {failure}");
    }
    Ok(verdict(&report.failures))
}

fn verdict(failures: &[Failure]) -> Exit {
    if failures.iter().any(|failure| failure.violation) {
        Exit::Violation
    } else if failures.is_empty() {
        Exit::Passed
    } else {
        Exit::ExpectationFailed
    }
}
