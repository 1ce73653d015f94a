//! `run`: experiments from the command line.

mod in_kernel;
mod perf;
mod side_by_side;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use pamt_reports::exit::Exit;
use pamt_reports::schema::{Document, Run, Verdict};
use pamt_strategies::spec::split_list;

use super::favours::FavourArgs;
use super::output::{self, Format};
use super::{CliError, interrupt, progress};
use crate::exec::{self, Prepared, RunError};
use crate::experiment::{Backend, Experiment};
use crate::perf::PerfKind;
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
    #[command(flatten)]
    favours: FavourArgs,
    /// Run perf around a single native run: cache lines that CPUs take from each other, or contended locks
    /// of the kernel
    #[arg(long, value_enum, value_name = "KIND")]
    perf: Option<PerfKind>,
    /// Write every event of a single simulated run to FILE, for ui.perfetto.dev
    #[arg(long, value_name = "FILE.pftrace")]
    trace: Option<PathBuf>,
    /// Keep what each CPU did in a window of the run, for the report's timeline; simulated runs only
    #[arg(long, value_name = "BEGIN+LENGTH", value_parser = quantity::window_ns, conflicts_with = "trace")]
    window: Option<[u64; 2]>,
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
                        window_ns: self.window,
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
        match args.perf {
            Some(kind) => perf::run_under(kind, args, prepared)?,
            None => run_all(args, prepared)?,
        }
    };
    let exit = verdict(&result);
    output::document(&result, format, args.output.as_ref())?;
    if let Some(path) = args.output.as_ref().filter(|_| !args.quiet) {
        anstream::eprintln!("wrote {}", path.display());
    }
    Ok(exit)
}

/// The runs with the parameters of the machines that they model; what has not run is listed.
fn document(prepared: &[Prepared], runs: Vec<Option<Run>>) -> Document {
    let unfinished = prepared.iter().zip(&runs).filter(|(_, run)| run.is_none());
    let unfinished = unfinished.map(|(prepared, _)| prepared.experiment.command()).collect();
    let mut document = Document::new(runs.into_iter().flatten().collect());
    document.unfinished = unfinished;
    for prepared in prepared.iter().filter(|p| p.experiment.backend == Backend::Sim) {
        let name = prepared.profile.name();
        if !document.machines.contains_key(name) {
            document.machines.insert(name.to_owned(), exec::parameters(&prepared.profile));
        }
    }
    document
}

fn run_all(args: &RunArgs, prepared: Vec<Prepared>) -> Result<Document, CliError> {
    if let Some(path) = &args.trace {
        let run = crate::trace::record(&prepared, path)?;
        return Ok(document(&prepared, vec![Some(run)]));
    }
    let bar = progress::bar(prepared.len(), !args.quiet && !args.no_progress);
    // Threads of this host are the thing measured natively: one run at a time.
    let jobs = if args.backend == Backend::Sim { args.jobs.unwrap_or(0) } else { 1 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| CliError::Usage(format!("--jobs: {error}; give fewer")))?;
    let interrupt = interrupt::watch()?;
    let prepared = Arc::new(prepared);
    let runs = side_by_side::run(&pool, &prepared, &bar, &interrupt, args.favours.asked());
    bar.finish_and_clear();
    Ok(document(&prepared, runs?))
}

/// A violation that nobody expects outranks an interruption, and that a partial result.
fn verdict(document: &Document) -> Exit {
    let runs = &document.runs;
    let violated = runs.iter().any(|run| run.result.correctness.verdict == Verdict::Violations);
    if violated {
        Exit::Violation
    } else if !document.unfinished.is_empty() {
        Exit::Interrupted
    } else if runs.iter().any(|run| run.result.partial) {
        Exit::Partial
    } else {
        Exit::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_outranks_an_interruption_and_that_a_partial_result() {
        let experiment =
            Experiment { tds: 1, vcpus: 1, memory_bytes: 2 << 20, ..Experiment::default() };
        let prepared = Prepared::new(&experiment).expect("valid");
        let mut document = Document::new(vec![exec::run(&prepared).expect("runs")]);
        assert_eq!(verdict(&document), Exit::Passed);
        document.runs[0].result.partial = true;
        assert_eq!(verdict(&document), Exit::Partial);
        document.unfinished.push("a run that was not begun".into());
        assert_eq!(verdict(&document), Exit::Interrupted);
        document.runs[0].result.correctness.verdict = Verdict::Violations;
        assert_eq!(verdict(&document), Exit::Violation);
    }
}
