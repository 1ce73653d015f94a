//! Files that hold results: ours, and the two formats common in CI.
//!
//! `customSmallerIsBetter` (github-action-benchmark) is a list of `{name, unit, value}`. The Bencher
//! Metric Format is an object benchmark -> measure -> `{value, lower_value?, upper_value?}`; of its
//! built-in measures `throughput` is better when higher, all others are taken as better when lower.
//! Imported values are *counted*: one value each, with a soft limit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::columns::Direction;
use crate::compare::{Lane, Policy, Table, matches_glob};
use crate::schema::{Document, ReadError};
use crate::stats::median;

/// Why a file holds no results.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It looks like ours, but is not.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is of none of the three forms.
    #[error(
        "{path} is neither a result of pamt-bench, nor customSmallerIsBetter, nor Bencher's format: \
         {source}"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What the reader of the likeliest form said.
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct CustomEntry {
    name: String,
    unit: String,
    value: f64,
}

#[derive(Serialize, Deserialize)]
struct BencherMetric {
    value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

type Bencher = BTreeMap<String, BTreeMap<String, BencherMetric>>;

/// The table of all results in the files, of whichever form each is.
///
/// # Errors
/// [`ImportError`] for the first file that cannot be read.
pub fn read_table(paths: &[PathBuf]) -> Result<Table, ImportError> {
    let mut documents = Vec::new();
    let mut foreign = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|source| ReadError::io(path, source))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|source| ReadError::Malformed { path: path.clone(), source })?;
        if value.get("schema_version").is_some() {
            documents.push(Document::from_json(&text, path)?);
        } else {
            foreign.push((path, value));
        }
    }
    let mut table = Table::new(&documents);
    for (path, value) in foreign {
        import(&mut table, path, value)?;
    }
    Ok(table)
}

fn import(table: &mut Table, path: &Path, value: Value) -> Result<(), ImportError> {
    let unknown = |source| ImportError::Unknown { path: path.to_owned(), source };
    if value.is_array() {
        for entry in serde_json::from_value::<Vec<CustomEntry>>(value).map_err(unknown)? {
            table.add_counted(&entry.name, &entry.unit, Direction::Lower, entry.value);
        }
        return Ok(());
    }
    for (benchmark, measures) in serde_json::from_value::<Bencher>(value).map_err(unknown)? {
        for (measure, metric) in measures {
            table.add_counted(&benchmark, &measure, direction_of(&measure), metric.value);
        }
    }
    Ok(())
}

fn direction_of(measure: &str) -> Direction {
    if measure.contains("throughput") { Direction::Higher } else { Direction::Lower }
}

/// A cell's headline metrics: the median over its runs.
fn headline(table: &Table) -> Vec<(&str, &str, Direction, f64)> {
    let policy = Policy::default();
    let mut found = Vec::new();
    for (label, cell) in &table.cells {
        let Some(first) = cell.samples.first() else { continue };
        for metric in first.metrics.keys() {
            let headline = policy.measured_metrics.iter().any(|p| matches_glob(p, metric));
            if cell.direction(metric) == Direction::Neutral
                || !(headline || cell.lane == Lane::Counted)
            {
                continue;
            }
            let values: Vec<f64> =
                cell.samples.iter().filter_map(|s| s.metrics.get(metric).copied()).collect();
            let value = median(&values).map(|value| (label.as_str(), metric.as_str(), value));
            found.extend(
                value.map(|(label, metric, value)| (label, metric, cell.direction(metric), value)),
            );
        }
    }
    found
}

/// The headline metrics that are better when lower, as `customSmallerIsBetter`; the median over runs.
#[must_use]
pub fn to_custom_smaller_is_better(table: &Table) -> String {
    let lower = headline(table).into_iter().filter(|entry| entry.2 == Direction::Lower);
    let entries: Vec<CustomEntry> = lower
        .map(|(cell, metric, _, value)| {
            let unit = if metric.ends_with("_ns") { "ns" } else { metric };
            let name = if unit == metric { cell.to_owned() } else { format!("{cell} {metric}") };
            CustomEntry { name, unit: unit.to_owned(), value }
        })
        .collect();
    pretty(&entries)
}

/// The headline metrics in the Bencher Metric Format; the median over runs.
#[must_use]
pub fn to_bencher(table: &Table) -> String {
    let mut benchmarks = Bencher::new();
    for (cell, metric, _, value) in headline(table) {
        let metrics = benchmarks.entry(cell.to_owned()).or_default();
        let value = BencherMetric { value, lower_value: None, upper_value: None };
        metrics.insert(metric.to_owned(), value);
    }
    pretty(&benchmarks)
}

fn pretty(value: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("plain data with string keys is always JSON");
    text.push('\n');
    text
}
