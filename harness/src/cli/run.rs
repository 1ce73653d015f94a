//! `run`: experiments from the command line.

mod in_kernel;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use pamt_reports::exit::Exit;
use pamt_reports::schema::{Document, Run, Verdict};
use pamt_strategies::spec::split_list;
use rayon::prelude::*;

use super::output::{self, Format};
use super::{CliError, progress};
use crate::exec::{self, Prepared, RunError};
use crate::experiment::{Backend, Experiment};
use crate::{params, quantity};

/// Arguments of a run.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Strategies, separated by commas: NAME, NAME:ARG or NAME[key=value,...]
    #[arg(long, value_name = "SPEC,...")]
    strategy: Option<String>,
    /// Workloads, separated by commas
    #[arg(long, value_name = "NAME,...")]
    workload: Option<String>,
    /// In which world to run
    #[arg(long, value_enum, default_value_t)]
    backend: Backend,
    /// Machine profile: a name, or the path of a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "spr-2s")]
    machine: String,
    /// Number of TDs
    #[arg(long, value_name = "N", default_value_t = 8)]
    tds: u32,
    /// vCPUs of each TD
    #[arg(long, value_name = "N", default_value_t = 8)]
    vcpus: u32,
    /// Memory that each TD touches
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = quantity::pages)]
    memory: u64,
    /// Size of private mappings; 4k unless the workload says otherwise
    #[arg(long, value_name = "4k|2m|mixed:SHARE")]
    page_size: Option<String>,
    /// Where guest pages come from; unmovable-pcp unless the workload says otherwise
    #[arg(long, value_name = "PLACEMENT")]
    placement: Option<String>,
    /// Where PAMT backing pages come from; unmovable-pcp unless the workload says otherwise
    #[arg(long, value_name = "PLACEMENT")]
    pamt_pages: Option<String>,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Repetitions, each with the next seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// With --backend hw: the strategy's C twin on kernel threads; takes no workload, --set ops=N
    /// (gets a thread) and --set depth=N (references that it holds)
    #[arg(long, conflicts_with = "workload")]
    in_kernel: bool,
    /// Parameter of the workload or of the host model; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Allow more vCPUs than CPUs (native): they take turns
    #[arg(long)]
    oversubscribe: bool,
    /// Write every event of a single simulated run to FILE, for ui.perfetto.dev
    #[arg(long, value_name = "FILE.pftrace")]
    trace: Option<PathBuf>,
    /// Host threads that run simulations side by side; results do not depend on it
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write to FILE, in the form that its extension says (.json, .csv, .md, .txt)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Nothing on standard error but failures
    #[arg(long)]
    quiet: bool,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
}

impl RunArgs {
    /// Strategies x workloads x repetitions, in that order.
    fn experiments(&self) -> Result<Vec<Experiment>, CliError> {
        let missing = |flag: &str, list: &str| {
            CliError::Usage(format!(
                "give --{flag} NAME; `pamt-bench list {list}` shows what there is"
            ))
        };
        let strategies =
            self.strategy.as_deref().ok_or_else(|| missing("strategy", "strategies"))?;
        let workloads = self.workload.as_deref().ok_or_else(|| missing("workload", "workloads"))?;
        let (strategies, workloads) = (list(strategies)?, list(workloads)?);
        let set = self
            .set
            .iter()
            .map(|argument| params::split(argument))
            .collect::<Result<BTreeMap<_, _>, _>>()
            .map_err(RunError::from)?;
        let mut experiments = Vec::new();
        for strategy in &strategies {
            for workload in &workloads {
                let usual = Experiment::of_workload(workload);
                for run in 0..self.runs {
                    let usual = usual.clone();
                    experiments.push(Experiment {
                        backend: self.backend,
                        machine: self.machine.clone(),
                        memory_bytes: self.memory,
                        oversubscribe: self.oversubscribe,
                        page_size: self.page_size.clone().unwrap_or(usual.page_size),
                        pamt_pages: self.pamt_pages.clone().unwrap_or(usual.pamt_pages),
                        placement: self.placement.clone().unwrap_or(usual.placement),
                        run,
                        seed: self.seed,
                        set: set.clone(),
                        strategy: (*strategy).to_owned(),
                        tds: self.tds,
                        vcpus: self.vcpus,
                        workload: (*workload).to_owned(),
                    });
                }
            }
        }
        Ok(experiments)
    }
}

fn list(text: &str) -> Result<Vec<&str>, CliError> {
    Ok(split_list(text).map_err(RunError::from)?)
}

pub(super) fn execute(args: &RunArgs) -> Result<Exit, CliError> {
    let format = args.output.as_deref().map_or(Ok(args.format), Format::of)?;
    let result = if args.in_kernel {
        Document::new(in_kernel::run_all(args)?)
    } else {
        let experiments = args.experiments()?;
        // A wrong name must not cost the minutes of the runs before it.
        let prepared = experiments.iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?;
        document(&prepared, run_all(args, &prepared)?)
    };
    let exit = verdict(&result.runs);
    output::document(&result, format, args.output.as_ref())?;
    if let Some(path) = args.output.as_ref().filter(|_| !args.quiet) {
        anstream::eprintln!("wrote {}", path.display());
    }
    Ok(exit)
}

/// The runs with the parameters of the machines that they model.
fn document(prepared: &[Prepared], runs: Vec<Run>) -> Document {
    let mut document = Document::new(runs);
    for prepared in prepared.iter().filter(|p| p.experiment.backend == Backend::Sim) {
        let name = prepared.profile.name();
        if !document.machines.contains_key(name) {
            document.machines.insert(name.to_owned(), exec::parameters(&prepared.profile));
        }
    }
    document
}

fn run_all(args: &RunArgs, prepared: &[Prepared]) -> Result<Vec<Run>, CliError> {
    if let Some(path) = &args.trace {
        return Ok(vec![crate::trace::record(prepared, path)?]);
    }
    let bar = progress::bar(prepared.len(), !args.quiet && !args.no_progress);
    let one = |prepared: &Prepared| {
        bar.set_message(format!(
            "{} under {}",
            prepared.experiment.strategy, prepared.experiment.workload
        ));
        let run = exec::run(prepared);
        bar.inc(1);
        run
    };
    // Threads of this host are the thing measured natively: one run at a time.
    let jobs = if args.backend == Backend::Sim { args.jobs.unwrap_or(0) } else { 1 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| CliError::Usage(format!("--jobs: {error}; give fewer")))?;
    let runs = pool.install(|| prepared.par_iter().map(one).collect::<Result<Vec<_>, _>>());
    bar.finish_and_clear();
    Ok(runs?)
}

/// A violation that nobody expects outranks a partial result.
fn verdict(runs: &[Run]) -> Exit {
    let violated = runs.iter().any(|run| run.result.correctness.verdict == Verdict::Violations);
    if violated {
        Exit::Violation
    } else if runs.iter().any(|run| run.result.partial) {
        Exit::Partial
    } else {
        Exit::Passed
    }
}
