//! Modelled figures laid beside published ones.
//!
//! A plan may list rows that somebody published, each with its source. The modelled figure of a row is
//! a metric of the plan's own experiments; where the publisher read a clock twice around what he timed,
//! the cost of the two reads is added. A row on which a parameter was fitted says so: its agreement
//! proves nothing. Under draws of the uncertain values a row gets an interval beside its point.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pamt_reports::compare::metrics_of;
use pamt_reports::figure::{significant, time};
use pamt_reports::scenario::split;
use pamt_reports::schema::Run;
use pamt_reports::stats::quantile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::Job;
use super::plan::Plan;
use super::sampling::{Parameter, latin_hypercube};

/// What a modelled figure may be off by.
const TOLERANCE: f64 = 0.25;

/// Published rows of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Two clock reads around what is timed, in ns.
    #[serde(default)]
    pub probe_ns: f64,
    /// Lowest and highest credible cost of the two reads.
    #[serde(default)]
    pub probe_range_ns: Option<[f64; 2]>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// One published figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name.
    pub name: String,
    /// Which experiments of the plan it stands beside: options and their values, as in `base`.
    #[serde(default)]
    pub of: BTreeMap<String, Value>,
    /// The metric, as a path in the result; a time in ns.
    pub metric: String,
    /// The published figure, in ns.
    pub value_ns: f64,
    /// What it was rounded to, in ns.
    #[serde(default)]
    pub rounded_to_ns: f64,
    /// Whether two clock reads are in it.
    #[serde(default)]
    pub probed: bool,
    /// The parameter that was fitted on this row.
    #[serde(default)]
    pub fitted: Option<String>,
    /// Where it was published.
    pub source: String,
}

/// Modelled figures of the rows, gathered run by run.
#[derive(Debug)]
pub struct BesidePublished<'a> {
    published: &'a Published,
    /// Cost of the probe in each draw.
    probes: Vec<f64>,
    figures: Vec<Figures>,
}

#[derive(Clone, Debug, Default)]
struct Figures {
    points: Vec<f64>,
    by_draw: BTreeMap<u32, Vec<f64>>,
    parts: Vec<(String, f64)>,
}

impl<'a> BesidePublished<'a> {
    /// Nothing gathered yet; `None` for a plan without published rows.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Option<Self> {
        let published = plan.published.as_ref()?;
        let probes = match (&plan.uncertainty, published.probe_range_ns) {
            (Some(uncertainty), Some([low, high])) => {
                let probe = Parameter { name: "probe_ns".into(), low, high };
                let rows = latin_hypercube(&[probe], uncertainty.draws, uncertainty.seed);
                rows.concat()
            }
            _ => Vec::new(),
        };
        let figures = vec![Figures::default(); published.rows.len()];
        Some(Self { published, probes, figures })
    }

    /// Adds a run to the rows that it belongs to.
    pub fn add(&mut self, job: &Job, run: &Run) {
        let metrics = metrics_of(&run.result);
        for (row, figures) in self.published.rows.iter().zip(&mut self.figures) {
            if !row.stands_beside(&job.experiment) {
                continue;
            }
            let Some(value) = metrics.get(&row.metric) else { continue };
            match job.draw {
                Some(draw) => {
                    let known = self.probes.get(draw as usize).copied();
                    let probe = known.unwrap_or(self.published.probe_ns);
                    figures.by_draw.entry(draw).or_default().push(value + row.probe(probe));
                }
                None => {
                    figures.points.push(value + row.probe(self.published.probe_ns));
                    figures.parts = row.parts(run);
                }
            }
        }
    }

    /// A table of the rows and, below it, what each mean consists of, as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::from(
            "## Modelled beside published\n\n| | published | modelled | off | 90 % of draws | |\n|---|---|---|---|---|---|\n",
        );
        for (row, figures) in self.published.rows.iter().zip(&self.figures) {
            let _ = writeln!(text, "{}", self.line(row, figures));
        }
        text.push('\n');
        for (row, figures) in self.published.rows.iter().zip(&self.figures) {
            if !figures.parts.is_empty() {
                let mut parts = figures.parts.clone();
                parts.extend(row.probed.then_some(("probe".into(), self.published.probe_ns)));
                let shown: Vec<_> =
                    parts.iter().map(|(name, ns)| format!("{name} {}", time(*ns))).collect();
                let _ = writeln!(text, "- {}: {}", row.name, shown.join(" + "));
            }
        }
        text.push('\n');
        for row in &self.published.rows {
            let _ = writeln!(text, "- {}: {}", row.name, row.source);
        }
        text
    }

    fn line(&self, row: &Row, figures: &Figures) -> String {
        let published = time(row.value_ns);
        let Some(point) = mean(&figures.points) else {
            return format!("| {} | {published} | no run | | | |", row.name);
        };
        let off = row.off(point);
        let draws: Vec<f64> = figures.by_draw.values().filter_map(|values| mean(values)).collect();
        let interval = match (quantile(&draws, 0.05), quantile(&draws, 0.95)) {
            (Some(low), Some(high)) => format!("{} to {}", time(low), time(high)),
            _ => "not drawn".to_owned(),
        };
        let verdict = match &row.fitted {
            Some(parameter) => format!("fitted: {parameter}"),
            None if off.abs() <= TOLERANCE => "within 25 %".to_owned(),
            None => "not within 25 %".to_owned(),
        };
        let off =
            format!("{}{} %", if off < 0.0 { "-" } else { "+" }, significant(100.0 * off.abs()));
        format!("| {} | {published} | {} | {off} | {interval} | {verdict} |", row.name, time(point))
    }
}

impl Row {
    fn stands_beside(&self, experiment: &Value) -> bool {
        self.of.iter().all(|(name, value)| match name.strip_prefix("set.") {
            Some(key) => experiment["set"][key] == *value,
            None => experiment[name] == *value,
        })
    }

    fn probe(&self, probe_ns: f64) -> f64 {
        if self.probed { probe_ns } else { 0.0 }
    }

    /// Relative distance to the nearest figure that would have been published as this one.
    fn off(&self, modelled: f64) -> f64 {
        let half = self.rounded_to_ns / 2.0;
        let nearest = modelled.clamp(self.value_ns - half, self.value_ns + half);
        (modelled - nearest) / self.value_ns
    }

    /// The mean parts of the operation that the row is the mean of.
    fn parts(&self, run: &Run) -> Vec<(String, f64)> {
        let op = self.metric.strip_prefix("ops.").and_then(|rest| rest.strip_suffix(".mean_ns"));
        let Some((op, row)) = op.and_then(|op| Some((op, run.result.ops.get(op)?))) else {
            return Vec::new();
        };
        let mean = |total_ns: u64| total_ns as f64 / row.count.max(1) as f64;
        let parts = split(&run.result, op).into_iter().map(|part| (part.name, mean(part.total_ns)));
        // Parts below half a nanosecond a call are noise to the eye.
        parts.filter(|(_, ns)| *ns >= 0.5).collect()
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rounded_to_ns: f64) -> Row {
        Row {
            name: "ADD".into(),
            of: BTreeMap::from([
                ("strategy".to_owned(), Value::from("simple")),
                ("set.while".to_owned(), Value::from("released")),
            ]),
            metric: "ops.x.mean_ns".into(),
            value_ns: 4000.0,
            rounded_to_ns,
            probed: false,
            fitted: None,
            source: "here".into(),
        }
    }

    #[test]
    fn a_figure_is_off_from_what_would_have_been_rounded_to_the_published_one() {
        assert_eq!(row(0.0).off(4400.0), 0.1);
        assert_eq!(row(1000.0).off(4400.0), 0.0);
        assert_eq!(row(1000.0).off(3100.0), -0.1);
    }

    #[test]
    fn a_row_stands_beside_the_experiments_with_its_options() {
        let experiment = |strategy: &str, held: &str| serde_json::json!({ "strategy": strategy, "set": { "while": held } });
        assert!(row(0.0).stands_beside(&experiment("simple", "released")));
        assert!(!row(0.0).stands_beside(&experiment("simple", "runnable")));
        assert!(!row(0.0).stands_beside(&experiment("global", "released")));
    }
}
