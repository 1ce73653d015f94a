//! Weak memory: every execution of a scenario under loom, with a bound on preemptions.
//!
//! Loom lets a load return any value that the memory model allows, so it judges orderings as well as
//! interleavings; the words of locks and refcounts and the 2 MiB entries of the module are its atomics.
//! It is exhaustive within the bound, and therefore slow: three preemptions for two CPUs, two for
//! three, and a budget after which the answer is "so far". Loom does not see what the world around keeps to itself
//! (which page is handed out next, whose call a fault strikes): of orders that differ in nothing else it tries one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pamt_strategies::measure::{Violation, ViolationKind};
use pamt_strategies::platform::explore::Loom;
use pamt_strategies::registry::StrategySpec;

use super::scenario::Scenario;
use super::world::{Log, Story, execute};

/// Operations of one execution after which it counts as one without progress.
const MOST_BRANCHES: usize = 60_000;

/// How many executions were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeakCoverage {
    /// Most preemptions of an execution.
    pub preemptions: usize,
    /// Executions tried.
    pub executions: u64,
    /// There are no others within the bound.
    pub complete: bool,
}

/// The bound for a number of CPUs.
fn bound(cpus: usize) -> usize {
    if cpus <= 2 { 3 } else { 2 }
}

/// What is shared with the closure that loom calls again and again.
#[derive(Default)]
struct Search {
    executions: AtomicU64,
    failure: Mutex<Option<Story>>,
    /// What the execution in progress hears.
    log: Mutex<Arc<Log>>,
}

impl Search {
    fn found(&self, story: Story) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(story);
    }

    fn execution(&self, spec: &StrategySpec, scenario: &'static Scenario) {
        self.executions.fetch_add(1, Ordering::Relaxed);
        let log = Arc::new(Log::default());
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&log);
        execute::<Loom>(spec, scenario, &log);
        let story = log.story();
        if !story.violations.is_empty() {
            self.found(story);
            // Loom cannot be told to stop. All threads have ended here, so unwinding leaves none behind.
            resume_unwind(Box::new("a violation was found"));
        }
    }

    /// Loom gave up an execution: CPUs wait for each other, or for ever.
    fn given_up(&self, why: &str) {
        let log = Arc::clone(&self.log.lock().unwrap_or_else(PoisonError::into_inner));
        let mut story = log.story();
        let kind = ViolationKind::Deadlock;
        story.violations.push(Violation { kind, region: None, detail: why.to_owned() });
        self.found(story);
    }
}

/// Tries at most `budget` executions.
#[must_use]
pub fn explore_weak(
    spec: &StrategySpec,
    scenario: &'static Scenario,
    budget: u64,
) -> (WeakCoverage, Option<Story>) {
    let preemptions = bound(scenario.cpus.len());
    let search = Arc::new(Search::default());
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = MOST_BRANCHES;
    // Loom stops before the one of this number.
    builder.max_permutations = Some(budget as usize + 1);
    // How often loom looks whether that is reached.
    builder.checkpoint_interval = 1;
    let (inside, spec) = (Arc::clone(&search), spec.clone());
    let run = AssertUnwindSafe(|| builder.check(move || inside.execution(&spec, scenario)));
    if let Err(panic) = catch_unwind(run) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        search.given_up(text.unwrap_or("loom gave up an execution"));
    }
    let executions = search.executions.load(Ordering::Relaxed);
    let failure = search.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    let complete = failure.is_none() && executions < budget;
    (WeakCoverage { preemptions, executions, complete }, failure)
}
