//! `gate`: the verdict and exit code for CI; with its helpers `calibrate` and `export`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use pamt_reports::compare::{Noise, Policy, Table};
use pamt_reports::exit::Exit;
use pamt_reports::gate::{
    Day, GateFile, Inputs, Outcome, annotations, calibrate, gate, read_table, to_bencher,
    to_custom_smaller_is_better, to_junit, to_markdown, to_text,
};

use super::{CliError, output};

/// Arguments of the gate.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct GateArgs {
    #[command(subcommand)]
    command: Option<GateCommand>,
    /// The baseline: a result, customSmallerIsBetter or Bencher file; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    baseline: Vec<PathBuf>,
    /// Results to judge; a modelled run that is in two of them must be equal in both
    #[arg(value_name = "CURRENT", required = true)]
    current: Vec<PathBuf>,
    /// Rules: limits and expected changes
    #[arg(long, value_name = "gate.toml")]
    config: Option<PathBuf>,
    /// This host's calibration, without which measured metrics are advisory
    #[arg(long, value_name = "FILE")]
    noise: Option<PathBuf>,
    /// Fail on inconclusive metrics too
    #[arg(long)]
    strict: bool,
    /// Say the verdict but exit 0
    #[arg(long)]
    exit_zero: bool,
    /// Also write the outcome as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write it as Markdown that fits a pull-request comment
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also write it as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print GitHub annotations and append to its step summary; the default under GITHUB_ACTIONS
    #[arg(long)]
    github: bool,
}

/// Helpers.
#[derive(Debug, Subcommand)]
enum GateCommand {
    /// Measure this host's A/A noise from at least 20 native runs of one build
    Calibrate(CalibrateArgs),
    /// Convert results for other CI tools
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct CalibrateArgs {
    /// Native results of one build, in the order of recording
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// Where to write the calibration
    #[arg(short, long, value_name = "FILE", default_value = "gate-noise.json")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// Results
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// The form
    #[arg(long = "as", value_enum)]
    form: ExportForm,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportForm {
    /// github-action-benchmark's customSmallerIsBetter
    CustomSmallerIsBetter,
    /// Bencher Metric Format
    Bencher,
}

pub(super) fn execute(args: &GateArgs) -> Result<Exit, CliError> {
    match &args.command {
        None => judge(args),
        Some(GateCommand::Calibrate(args)) => record_noise(args),
        Some(GateCommand::Export(args)) => export(args),
    }
}

fn judge(args: &GateArgs) -> Result<Exit, CliError> {
    if let Some(missing) = args.baseline.iter().find(|path| !path.exists()) {
        let path = missing.display();
        let message =
            format!("there is no baseline {path}: record one with `pamt-bench run -o {path}`");
        return Err(CliError::Ended(Exit::NoBaseline, message));
    }
    let file = match &args.config {
        Some(path) => GateFile::read(path)
            .map_err(|error| CliError::Ended(Exit::BadGateFile, error.to_string()))?,
        None => GateFile::default(),
    };
    let inputs = Inputs {
        before: &table(&args.baseline)?,
        after: &table(&args.current)?,
        file: &file,
        noise: args.noise.as_deref().map(read_noise).transpose()?,
        today: today(),
        strict: args.strict,
    };
    let (outcome, exit) = gate(&inputs);
    write_outputs(args, &outcome)?;
    output::text(&to_text(&outcome))?;
    Ok(if args.exit_zero { Exit::Passed } else { exit })
}

fn write_outputs(args: &GateArgs, outcome: &Outcome) -> Result<(), CliError> {
    let outputs = [
        (&args.json, Outcome::to_json as fn(&Outcome) -> String),
        (&args.markdown, to_markdown),
        (&args.junit, to_junit),
    ];
    for (path, form) in outputs {
        if let Some(path) = path {
            output::write_beside(path, form(outcome).as_bytes())?;
        }
    }
    if args.github || std::env::var_os("GITHUB_ACTIONS").is_some() {
        output::text(&annotations(outcome))?;
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
            append(Path::new(&path), &to_markdown(outcome))?;
        }
    }
    Ok(())
}

/// The step summary is the one file that belongs to others too: it is appended to.
fn append(path: &Path, text: &str) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|source| CliError::Io {
        doing: "append to",
        path: path.display().to_string(),
        source,
    })
}

fn table(paths: &[PathBuf]) -> Result<Table, CliError> {
    read_table(paths).map_err(|error| CliError::Usage(error.to_string()))
}

fn read_noise(path: &Path) -> Result<Noise, CliError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Io {
        doing: "read",
        path: shown.clone(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let message =
            format!("{shown} is no calibration: {error}; write one with `gate calibrate`");
        CliError::Ended(Exit::BadGateFile, message)
    })
}

fn record_noise(args: &CalibrateArgs) -> Result<Exit, CliError> {
    let noise = calibrate(&table(&args.results)?, &Policy::default(), today())
        .map_err(|error| CliError::Ended(Exit::NothingToCompare, error.to_string()))?;
    let mut text =
        serde_json::to_string_pretty(&noise).map_err(|error| CliError::Usage(error.to_string()))?;
    text.push('\n');
    output::write_beside(&args.output, text.as_bytes())?;
    let worst = noise.rows.iter().map(|row| row.noise_percent).fold(0.0, f64::max);
    let best = noise.rows.iter().map(|row| row.noise_percent).fold(f64::INFINITY, f64::min);
    output::text(&format!(
        "{} metrics: this host cannot tell changes below {best:.1} % (quietest metric) to \
         {worst:.1} % (noisiest); wrote {}\n",
        noise.rows.len(),
        args.output.display()
    ))?;
    Ok(Exit::Passed)
}

fn export(args: &ExportArgs) -> Result<Exit, CliError> {
    let table = table(&args.results)?;
    let text = match args.form {
        ExportForm::CustomSmallerIsBetter => to_custom_smaller_is_better(&table),
        ExportForm::Bencher => to_bencher(&table),
    };
    output::text_to(args.output.as_ref(), &text)?;
    Ok(Exit::Passed)
}

/// The day, for what expires; a clock before 1970 counts as day 0.
fn today() -> Day {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Day((seconds / 86_400) as i64)
}
