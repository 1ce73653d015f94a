//! `sweep`: all experiments of a plan, and `sweep collect`: their results in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::{Args, Subcommand};
use pamt_reports::exit::Exit;
use pamt_reports::schema::{Ranking, Run};
use pamt_sim::machine::Profile;
use pamt_strategies::spec::{nearest, nearest_hint};
use serde_json::{Map, Value};

use super::interrupt::{self, Interrupt};
use super::{CliError, output, progress};
use crate::exec::{self, Prepared};
use crate::experiment::{Backend, Experiment};
use crate::quantity;
use crate::sweep::{
    BesidePublished, CollectError, Failure, Form, Job, Options, Parameter, Plan, PlanError,
    Progress, Report, Shard, Standings, Store, StoreError, Watch, collect, run,
};

/// Arguments of a sweep.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct SweepArgs {
    #[command(subcommand)]
    command: Option<SweepCommand>,
    /// The plan
    #[arg(required = true, value_name = "PLAN.toml")]
    plan: Option<PathBuf>,
    /// Folder of the results; a sweep that was stopped goes on where it was
    #[arg(short, long, value_name = "FOLDER", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Print the experiments and an estimate, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Run part INDEX of COUNT parts, INDEX from 0
    #[arg(long, value_name = "INDEX/COUNT", default_value = "0/1")]
    shard: Shard,
    /// Draws of the uncertain values, in place of the plan's; 0 runs the experiments undrawn
    #[arg(long, value_name = "N")]
    draws: Option<u32>,
    /// Leave alone what failed before
    #[arg(long)]
    only_missing: bool,
    /// Host threads; results do not depend on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    jobs: usize,
    /// Nothing on standard error but failures
    #[arg(long)]
    quiet: bool,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
}

#[derive(Debug, Subcommand)]
enum SweepCommand {
    /// Merge and verify the results of a sweep, and list what is missing
    Collect(CollectArgs),
}

#[derive(Debug, Args)]
struct CollectArgs {
    /// Folder of the sweep
    folder: PathBuf,
    /// The merged file: .json (a result document), .jsonl, .csv or, where built with the feature
    /// `parquet`, .parquet; default FOLDER/merged.json
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Simulated pages a second and core: what docs/scaling-out.md measured, for the estimate.
const PAGES_PER_CORE_SECOND: f64 = 125_000.0;

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::Foreign { .. } | StoreError::NoSweep(_) => Exit::Usage,
            StoreError::Io { .. } | StoreError::Damaged { .. } => Exit::Io,
        };
        Self::Ended(exit, error.to_string())
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        Self::Usage(error.to_string())
    }
}

pub(super) fn execute(args: &SweepArgs) -> Result<Exit, CliError> {
    if let Some(SweepCommand::Collect(args)) = &args.command {
        return merge(args);
    }
    // clap asks for the plan wherever there is no subcommand.
    let path = args.plan.as_deref().unwrap_or(Path::new("plan.toml"));
    let plan = with_draws(Plan::read(path)?, args.draws)?;
    let jobs = jobs(&plan)?;
    check(&jobs)?;
    let Some(folder) = args.output.as_ref().filter(|_| !args.dry_run) else {
        return list(&jobs, args.shard);
    };
    let store = Store::open(folder, &plan_value(&plan)?, &build(&jobs)?)?;
    if !store.alone() && !args.quiet {
        let folder = folder.display();
        anstream::eprintln!(
            "note: another sweep is at work in {folder}; what both do is kept once"
        );
    }
    let options = Options { shard: args.shard, only_missing: args.only_missing, keep: plan.keep };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build();
    let pool = pool.map_err(|error| CliError::Usage(format!("--jobs: {error}; give fewer")))?;
    let interrupt = interrupt::watch()?;
    let bar = Bar::new(!args.quiet && !args.no_progress, interrupt);
    let summary = pool.install(|| run(&store, &jobs, options, run_job, &bar));
    bar.finish();
    let summary = summary?;
    if !args.quiet {
        anstream::eprintln!(
            "{} experiments: {} done now, {} before, {} failed now, {} left alone; \
             merge with `pamt-bench sweep collect {}`",
            summary.jobs,
            summary.done,
            summary.found,
            summary.failed,
            summary.left,
            folder.display()
        );
    }
    Ok(if summary.not_begun > 0 {
        anstream::eprintln!(
            "interrupted: {} experiments are not done; the same command goes on",
            summary.not_begun
        );
        Exit::Interrupted
    } else if summary.failed > 0 {
        Exit::Partial
    } else {
        Exit::Passed
    })
}

/// The plan with another number of draws.
fn with_draws(mut plan: Plan, draws: Option<u32>) -> Result<Plan, CliError> {
    match (draws, &mut plan.uncertainty) {
        (None, _) => {}
        (Some(0), uncertainty) => *uncertainty = None,
        (Some(draws), Some(uncertainty)) => uncertainty.draws = draws,
        (Some(_), None) => {
            let message = "--draws: the plan has no section [uncertainty]; add one";
            return Err(CliError::Usage(message.to_owned()));
        }
    }
    Ok(plan)
}

struct Bar {
    bar: Mutex<Option<indicatif::ProgressBar>>,
    wanted: bool,
    interrupt: Interrupt,
}

impl Bar {
    fn new(wanted: bool, interrupt: Interrupt) -> Self {
        Self { bar: Mutex::new(None), wanted, interrupt }
    }

    fn finish(&self) {
        if let Ok(Some(bar)) = self.bar.lock().as_deref() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn ended(&self, ended: usize, all: usize) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.get_or_insert_with(|| progress::sweep_bar(all, self.wanted))
                .set_position(ended as u64);
        }
    }

    fn interrupted(&self) -> bool {
        self.interrupt.asked()
    }
}

fn plan_value(plan: &Plan) -> Result<Value, CliError> {
    serde_json::to_value(plan).map_err(|error| CliError::Usage(error.to_string()))
}

fn jobs(plan: &Plan) -> Result<Vec<Job>, CliError> {
    plan.jobs(complete, uncertain_parameters).map_err(CliError::Usage)
}

/// A whole experiment from the options of a plan.
fn complete(options: &Map<String, Value>) -> Result<Value, String> {
    let workload = options.get("workload").map_or_else(String::new, plain);
    let usual = if workload.is_empty() {
        Experiment::default()
    } else {
        Experiment::of_workload(&workload)
    };
    let mut whole = match serde_json::to_value(usual) {
        Ok(Value::Object(whole)) => whole,
        other => return Err(format!("the defaults of an experiment are no object: {other:?}")),
    };
    let mut set = Map::new();
    for (name, value) in options {
        if let Some(key) = name.strip_prefix("set.") {
            set.insert(key.to_owned(), Value::String(plain(value)));
        } else if name == "memory" {
            let bytes = quantity::pages(&plain(value)).map_err(|error| error.to_string())?;
            whole.insert("memory_bytes".into(), bytes.into());
        } else if whole.contains_key(name) && name != "set" {
            whole.insert(name.clone(), value.clone());
        } else {
            let known = whole.keys().map(String::as_str).chain(["memory", "set.KEY"]);
            let hint = nearest_hint(&nearest(name, known));
            return Err(format!("an experiment has no option `{name}`{hint}"));
        }
    }
    whole.insert("set".into(), Value::Object(set));
    let whole = Value::Object(whole);
    experiment(&whole)?;
    Ok(whole)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn experiment(value: &Value) -> Result<Experiment, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

/// What is not known exactly about an experiment's machine: every value with a range.
fn uncertain_parameters(value: &Value) -> Result<Vec<Parameter>, String> {
    let experiment = experiment(value)?;
    let prepared = Prepared::new(&experiment).map_err(|error| error.to_string())?;
    Ok(ranges(&prepared.profile))
}

fn ranges(profile: &Profile) -> Vec<Parameter> {
    let ranged = profile.values().filter_map(|(key, value)| {
        let (low, high) = value.range?;
        (low < high).then(|| Parameter { name: format!("machine.{key}"), low, high })
    });
    ranged.collect()
}

/// A wrong name must not cost the time of the runs before it: each setting is tried once, whatever its
/// seed and drawn values.
fn check(jobs: &[Job]) -> Result<(), CliError> {
    let mut seen = BTreeSet::new();
    for job in jobs {
        let mut experiment = experiment(&job.experiment).map_err(CliError::Usage)?;
        if experiment.backend != Backend::Sim {
            let message = "a sweep runs simulations side by side: leave out `backend`, and use `ab` \
                           or `run` for native runs";
            return Err(CliError::Usage(message.to_owned()));
        }
        experiment.seed = 0;
        experiment.run = 0;
        experiment.set.retain(|key, _| !key.starts_with("machine.") || job.draw.is_none());
        if seen.insert(experiment.command()) {
            Prepared::new(&experiment)?;
        }
    }
    Ok(())
}

/// Version and content of this program, and of the machine files that it will read.
fn build(jobs: &[Job]) -> Result<String, CliError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| CliError::Io {
            doing: "read",
            path: path.display().to_string(),
            source,
        })
    };
    let program = std::env::current_exe().map_err(|source| CliError::Io {
        doing: "find",
        path: "this program".into(),
        source,
    })?;
    let mut hash = fnv1a(0xcbf2_9ce4_8422_2325, &read(&program)?);
    let machines = jobs.iter().filter_map(|job| job.experiment["machine"].as_str());
    let files: BTreeSet<&str> = machines.filter(|machine| Path::new(machine).exists()).collect();
    for file in files {
        hash = fnv1a(hash, &read(Path::new(file))?);
    }
    Ok(format!("{} {hash:016x}", env!("CARGO_PKG_VERSION")))
}

fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn run_job(job: &Job) -> Result<Run, String> {
    let prepared =
        Prepared::new(&experiment(&job.experiment)?).map_err(|error| error.to_string())?;
    exec::run(&prepared).map_err(|error| error.to_string())
}

/// The experiments of a shard, a line each, then the estimate.
fn list(jobs: &[Job], shard: Shard) -> Result<Exit, CliError> {
    let mut text = String::new();
    let (mut count, mut pages) = (0_u64, 0.0);
    for (_, job) in jobs.iter().enumerate().filter(|(place, _)| shard.holds(*place)) {
        let experiment = experiment(&job.experiment).map_err(CliError::Usage)?;
        count += 1;
        pages += f64::from(experiment.tds) * experiment.memory_bytes as f64 / 4096.0;
        let draw = job.draw.map(|draw| format!(" # draw {draw}")).unwrap_or_default();
        text.push_str(&format!("{} {}{draw}\n", job.id, experiment.command()));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let seconds = pages / PAGES_PER_CORE_SECOND / cores as f64;
    text.push_str(&format!(
        "{count} experiments, {pages:.0} simulated pages: about {seconds:.0} s on {cores} cores at \
         {PAGES_PER_CORE_SECOND} pages per core and second\n"
    ));
    output::text(&text)?;
    Ok(Exit::Passed)
}

/// What a merge makes of the results beside the merged file.
struct Watching<'a> {
    uncertainty: Option<Report>,
    beside: Option<BesidePublished<'a>>,
    standings: Option<Standings<'a>>,
}

impl Watch for Watching<'_> {
    fn collected(&mut self, job: &Job, run: &Run) {
        self.uncertainty.iter_mut().for_each(|report| report.collected(job, run));
        self.beside.iter_mut().for_each(|beside| beside.add(job, run));
        self.standings.iter_mut().for_each(|standings| standings.add(job, run));
    }

    fn rankings(&self) -> Vec<Ranking> {
        self.uncertainty.iter().flat_map(Report::rankings).collect()
    }
}

fn merge(args: &CollectArgs) -> Result<Exit, CliError> {
    let (store, plan) = Store::open_existing(&args.folder)?;
    let plan: Plan = serde_json::from_value(plan).map_err(|error| {
        let path = args.folder.join("sweep.json");
        CliError::Ended(Exit::Io, format!("{} holds no plan: {error}", path.display()))
    })?;
    let jobs = jobs(&plan)?;
    let path = args.output.clone().unwrap_or_else(|| args.folder.join("merged.json"));
    let form = form_of(&path)?;
    let uncertainty = plan.uncertainty.as_ref().map(Report::new);
    let standings = plan.standing.as_ref().map(Standings::new);
    let mut watch = Watching { uncertainty, beside: BesidePublished::new(&plan), standings };
    let beside = output::Beside::new(&path);
    let mut file = beside.create()?;
    let merged = collect(&store, &jobs, form, &mut file, &mut watch);
    let merged = merged.map_err(|error| match error {
        CollectError::Store(error) => CliError::from(error),
        CollectError::Output(source) => beside.failed(source),
    })?;
    file.flush().map_err(|source| beside.failed(source))?;
    beside.finish()?;
    let rankings: Vec<String> = watch.rankings().iter().map(pamt_reports::text::ranking).collect();
    if !rankings.is_empty() {
        write_and_show(&args.folder.join("uncertainty.md"), &rankings.join("\n"))?;
    }
    if let Some(beside) = watch.beside {
        write_and_show(&args.folder.join("published.md"), &beside.to_markdown())?;
    }
    if let Some(standings) = watch.standings {
        write_and_show(&args.folder.join("strategies.md"), &standings.to_markdown())?;
        if let Some(draws) = standings.draws_to_markdown() {
            write_and_show(&args.folder.join("draws.md"), &draws)?;
        }
    }
    say(&merged.failed, &merged.missing)?;
    anstream::eprintln!("{} results in {}", merged.merged, path.display());
    let whole = merged.failed.is_empty() && merged.missing.is_empty();
    Ok(if whole { Exit::Passed } else { Exit::Partial })
}

fn write_and_show(path: &Path, text: &str) -> Result<(), CliError> {
    output::write_beside(path, text.as_bytes())?;
    output::text(text)
}

fn say(failed: &[Failure], missing: &[Job]) -> Result<(), CliError> {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for failure in failed {
        *reasons.entry(&failure.reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        anstream::eprintln!("{count} failed: {reason}");
    }
    for job in missing.iter().take(20) {
        let command = experiment(&job.experiment).map_err(CliError::Usage)?.command();
        anstream::eprintln!("missing: {} {command}", job.id);
    }
    if missing.len() > 20 {
        anstream::eprintln!("missing: {} more", missing.len() - 20);
    }
    Ok(())
}

fn form_of(path: &Path) -> Result<Form, CliError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(Form::Json),
        Some("jsonl") => Ok(Form::Jsonl),
        Some("csv") => Ok(Form::Csv),
        Some("parquet") => parquet_form(path),
        _ => {
            let path = path.display();
            let known = ".json, .jsonl, .csv or .parquet";
            Err(CliError::Usage(format!("-o {path}: end the name with {known}")))
        }
    }
}

#[cfg(feature = "parquet")]
fn parquet_form(_: &Path) -> Result<Form, CliError> {
    Ok(Form::Parquet)
}

#[cfg(not(feature = "parquet"))]
fn parquet_form(path: &Path) -> Result<Form, CliError> {
    Err(CliError::Usage(format!(
        "-o {}: this build writes no Parquet; build it with `cargo build --release --features parquet`, \
         or name a .csv",
        path.display()
    )))
}
