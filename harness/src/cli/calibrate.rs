//! `calibrate`: this host, measured into a machine profile.

use std::path::{Path, PathBuf};

use clap::Args;
use pamt_reports::exit::Exit;
use pamt_sim::machine::Profile;

use super::{CliError, output, progress};
use crate::calibrate::{CalibrateError, CalibrateRequest, STEPS, calibrate};

/// Arguments of `calibrate`.
#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// Where the profile goes; without it only the figures are printed
    #[arg(short, long, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    /// Built-in profile that gives what cannot be measured; choose the host's generation
    #[arg(long, value_name = "NAME", default_value = "spr-2s")]
    base: String,
    /// Also draw the transfers between CPUs, as a heat map
    #[arg(long, value_name = "FILE.svg")]
    heat_map: Option<PathBuf>,
    /// Nothing on standard error but failures
    #[arg(long)]
    quiet: bool,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn execute(args: &CalibrateArgs) -> Result<Exit, CliError> {
    // Before a minute of measuring: the name may be wrong.
    Profile::builtin(&args.base).map_err(CalibrateError::from)?;
    let bar = progress::bar(STEPS, !args.quiet && !args.no_progress);
    let calibration = calibrate(|step| {
        bar.set_message(step);
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let request = CalibrateRequest {
        name: args.output.as_deref().map_or_else(|| "this-host".into(), name),
        base: args.base.clone(),
    };
    output::text(&calibration.report())?;
    // Made, and so checked, even where nobody wants the file.
    let profile = calibration.profile(&request)?;
    output::text(&profile.notes().map(|note| format!("note: {note}\n")).collect::<String>())?;
    let mut written = Vec::new();
    if let Some(path) = &args.output {
        output::write_beside(path, profile.text.as_bytes())?;
        written.push(path);
    }
    if let (Some(path), Some(svg)) = (&args.heat_map, calibration.heat().svg()) {
        output::write_beside(path, svg.as_bytes())?;
        written.push(path);
    }
    for path in written.iter().filter(|_| !args.quiet) {
        anstream::eprintln!("wrote {}", path.display());
    }
    Ok(Exit::Passed)
}
