//! `hw probe`: what this host can do for real SEAMCALLs.

use clap::Subcommand;
use pamt_reports::exit::Exit;

use super::{CliError, output};

/// Real SEAMCALLs.
#[derive(Debug, Subcommand)]
pub(super) enum HwCommand {
    /// Say what this host lacks for real SEAMCALLs, and how to get it; changes nothing
    Probe,
}

pub(super) fn execute(command: &HwCommand) -> Result<Exit, CliError> {
    match command {
        HwCommand::Probe => {
            let probe = pamt_hw::probe();
            output::text(&probe.to_string())?;
            Ok(if probe.usable() { Exit::Passed } else { Exit::HostCannot })
        }
    }
}
