//! `pamt-bench check`: is a strategy right in every interleaving?
//!
//! The real source of the strategy and the real model of the module run under the shuttle world, a
//! few CPUs at a time ([`scenario`]), in every schedule with up to two preemptions and in random ones
//! with more ([`explore`]). What is demanded of each execution is in `world`: no SEAMCALL on a page
//! without its pair, no pair taken back while it is used, no put that fails, no retry that can be
//! provoked twice in a row, progress of every CPU, and nothing left when all TDs are gone.
//!
//! Memory is sequentially consistent there; orderings are judged by loom (`weak`), where a budget for
//! it is given.

mod explore;
mod heard;
mod report;
pub mod scenario;
mod weak;
mod world;

pub use explore::{Coverage, Failure, Segment, explore, replay};
pub use report::{parse_schedule, schedule_text, story_table};
pub use weak::{WeakCoverage, explore_weak};
pub use world::{Event, Story};

use pamt_strategies::registry::StrategySpec;
use scenario::Scenario;

/// What a check asks for.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Where to look, in this order.
    pub scenarios: Vec<&'static Scenario>,
    /// Most schedules a scenario in the search; a quarter of that at random besides.
    pub schedules: u64,
    /// Seed of the random ones.
    pub seed: u64,
    /// Most executions a scenario under loom; none without a number.
    pub weak: Option<u64>,
}

/// What became of a scenario.
#[derive(Debug)]
pub struct Checked {
    /// Which.
    pub scenario: &'static Scenario,
    /// What was tried.
    pub coverage: Coverage,
    /// The first failure.
    pub failure: Option<Failure>,
    /// What was tried under loom, when nothing failed before.
    pub weak: Option<WeakCoverage>,
    /// What failed there. Loom's executions have no schedule that could be replayed.
    pub weak_failure: Option<Story>,
}

impl Checked {
    /// Whether something broke.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failure.is_some() || self.weak_failure.is_some()
    }
}

/// Checks a strategy in the scenarios asked for.
#[must_use]
pub fn check(spec: &StrategySpec, options: &CheckOptions) -> Vec<Checked> {
    let wanted = options.scenarios.iter();
    wanted
        .map(|scenario| {
            let (coverage, failure) = explore(spec, scenario, options.schedules, options.seed);
            let budget = options.weak.filter(|_| failure.is_none());
            let (weak, weak_failure) =
                budget.map(|budget| explore_weak(spec, scenario, budget)).unzip();
            Checked { scenario, coverage, failure, weak, weak_failure: weak_failure.flatten() }
        })
        .collect()
}
