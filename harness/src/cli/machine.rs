//! `machine`: profiles of machines, fitted and shown.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pamt_reports::exit::Exit;
use pamt_reports::fidelity::Score;
use pamt_sim::machine::Profile;

use super::{CliError, list, output};
use crate::exec::{self, RunError};
use crate::fidelity::rows::{self, PublishedRow};
use crate::fidelity::{Claim, ReplayOptions, replay};
use crate::lockbench::{LockRunError, PinOrder};
use crate::machine_fit::{FitRequest, fit, parse_topology};

/// What to do with a profile.
#[derive(Debug, Subcommand)]
pub(super) enum MachineCommand {
    /// Fit a profile to measured lock rows (docs/fidelity.md has an example)
    Fit(FitArgs),
    /// Print a profile: every value with its kind and source
    Show(ShowArgs),
}

/// Arguments of `machine fit`.
#[derive(Debug, Args)]
pub(super) struct FitArgs {
    /// Measured rows, with the columns of machines/curves/lockhammer-2018.csv; used are those of
    /// incdec_refcount and swap_mutex at crit = par = 0
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// The host among several in the file
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Sockets x cores x threads, for example 2x22x2; also ,ccx=4,die=8 where caches are by group
    #[arg(long, value_name = "SHAPE")]
    topology: String,
    /// Built-in profile that gives what the rows cannot tell; choose the host's generation
    #[arg(long, value_name = "NAME", default_value = DEFAULT_BASE)]
    base: String,
    /// Order in which the rows' threads were pinned: smt-first (lockhammer's of 2018), cores-first,
    /// scatter, or a file
    #[arg(long, value_name = "ORDER|FILE", default_value = "smt-first")]
    pin: String,
    /// Where the profile goes
    #[arg(short, long, value_name = "FILE.toml")]
    output: PathBuf,
}

/// Arguments of `machine show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A built-in profile, or the path of a TOML file
    #[arg(value_name = "NAME|FILE")]
    machine: String,
}

/// The generation of most published lock rows.
const DEFAULT_BASE: &str = "clx-2s";
/// Acquisitions of each thread when the fit is looked at again.
const ACQUIRES: u64 = 300;
/// Runs of which the median counts.
const RUNS: u64 = 3;

pub(super) fn execute(command: &MachineCommand) -> Result<Exit, CliError> {
    match command {
        MachineCommand::Fit(args) => fit_profile(args),
        MachineCommand::Show(args) => show(args),
    }
}

fn show(args: &ShowArgs) -> Result<Exit, CliError> {
    output::text(&list::machine(&exec::machine(&args.machine)?))?;
    Ok(Exit::Passed)
}

fn fit_profile(args: &FitArgs) -> Result<Exit, CliError> {
    let wanted = |row: &PublishedRow| args.host.as_ref().is_none_or(|host| *host == row.host);
    let rows: Vec<_> = rows::read(&args.rows)?.into_iter().filter(wanted).collect();
    let request = request(args)?;
    let text = fit(&rows, &request)?;
    let profile = Profile::parse(&text, &request.name).map_err(RunError::from)?;
    let seen: Vec<_> = rows.into_iter().filter(PublishedRow::may_be_fitted).collect();
    let options = ReplayOptions {
        acquires: ACQUIRES,
        pin: request.pin.clone(),
        seed: 1,
        runs: RUNS,
        claim: Claim::Published,
    };
    let curves = replay(&profile, &seen, &options)?;
    output::write_beside(&args.output, text.as_bytes())?;
    let mut summary = String::new();
    for (key, value) in profile.values().filter(|(_, value)| value.inherited_from.is_none()) {
        summary += &format!("{key} = {:.3} ({}): {}\n", value.v, value.kind.name(), value.source);
    }
    if let Some(score) = Score::of(curves.iter().flat_map(|curve| &curve.points)) {
        summary += &format!(
            "median absolute error on the rows that a fit may use: {:.1}%, 90 % below {:.1}%; all else is \
             {}'s, threads {}\n",
            score.median * 100.0,
            score.p90 * 100.0,
            args.base,
            request.pin.name(),
        );
    }
    output::text(&summary)?;
    anstream::eprintln!("wrote {}", args.output.display());
    Ok(Exit::Passed)
}

fn request(args: &FitArgs) -> Result<FitRequest, CliError> {
    let topology =
        parse_topology(&args.topology).map_err(|error| CliError::Usage(error.to_string()))?;
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(FitRequest {
        name: stem(&args.output),
        rows_name: args.rows.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        topology,
        topology_text: args.topology.clone(),
        base: args.base.clone(),
        pin: PinOrder::parse(&args.pin).map_err(LockRunError::from)?,
    })
}
