//! One difference, and all of them.

use schemars::JsonSchema;
use serde::Serialize;

use super::metric::direction;
use super::table::Lane;
use crate::columns::Direction;
use crate::schema::sorted;
use crate::stats::{Interval, geometric_mean};

/// What is to be said of one metric of one cell; from the gravest to the mildest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A modelled run did not repeat exactly.
    Nondeterministic,
    /// Worse beyond limit and noise.
    Regressed,
    /// Not alike; the reason names the key.
    Incomparable,
    /// Only before.
    Missing,
    /// Too few samples to tell.
    Inconclusive,
    /// Changed where no direction is better.
    Changed,
    /// Better beyond limit and noise.
    Improved,
    /// Only after.
    New,
    /// A difference that limit or noise covers.
    WithinNoise,
    /// No difference.
    Unchanged,
}

impl Verdict {
    /// All of them, gravest first.
    pub const ALL: [Self; 10] = [
        Self::Nondeterministic,
        Self::Regressed,
        Self::Incomparable,
        Self::Missing,
        Self::Inconclusive,
        Self::Changed,
        Self::Improved,
        Self::New,
        Self::WithinNoise,
        Self::Unchanged,
    ];

    /// The word in outputs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nondeterministic => "nondeterministic",
            Self::Regressed => "regressed",
            Self::Incomparable => "incomparable",
            Self::Missing => "missing",
            Self::Inconclusive => "inconclusive",
            Self::Changed => "changed",
            Self::Improved => "improved",
            Self::New => "new",
            Self::WithinNoise => "within-noise",
            Self::Unchanged => "unchanged",
        }
    }
}

/// One metric of one cell, or a whole cell (then `metric` is empty).
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Label of the cell.
    pub cell: String,
    /// Name of the metric; empty when the row is about the cell as a whole.
    pub metric: String,
    /// How the numbers came about.
    pub lane: Lane,
    /// What is to be said.
    pub verdict: Verdict,
    /// Which way is better.
    pub direction: Direction,
    /// Value before: of the worst seed if modelled, the median if measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// Value after, of the same kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<f64>,
    /// Interval of the ratio after / before (measured only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_interval: Option<Interval>,
    /// p of the U test, adjusted by Holm over the family (measured only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<f64>,
    /// Samples before and after.
    pub samples: [usize; 2],
    /// Change that is tolerated, in percent.
    pub margin_percent: f64,
    /// Smallest change that these samples would show in four of five tries, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectable_percent: Option<f64>,
    /// One line.
    pub reason: String,
}

impl Row {
    pub(super) fn of_cell(cell: &str, lane: Lane, verdict: Verdict, reason: String) -> Self {
        Self::of_metric(cell, "", lane, verdict, reason)
    }

    pub(super) fn of_metric(
        cell: &str,
        metric: &str,
        lane: Lane,
        verdict: Verdict,
        reason: String,
    ) -> Self {
        Self {
            cell: cell.to_owned(),
            metric: metric.to_owned(),
            lane,
            verdict,
            direction: direction(metric),
            before: None,
            after: None,
            ratio_interval: None,
            p_adjusted: None,
            samples: [0, 0],
            margin_percent: 0.0,
            detectable_percent: None,
            reason,
        }
    }

    /// Change from before to after, in percent; infinite from 0.
    #[must_use]
    pub fn change_percent(&self) -> Option<f64> {
        change_percent(self.before?, self.after?)
    }

    /// Change over margin: how clear the difference is. Without a margin, the change itself.
    fn significance(&self) -> f64 {
        let change = self.change_percent().map_or(0.0, f64::abs);
        if self.margin_percent > 0.0 { change / self.margin_percent } else { change }
    }
}

/// Change in percent; infinite from 0 to something, none from 0 to 0.
pub(super) fn change_percent(before: f64, after: f64) -> Option<f64> {
    let change = if before == after { 0.0 } else { 100.0 * (after - before) / before.abs() };
    (!change.is_nan()).then_some(change)
}

/// Geometric mean of after / before over the cells of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Geomean {
    /// The metric.
    pub metric: String,
    /// The lane.
    pub lane: Lane,
    /// Cells in it: those where both values are above 0.
    pub cells: usize,
    /// after / before.
    pub ratio: f64,
}

/// All rows, worst first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// The rows; those that are `unchanged` too.
    pub rows: Vec<Row>,
    /// Geometric means of the metrics with a direction that changed anywhere.
    pub geomeans: Vec<Geomean>,
}

impl Comparison {
    pub(super) fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_by(|a, b| {
            a.verdict
                .cmp(&b.verdict)
                .then(b.significance().total_cmp(&a.significance()))
                .then_with(|| (&a.cell, &a.metric).cmp(&(&b.cell, &b.metric)))
        });
        let geomeans = geomeans(&rows);
        Self { rows, geomeans }
    }

    /// How many rows have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// All rows as JSON: indented, keys sorted, one newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let value = serde_json::to_value(self).expect("plain data with string keys is always JSON");
        let mut text = serde_json::to_string_pretty(&sorted(value))
            .expect("a JSON value is always written to a string");
        text.push('\n');
        text
    }
}

fn geomeans(rows: &[Row]) -> Vec<Geomean> {
    let mut ratios: std::collections::BTreeMap<(&str, Lane), Vec<f64>> = Default::default();
    for row in rows.iter().filter(|row| row.direction != Direction::Neutral) {
        if let (Some(before), Some(after)) = (row.before, row.after)
            && before > 0.0
            && after > 0.0
        {
            ratios.entry((&row.metric, row.lane)).or_default().push(after / before);
        }
    }
    let changed = ratios.into_iter().filter(|(_, ratios)| ratios.iter().any(|r| *r != 1.0));
    changed
        .filter_map(|((metric, lane), ratios)| {
            let ratio = geometric_mean(&ratios)?;
            Some(Geomean { metric: metric.to_owned(), lane, cells: ratios.len(), ratio })
        })
        .collect()
}
