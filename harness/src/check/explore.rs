//! Which schedules are tried: all with few preemptions, then random ones.
//!
//! A *preemption* is a switch away from a CPU that could go on. Most concurrency faults need two or
//! fewer (Musuvathi and Qadeer, PLDI 2007), so all schedules with 0, 1 and 2 of them are tried in that
//! order, by depth-first search over the choices: the first failure has the fewest preemptions that
//! can provoke it. What the budget leaves is spent on random schedules with more.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pamt_strategies::platform::explore::Shuttle;
use pamt_strategies::registry::StrategySpec;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, MaxSteps, Runner};

use super::scenario::Scenario;
use super::world::{Log, Story, execute};

/// Steps after which an execution counts as one without progress.
const MOST_STEPS: usize = 60_000;
/// Most preemptions that are tried exhaustively.
const MOST_PREEMPTIONS: usize = 2;
/// A random schedule switches at one step in so many.
const RANDOM_SWITCH: u64 = 12;

/// Consecutive steps of one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which CPU.
    pub cpu: usize,
    /// How many steps.
    pub steps: usize,
}

/// How many schedules were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every schedule with up to so many preemptions was tried; `None`: not even those without.
    pub exhaustive: Option<usize>,
    /// Schedules tried by that search.
    pub searched: u64,
    /// Random schedules.
    pub random: u64,
}

/// A schedule that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened.
    pub story: Story,
    /// How to get there again.
    pub schedule: Vec<Segment>,
}

impl Failure {
    /// Writes everything that a replayed schedule reported, for ui.perfetto.dev.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_trace<W: Write + Send>(&self, out: W) -> io::Result<W> {
        self.story.heard.write(out)
    }
}

enum Mode {
    /// Depth-first, with so many preemptions left in this execution.
    Search {
        bound: usize,
        left: usize,
        path: Vec<Choice>,
        depth: usize,
    },
    Random(Box<Pcg64>),
    Replay(Vec<Segment>),
}

struct Choice {
    options: usize,
    taken: usize,
}

struct Director {
    mode: Mode,
    budget: u64,
    executions: u64,
    exhausted: bool,
    log: Arc<Log>,
    trail: Vec<Segment>,
    failure: Option<Failure>,
}

impl Director {
    /// Sets up the next execution; false when there is none.
    fn next(&mut self) -> bool {
        if self.executions > 0 {
            self.judge();
        }
        if self.failure.is_some() || self.executions == self.budget {
            return false;
        }
        match &mut self.mode {
            Mode::Search { bound, left, path, depth } => {
                if self.executions > 0 && !advance(path) {
                    self.exhausted = true;
                    return false;
                }
                (*left, *depth) = (*bound, 0);
            }
            Mode::Random(_) => {}
            Mode::Replay(_) if self.executions > 0 => return false,
            Mode::Replay(_) => {}
        }
        self.executions += 1;
        self.trail.clear();
        let replayed = matches!(self.mode, Mode::Replay(_));
        self.log = Arc::new(if replayed { Log::keeping() } else { Log::default() });
        true
    }

    /// Looks at the execution that has just ended.
    fn judge(&mut self) {
        let mut story = self.log.story();
        if !story.finished && story.violations.is_empty() {
            story.violations.push(no_progress());
        }
        if !story.violations.is_empty() {
            self.failure = Some(Failure { story, schedule: self.trail.clone() });
        }
    }

    fn choose(&mut self, runnable: &[usize], current: Option<usize>, yields: bool) -> usize {
        let goes_on = current.filter(|c| !yields && runnable.contains(c));
        let others = runnable.iter().copied().filter(|r| Some(*r) != current);
        let chosen = match &mut self.mode {
            Mode::Replay(segments) => replayed(segments, runnable)
                .or(goes_on)
                .unwrap_or_else(|| others.clone().next().unwrap_or(runnable[0])),
            Mode::Random(random) => {
                let stay = random.next_u64() % RANDOM_SWITCH != 0;
                match goes_on {
                    Some(current) if stay => current,
                    _ => runnable[(random.next_u64() % runnable.len() as u64) as usize],
                }
            }
            Mode::Search { left, path, depth, .. } => {
                let mut options: Vec<usize> = goes_on.into_iter().collect();
                if goes_on.is_none() || *left > 0 {
                    options.extend(others);
                }
                if options.is_empty() {
                    options.push(runnable[0]);
                }
                let taken = pick(path, depth, options.len());
                if goes_on.is_some() && taken > 0 {
                    *left -= 1;
                }
                options[taken]
            }
        };
        match self.trail.last_mut() {
            Some(last) if last.cpu == chosen => last.steps += 1,
            _ => self.trail.push(Segment { cpu: chosen, steps: 1 }),
        }
        chosen
    }
}

fn no_progress() -> pamt_strategies::measure::Violation {
    pamt_strategies::measure::Violation {
        kind: pamt_strategies::measure::ViolationKind::Deadlock,
        region: None,
        detail: format!("no end after {MOST_STEPS} steps: CPUs wait for each other"),
    }
}

/// The next branch of the tree; false when there is none.
fn advance(path: &mut Vec<Choice>) -> bool {
    while let Some(last) = path.last_mut() {
        last.taken += 1;
        if last.taken < last.options {
            return true;
        }
        path.pop();
    }
    false
}

fn pick(path: &mut Vec<Choice>, depth: &mut usize, options: usize) -> usize {
    if options == 1 {
        return 0;
    }
    if *depth == path.len() {
        path.push(Choice { options, taken: 0 });
    }
    *depth += 1;
    path[*depth - 1].taken
}

fn replayed(segments: &mut Vec<Segment>, runnable: &[usize]) -> Option<usize> {
    let first = segments.first_mut()?;
    let cpu = first.cpu;
    first.steps -= 1;
    if first.steps == 0 {
        segments.remove(0);
    }
    runnable.contains(&cpu).then_some(cpu)
}

/// Shuttle's view of a [`Director`], which outlives its runner.
struct Handle(Arc<Mutex<Director>>);

impl Handle {
    fn director(&self) -> MutexGuard<'_, Director> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scheduler for Handle {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.director().next().then(|| Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        yields: bool,
    ) -> Option<TaskId> {
        let ids: Vec<usize> = runnable.iter().map(|task| usize::from(task.id())).collect();
        Some(self.director().choose(&ids, current.map(usize::from), yields).into())
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

fn direct(
    mode: Mode,
    budget: u64,
    spec: &StrategySpec,
    scenario: &'static Scenario,
) -> (u64, bool, Option<Failure>) {
    let director = Arc::new(Mutex::new(Director {
        mode,
        budget,
        executions: 0,
        exhausted: false,
        log: Arc::new(Log::default()),
        trail: Vec::new(),
        failure: None,
    }));
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    config.max_steps = MaxSteps::ContinueAfter(MOST_STEPS);
    config.silence_warnings = true;
    let (inside, spec) = (Arc::clone(&director), spec.clone());
    Runner::new(Handle(Arc::clone(&director)), config).run(move || {
        let log = Arc::clone(&inside.lock().unwrap_or_else(PoisonError::into_inner).log);
        execute::<Shuttle>(&spec, scenario, &log);
    });
    let mut director = director.lock().unwrap_or_else(PoisonError::into_inner);
    (director.executions, director.exhausted, director.failure.take())
}

/// Tries schedules until one breaks something or `budget` of them are tried.
#[must_use]
pub fn explore(
    spec: &StrategySpec,
    scenario: &'static Scenario,
    budget: u64,
    seed: u64,
) -> (Coverage, Option<Failure>) {
    let mut coverage = Coverage::default();
    for bound in 0..=MOST_PREEMPTIONS {
        let left = budget.saturating_sub(coverage.searched);
        let mode = Mode::Search { bound, left: bound, path: Vec::new(), depth: 0 };
        let (executions, exhausted, failure) = direct(mode, left, spec, scenario);
        coverage.searched += executions;
        if failure.is_some() {
            return (coverage, failure);
        }
        if !exhausted {
            break;
        }
        coverage.exhaustive = Some(bound);
    }
    let random = Mode::Random(Box::new(Pcg64::seed_from_u64(seed)));
    let (executions, _, failure) = direct(random, budget / 4, spec, scenario);
    coverage.random = executions;
    (coverage, failure)
}

/// Runs one schedule again.
#[must_use]
pub fn replay(
    spec: &StrategySpec,
    scenario: &'static Scenario,
    schedule: &[Segment],
) -> Option<Failure> {
    direct(Mode::Replay(schedule.to_vec()), 1, spec, scenario).2
}
