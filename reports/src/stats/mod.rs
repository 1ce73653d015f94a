//! Statistics of small samples, as the comparison and the gate need them.
//!
//! All of it is deterministic: what resamples takes a seed. The test `tests/stats_scipy.rs` compares
//! every function with scipy on 1,000 recorded random cases.

mod bootstrap;
mod holm;
mod power;
mod quantile;
mod rank_test;
mod usl;

pub use bootstrap::ratio_of_medians;
pub use holm::holm;
pub use power::{least_samples, smallest_detectable_ratio};
pub use quantile::{geometric_mean, median, median_interval, quantile};
pub use rank_test::{MannWhitney, mann_whitney};
pub use usl::{UslFit, fit_usl};

/// A two-sided interval, in the unit of the samples it came from.
#[derive(
    Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// Whether `x` lies inside, bounds included.
    #[must_use]
    pub fn contains(self, x: f64) -> bool {
        self.low <= x && x <= self.high
    }
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
