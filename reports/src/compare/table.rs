//! Results as cells: everything that was run under equal settings, whatever its seed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::metric::{direction, hash, metrics_of};
use super::row::{Row, Verdict};
use crate::columns::Direction;
use crate::schema::{Document, Experiment, Run, World};

/// How numbers of a cell came about, which decides how they are compared.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// From the simulator: exact.
    Modelled,
    /// Counted or imported, one value each: nearly exact.
    Counted,
    /// From a real machine: samples.
    Measured,
}

impl Lane {
    /// As written in outputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modelled => "modelled",
            Self::Counted => "counted",
            Self::Measured => "measured",
        }
    }
}

/// One run of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Seed of the run.
    pub seed: u64,
    /// Repetition, from 0.
    pub run: u64,
    /// Parts of the comparability key.
    pub parts: BTreeMap<String, String>,
    /// The numbers, by metric.
    pub metrics: BTreeMap<String, f64>,
}

/// All runs under equal settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The lane of its numbers.
    pub lane: Lane,
    /// The settings by name.
    pub identity: BTreeMap<String, String>,
    /// Directions of metrics that come from elsewhere, by name.
    pub directions: BTreeMap<String, Direction>,
    /// Its runs in the order of the files.
    pub samples: Vec<Sample>,
}

impl Cell {
    fn new(lane: Lane, identity: BTreeMap<String, String>) -> Self {
        Self { lane, identity, directions: BTreeMap::new(), samples: Vec::new() }
    }

    /// Which way `metric` is better.
    #[must_use]
    pub fn direction(&self, metric: &str) -> Direction {
        self.directions.get(metric).copied().unwrap_or_else(|| direction(metric))
    }
}

/// Cells by label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The cells.
    pub cells: BTreeMap<String, Cell>,
    /// What all measured runs have in common of their host, by name.
    pub host: BTreeMap<String, String>,
    faults: Vec<Row>,
}

impl Table {
    /// The table of all runs in `documents`. A modelled run that occurs twice must be equal both times:
    /// if not, the table carries a `nondeterministic` row. Published numbers are left out.
    #[must_use]
    pub fn new(documents: &[Document]) -> Self {
        let mut table = Self::default();
        for run in documents.iter().flat_map(|document| &document.runs) {
            let lane = match run.result.world {
                World::Modelled => Lane::Modelled,
                World::Measured => Lane::Measured,
                World::Published => continue,
            };
            table.add(lane, run);
        }
        table.host = common_host(documents);
        table
    }

    fn add(&mut self, lane: Lane, run: &Run) {
        let identity = identity(&run.experiment);
        let label = label(&identity, &run.experiment.parameters);
        let sample = Sample {
            seed: run.experiment.seed,
            run: run.experiment.run,
            parts: run.comparability.parts.clone(),
            metrics: metrics_of(&run.result),
        };
        let cell = self.cells.entry(label.clone()).or_insert_with(|| Cell::new(lane, identity));
        if lane == Lane::Modelled
            && let Some(twin) = cell
                .samples
                .iter()
                .find(|other| (other.seed, other.run) == (sample.seed, sample.run))
        {
            self.faults.extend(compare_twins(&label, twin, &sample));
        } else {
            cell.samples.push(sample);
        }
    }

    /// Adds one counted or imported value under its own names.
    pub fn add_counted(&mut self, cell: &str, metric: &str, direction: Direction, value: f64) {
        let identity = BTreeMap::from([("series".to_owned(), cell.to_owned())]);
        let entry =
            self.cells.entry(cell.to_owned()).or_insert_with(|| Cell::new(Lane::Counted, identity));
        entry.directions.insert(metric.to_owned(), direction);
        if entry.samples.is_empty() {
            let (parts, metrics) = (BTreeMap::new(), BTreeMap::new());
            entry.samples.push(Sample { seed: 0, run: 0, parts, metrics });
        }
        for sample in &mut entry.samples {
            sample.metrics.insert(metric.to_owned(), value);
        }
    }

    /// Rows for what is wrong within one side.
    pub(super) fn faults(&self) -> Vec<Row> {
        self.faults.clone()
    }
}

fn common_host(documents: &[Document]) -> BTreeMap<String, String> {
    let runs = documents.iter().flat_map(|document| &document.runs);
    let measured = runs.filter(|run| run.result.world == World::Measured);
    let mut hosts = measured.map(|run| run.provenance.as_ref().map(|p| &p.host));
    let Some(Some(first)) = hosts.next() else { return BTreeMap::new() };
    let mut common = first.clone();
    for host in hosts {
        common.retain(|name, value| host.and_then(|host| host.get(name)) == Some(value));
    }
    common
}

fn compare_twins(label: &str, first: &Sample, second: &Sample) -> Option<Row> {
    let keys = differing(&first.parts, &second.parts);
    if !keys.is_empty() {
        let reason = format!("one side holds this run twice, under different {}", keys.join(", "));
        return Some(Row::of_cell(label, Lane::Modelled, Verdict::Incomparable, reason));
    }
    let metric = first
        .metrics
        .keys()
        .chain(second.metrics.keys())
        .find(|metric| first.metrics.get(*metric) != second.metrics.get(*metric))?;
    let reason = format!(
        "seed {} run {} ran twice and gave different numbers: a modelled run must repeat exactly",
        first.seed, first.run
    );
    let mut row = Row::of_cell(label, Lane::Modelled, Verdict::Nondeterministic, reason);
    row.metric = metric.clone();
    row.before = first.metrics.get(metric).copied();
    row.after = second.metrics.get(metric).copied();
    Some(row)
}

/// Names under which two maps differ, ascending.
pub(super) fn differing(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<String> =
        a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name)).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn identity(experiment: &Experiment) -> BTreeMap<String, String> {
    let mut identity = BTreeMap::new();
    let value = serde_json::to_value(experiment).expect("plain data is always JSON");
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            _ if name == "seed" || name == "run" => {}
            Value::Object(parameters) => {
                let named = parameters.iter().map(|(key, value)| (key.clone(), plain(value)));
                identity.extend(named);
            }
            value => {
                identity.insert(name.clone(), plain(value));
            }
        }
    }
    identity
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What names a cell first; the other settings follow, a workload's parameters as a hash.
const LEADING: [&str; 4] = ["strategy", "workload", "machine", "backend"];

fn label(identity: &BTreeMap<String, String>, parameters: &BTreeMap<String, Value>) -> String {
    let leading = LEADING.iter().filter_map(|name| identity.get(*name).cloned());
    let rest = identity
        .iter()
        .filter(|(name, _)| !LEADING.contains(&name.as_str()) && !parameters.contains_key(*name));
    let mut words: Vec<String> =
        leading.chain(rest.map(|(name, value)| format!("{name}={value}"))).collect();
    if !parameters.is_empty() {
        let text = serde_json::to_string(parameters).expect("plain data is always JSON");
        words.push(format!("#{:06x}", hash(text.bytes()) & 0xff_ffff));
    }
    words.join(" ")
}
