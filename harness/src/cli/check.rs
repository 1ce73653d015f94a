//! `check`: explore the interleavings of strategies, or run one schedule again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pamt_reports::exit::Exit;
use pamt_strategies::registry::StrategySpec;
use pamt_strategies::spec::{nearest, split_list};

use super::{CliError, output};
use crate::check::scenario::{SCENARIOS, Scenario, Scope, in_scopes};
use crate::check::{CheckOptions, Failure, check, parse_schedule, replay};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Strategies, separated by commas
    #[arg(long)]
    strategy: String,
    /// Without splits of 2M mappings, with nothing else, or both
    #[arg(long, value_enum, default_value = "4k")]
    scope: ScopeArg,
    /// Most schedules that a scenario's search tries; a quarter of that at random besides
    #[arg(long, default_value_t = 4000)]
    schedules: u64,
    /// Seed of the random schedules
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the first failure, or the schedule of --replay, to FILE for ui.perfetto.dev
    #[arg(long, value_name = "FILE.pftrace")]
    trace: Option<PathBuf>,
    /// Try executions under weak memory too, at most so many a scenario
    #[arg(long, value_name = "N")]
    weak: Option<u64>,
    /// Run one schedule again, as a failure prints it; needs --scenario
    #[arg(long, requires = "scenario")]
    replay: Option<String>,
    /// Only this scenario, whatever its scope
    #[arg(long)]
    scenario: Option<String>,
}

/// Scopes on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScopeArg {
    /// Only 4K pages are mapped and unmapped
    #[value(name = "4k")]
    FourK,
    /// 2M mappings are split meanwhile
    Split,
    /// Both
    All,
}

impl ScopeArg {
    fn scopes(self) -> Vec<Scope> {
        match self {
            Self::FourK => vec![Scope::FourK],
            Self::Split => vec![Scope::Split],
            Self::All => vec![Scope::FourK, Scope::Split],
        }
    }
}

pub(super) fn execute(args: &CheckArgs) -> Result<Exit, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::Usage(error.to_string());
    let names = split_list(&args.strategy).map_err(|error| usage(&error))?;
    let specs = names.into_iter().map(StrategySpec::parse).collect::<Result<Vec<_>, _>>();
    let specs = specs.map_err(|error| usage(&error))?;
    if args.trace.is_some() && specs.len() > 1 {
        return Err(CliError::Usage("--trace needs a single strategy".into()));
    }
    let (mut text, mut failures) = (String::new(), 0);
    for spec in &specs {
        let _ = writeln!(text, "{}", spec.text());
        match &args.replay {
            Some(schedule) => failures += again(&mut text, args, spec, schedule)?,
            None => failures += explored(&mut text, args, spec)?,
        }
    }
    output::text(&text)?;
    Ok(if failures == 0 { Exit::Passed } else { Exit::Violation })
}

fn explored(text: &mut String, args: &CheckArgs, spec: &StrategySpec) -> Result<usize, CliError> {
    let scenarios = match args.scenario.as_deref() {
        Some(name) => vec![scenario(name)?],
        None => in_scopes(&args.scope.scopes()),
    };
    let options =
        CheckOptions { scenarios, schedules: args.schedules, seed: args.seed, weak: args.weak };
    let checked = check(spec, &options);
    if let Some(path) = &args.trace {
        let failed = checked.iter().find_map(|one| Some((one.scenario, one.failure.as_ref()?)));
        if let Some((scenario, failure)) = failed {
            // Again, so that everything is kept.
            trace(path, replay(spec, scenario, &failure.schedule).as_ref())?;
        }
    }
    for one in &checked {
        let _ = writeln!(text, "{one}");
    }
    Ok(checked.iter().filter(|one| one.failed()).count())
}

fn again(
    text: &mut String,
    args: &CheckArgs,
    spec: &StrategySpec,
    schedule: &str,
) -> Result<usize, CliError> {
    let scenario = scenario(args.scenario.as_deref().unwrap_or_default())?;
    let schedule = parse_schedule(schedule).map_err(|part| {
        CliError::Usage(format!("--replay: `{part}` is not `cpu*steps`, for example `0*120`"))
    })?;
    let replayed = replay(spec, scenario, &schedule);
    if let Some(path) = &args.trace {
        trace(path, replayed.as_ref())?;
    }
    match replayed {
        Some(failure) => {
            let _ = writeln!(text, "{failure}");
            Ok(1)
        }
        None => {
            let _ = writeln!(text, "this schedule breaks nothing");
            Ok(0)
        }
    }
}

fn trace(path: &Path, failure: Option<&Failure>) -> Result<(), CliError> {
    let Some(failure) = failure else { return Ok(()) };
    let beside = output::Beside::new(path);
    let written = failure.write_trace(beside.create()?);
    written.and_then(|mut out| out.flush()).map_err(|source| beside.failed(source))?;
    beside.finish()
}

fn scenario(name: &str) -> Result<&'static Scenario, CliError> {
    SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        let hint = nearest(name, SCENARIOS.iter().map(|scenario| scenario.name));
        let hint = hint.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
        CliError::Usage(format!("unknown scenario `{name}`{hint}; a failure prints its name"))
    })
}
