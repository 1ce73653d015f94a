//! What is tolerated: limits, margins, the host's noise.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::matches_glob;
use super::table::Lane;

/// A limit for the metrics and cells that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Pattern of metrics; `*` stands for any characters.
    pub metric: String,
    /// Pattern of cells; all when absent.
    #[serde(default = "any")]
    pub cell: String,
    /// Change in percent that is tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_percent: Option<f64>,
    /// Value that must not be passed, in the metric's unit and direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard: Option<f64>,
}

fn any() -> String {
    "*".to_owned()
}

/// A host's A/A noise: how far two arms of one build lie apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Noise {
    /// What is known of the host, by name; the noise holds for hosts that are equal in it.
    pub host: BTreeMap<String, String>,
    /// Day of the calibration, YYYY-MM-DD in UTC.
    pub day: String,
    /// The noise by cell and metric.
    pub rows: Vec<NoiseRow>,
}

/// The noise of one metric of one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoiseRow {
    /// Label of the cell.
    pub cell: String,
    /// Name of the metric.
    pub metric: String,
    /// Samples of the calibration.
    pub samples: usize,
    /// 95th percentile of the A/A change of medians, in percent.
    pub noise_percent: f64,
}

/// How to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Level of the family of tests on measured metrics.
    pub alpha: f64,
    /// Confidence of the ratio's interval.
    pub confidence: f64,
    /// Margin of measured metrics without a limit of their own, in percent.
    pub margin_percent: f64,
    /// Soft limit of counted metrics without a limit of their own, in percent.
    pub counted_percent: f64,
    /// Measured metrics that are tested; patterns.
    pub measured_metrics: Vec<String>,
    /// Limits; the last that matches wins.
    pub limits: Vec<Limit>,
    /// The host's calibration.
    pub noise: Option<Noise>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            confidence: 0.99,
            margin_percent: 5.0,
            counted_percent: 1.0,
            measured_metrics: [
                "throughput.per_second",
                "ops.*.mean_ns",
                "ops.*.p50_ns",
                "ops.*.p99_ns",
            ]
            .map(str::to_owned)
            .to_vec(),
            limits: Vec::new(),
            noise: None,
        }
    }
}

impl Policy {
    /// The tolerated change in percent: the last soft limit that matches, else the lane's default; for
    /// measured metrics at least the host's noise.
    #[must_use]
    pub fn margin_percent(&self, cell: &str, metric: &str, lane: Lane) -> f64 {
        let limit = self
            .limits
            .iter()
            .rev()
            .find(|limit| limit.soft_percent.is_some() && limit.matches(cell, metric));
        let default = match lane {
            Lane::Modelled => 0.0,
            Lane::Counted => self.counted_percent,
            Lane::Measured => self.margin_percent,
        };
        let margin = limit.and_then(|limit| limit.soft_percent).unwrap_or(default);
        match lane {
            Lane::Measured => margin.max(self.noise_percent(cell, metric)),
            Lane::Modelled | Lane::Counted => margin,
        }
    }

    /// The value that must not be passed.
    #[must_use]
    pub fn hard(&self, cell: &str, metric: &str) -> Option<f64> {
        let matching = self.limits.iter().rev().filter(|limit| limit.matches(cell, metric));
        matching.filter_map(|limit| limit.hard).next()
    }

    fn noise_percent(&self, cell: &str, metric: &str) -> f64 {
        let rows = self.noise.iter().flat_map(|noise| &noise.rows);
        rows.filter(|row| row.cell == cell && row.metric == metric)
            .map(|row| row.noise_percent)
            .fold(0.0, f64::max)
    }

    pub(super) fn tests(&self, metric: &str) -> bool {
        self.measured_metrics.iter().any(|pattern| matches_glob(pattern, metric))
    }
}

impl Limit {
    /// Whether it is about this metric of this cell.
    #[must_use]
    pub fn matches(&self, cell: &str, metric: &str) -> bool {
        matches_glob(&self.metric, metric) && matches_glob(&self.cell, cell)
    }
}
