//! What draws over the uncertain values of a machine leave of a ranking. A sweep makes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::Interval;

/// Draws that a claim needs.
const DRAWS_FOR_A_CLAIM: usize = 200;
/// Seeds that a claim needs.
const SEEDS_FOR_A_CLAIM: usize = 30;

/// The ranking of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranking {
    /// Draws.
    pub draws: usize,
    /// The metric, as a path in the result.
    pub metric: String,
    /// Share of draws in which the whole order is the one shown.
    pub order_share: f64,
    /// Workload, machine and sizes.
    pub scenario: String,
    /// Least number of seeds of a strategy in a draw.
    pub seeds: usize,
    /// Strategies, best median first.
    pub strategies: Vec<StrategyRow>,
    /// Parameters, strongest first.
    pub tornado: Vec<TornadoRow>,
}

/// One strategy in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyRow {
    /// 90 % of the draws.
    pub interval: Interval,
    /// Median over the draws of the mean over the seeds.
    pub median: f64,
    /// Relative half-spread over seeds within a draw, mean over draws, in percent.
    pub seed_spread_percent: f64,
    /// Spec.
    pub strategy: String,
    /// Share of draws in which it is the best.
    pub wins_share: f64,
}

/// One parameter's pull on the lead of the winner over the runner-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TornadoRow {
    /// The sign of the mean lead differs: it could flip the ranking.
    pub flips: bool,
    /// Mean lead in the highest third.
    pub high_lead_percent: f64,
    /// Mean lead in the lowest third of its range, in percent.
    pub low_lead_percent: f64,
    /// Name, as `--set` takes it.
    pub parameter: String,
}

impl Ranking {
    /// In how many of the draws the order holds, with the caveat where they are too few.
    #[must_use]
    pub fn sentence(&self) -> String {
        let few = self.draws < DRAWS_FOR_A_CLAIM || self.seeds < SEEDS_FOR_A_CLAIM;
        let caveat = if few {
            format!(
                " Too few for a claim: {DRAWS_FOR_A_CLAIM} draws of {SEEDS_FOR_A_CLAIM} seeds are."
            )
        } else {
            String::new()
        };
        format!(
            "This order holds in {:.1} % of {} draws with {} seeds each.{caveat}",
            100.0 * self.order_share,
            self.draws,
            self.seeds,
        )
    }
}
