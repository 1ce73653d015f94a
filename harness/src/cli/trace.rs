//! `trace`: recordings of real hosts, looked at, converted, invented (docs/trace-format.md).

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pamt_reports::exit::Exit;
use pamt_strategies::units::PAGE_BYTES;

use super::CliError;
use super::output::{self, Beside};
use crate::quantity;
use crate::recording::{self, Invented, RecordingError, Summary};

/// What to do with a trace.
#[derive(Debug, Subcommand)]
pub(super) enum TraceCommand {
    /// Check a trace line by line, and say what is in it
    Info(InfoArgs),
    /// Make a trace of what scripts/capture/pamt.bt printed on a TDX host
    Convert(ConvertArgs),
    /// Invent a trace: TDs that boot and are torn down
    Generate(GenerateArgs),
}

/// Arguments of `trace info`.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// The trace
    trace: PathBuf,
}

/// Arguments of `trace convert`.
#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// Output of scripts/capture/pamt.bt
    capture: PathBuf,
    /// Where the trace goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `trace generate`.
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// TDs
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024))]
    tds: u32,
    /// vCPUs of each TD, on CPUs of their own
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    vcpus: u16,
    /// Memory that each TD touches
    #[arg(long, default_value = "8MiB", value_parser = quantity::pages)]
    memory: u64,
    /// Mean time between two operations of a CPU
    #[arg(long, default_value = "5us", value_parser = quantity::duration_ns)]
    gap: f64,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the trace goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn execute(command: &TraceCommand) -> Result<Exit, CliError> {
    match command {
        TraceCommand::Info(args) => info(args),
        TraceCommand::Convert(args) => convert(args),
        TraceCommand::Generate(args) => generate(args),
    }
}

fn open(path: &Path) -> Result<BufReader<File>, RecordingError> {
    let failed = |why: io::Error| RecordingError::Open {
        file: path.display().to_string(),
        why: why.to_string(),
    };
    Ok(BufReader::new(File::open(path).map_err(failed)?))
}

fn info(args: &InfoArgs) -> Result<Exit, CliError> {
    let summary = Summary::of(&args.trace.display().to_string(), open(&args.trace)?)?;
    output::text(&summary.to_string())?;
    Ok(Exit::Passed)
}

fn convert(args: &ConvertArgs) -> Result<Exit, CliError> {
    let input = open(&args.capture)?;
    let name = args.capture.display().to_string();
    let beside = Beside::new(&args.output);
    let done = recording::convert(&name, input, &mut beside.create()?)
        .map_err(|source| beside.failed(source))??;
    beside.finish()?;
    if done.lost > 0 {
        anstream::eprintln!(
            "pamt-bench: bpftrace lost {} events: the trace has gaps; raise BPFTRACE_PERF_RB_PAGES",
            done.lost
        );
    }
    wrote(&args.output, done.operations, done.tds)
}

fn generate(args: &GenerateArgs) -> Result<Exit, CliError> {
    let cpus = u64::from(args.tds) * u64::from(args.vcpus);
    if cpus > u64::from(u16::MAX) {
        return Err(CliError::Usage(format!(
            "--tds {} --vcpus {} need {cpus} CPUs, a trace names 65535; lower one of them",
            args.tds, args.vcpus
        )));
    }
    let invented = Invented {
        tds: args.tds,
        vcpus: args.vcpus,
        pages: args.memory / PAGE_BYTES,
        gap_ns: args.gap,
        seed: args.seed,
    };
    let beside = Beside::new(&args.output);
    let operations = recording::generate(&invented, &mut beside.create()?)
        .map_err(|source| beside.failed(source))?;
    beside.finish()?;
    wrote(&args.output, operations, args.tds)
}

fn wrote(path: &Path, operations: u64, tds: u32) -> Result<Exit, CliError> {
    anstream::eprintln!("wrote {}: {operations} operations, {tds} TDs", path.display());
    Ok(Exit::Passed)
}
