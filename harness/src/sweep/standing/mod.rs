//! How strategies stand against each other: `[standing]` of a plan.
//!
//! Everything is taken seed by seed, since the runs of a seed differ in nothing but the strategy: the
//! ratio of a strategy to the one that it is measured against is the geometric mean over the seeds, its
//! interval what nine of ten seeds give. Over the scenarios there is then the geometric mean, the worst
//! ratio, and how far the strategy stays behind the best one that is sound there. The module in static
//! mode is the floor, not a competitor; neither is a strategy whose violations are known. Where the plan
//! draws the machine's uncertain values, `draws` says how often that order holds.

mod draws;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pamt_reports::columns::{self, Column, Direction, RUN};
use pamt_reports::compare::{direction, metrics_of};
use pamt_reports::figure::Figure;
use pamt_reports::schema::{Run, RunResult};
use pamt_reports::stats::{geometric_mean, quantile};
use pamt_strategies::registry::{ModuleMode, StrategyInfo, StrategySpec, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sweep::job::Job;
use crate::sweep::uncertainty::scenario;

/// What strategies are measured by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The strategy that the others are measured against.
    pub against: String,
    /// The metric, as a path in the result.
    #[serde(default = "crate::sweep::plan::throughput")]
    pub metric: String,
}

/// Columns of a scenario's table, by the names of the run columns; each is the mean over the seeds.
const SHOWN: [&str; 8] = [
    "throughput_per_second",
    "pamt_get_p99_ns",
    "pamt_put_p99_ns",
    "contentions",
    "hitm",
    "busy",
    "pamt_pages_peak",
    "violation_count",
];

/// One strategy in one scenario.
#[derive(Clone, Debug, Default)]
struct Cell {
    /// seed -> metric.
    by_seed: BTreeMap<u64, f64>,
    /// Sum and number of the values of each shown column.
    shown: [(f64, u32); SHOWN.len()],
}

/// Figures of one scenario by strategy.
type Scenario = BTreeMap<String, Cell>;

/// All scenarios by name.
type Scenarios = BTreeMap<String, Scenario>;

/// Gathers figures run by run.
#[derive(Debug)]
pub struct Standings<'a> {
    standing: &'a Standing,
    scenarios: Scenarios,
    draws: BTreeMap<u32, Scenarios>,
}

/// A strategy's ratio to another over the seeds that both have; above 1 is better.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio {
    mean: f64,
    low: f64,
    high: f64,
}

/// One strategy over all scenarios.
#[derive(Debug)]
struct Overall {
    strategy: String,
    info: &'static StrategyInfo,
    /// Geometric mean of the ratios.
    mean: f64,
    /// The worst ratio and its scenario.
    worst: (f64, String),
    /// Scenarios in which nine of ten seeds are worse.
    worse_in: usize,
    /// Furthest behind the best sound strategy, in percent.
    behind_percent: f64,
}

impl<'a> Standings<'a> {
    /// Nothing gathered yet.
    #[must_use]
    pub fn new(standing: &'a Standing) -> Self {
        Self { standing, scenarios: Scenarios::new(), draws: BTreeMap::new() }
    }

    /// Adds a run; one without the metric is left out.
    pub fn add(&mut self, job: &Job, run: &Run) {
        let metrics = metrics_of(&run.result);
        let Some(value) = metrics.get(&self.standing.metric) else { return };
        let name = scenario(&run.experiment, &job.experiment, &BTreeSet::new());
        let scenarios = match job.draw {
            None => &mut self.scenarios,
            Some(draw) => self.draws.entry(draw).or_default(),
        };
        let strategies = scenarios.entry(name).or_default();
        let cell = strategies.entry(run.experiment.strategy.clone()).or_default();
        cell.by_seed.insert(run.experiment.seed, *value);
        for ((sum, count), column) in cell.shown.iter_mut().zip(shown()) {
            if let Some(value) = (column.value)(&run.result).and_then(|figure| figure.number()) {
                *sum += value;
                *count += 1;
            }
        }
    }

    fn higher(&self) -> bool {
        direction(&self.standing.metric) == Direction::Higher
    }

    fn ratio(&self, cell: &Cell, other: &Cell) -> Option<Ratio> {
        let ratio = |own: f64, other: f64| if self.higher() { own / other } else { other / own };
        let ratios: Vec<f64> = cell
            .by_seed
            .iter()
            .filter_map(|(seed, own)| Some(ratio(*own, *other.by_seed.get(seed)?)))
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
            .collect();
        let (low, high) = (quantile(&ratios, 0.05)?, quantile(&ratios, 0.95)?);
        Some(Ratio { mean: geometric_mean(&ratios)?, low, high })
    }

    /// The best of the sound strategies that pay for Dynamic PAMT.
    fn best<'s>(&self, scenario: &'s Scenario) -> Option<&'s Cell> {
        let competes = |strategy: &str| info(strategy).is_some_and(competes);
        let mut cells = scenario.iter().filter(|(strategy, _)| competes(strategy));
        let (_, first) = cells.next()?;
        Some(cells.fold(first, |best, (_, cell)| {
            let ahead = self.ratio(cell, best).is_some_and(|ratio| ratio.mean > 1.0);
            if ahead { cell } else { best }
        }))
    }

    fn overall(&self, strategy: &str) -> Option<Overall> {
        let info = info(strategy)?;
        let (mut ratios, mut worse_in, mut behind_percent) = (Vec::new(), 0, 0.0_f64);
        let mut worst: Option<(f64, String)> = None;
        for (name, scenario) in &self.scenarios {
            let own = scenario.get(strategy)?;
            let ratio = self.ratio(own, scenario.get(&self.standing.against)?)?;
            ratios.push(ratio.mean);
            worse_in += usize::from(ratio.high < 1.0);
            if worst.as_ref().is_none_or(|(least, _)| ratio.mean < *least) {
                worst = Some((ratio.mean, name.clone()));
            }
            let best = self.best(scenario).and_then(|best| self.ratio(own, best));
            behind_percent = behind_percent.max(best.map_or(0.0, |best| 100.0 * (1.0 - best.mean)));
        }
        let mean = geometric_mean(&ratios)?;
        let strategy = strategy.to_owned();
        Some(Overall { strategy, info, mean, worst: worst?, worse_in, behind_percent })
    }

    /// All strategies over all scenarios, the best mean first.
    fn overalls(&self) -> Vec<Overall> {
        let first = self.scenarios.values().next();
        let strategies = first.into_iter().flat_map(BTreeMap::keys);
        let mut rows: Vec<_> = strategies.filter_map(|strategy| self.overall(strategy)).collect();
        rows.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        rows
    }

    /// A table over all scenarios and one for each, as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let Standing { against, metric } = self.standing;
        let seeds = self.scenarios.values().flat_map(BTreeMap::values);
        let seeds = seeds.map(|cell| cell.by_seed.len()).min().unwrap_or(0);
        let mut text = format!(
            "Modelled: {metric} against `{against}` in {} scenarios, {seeds} seeds each, compared seed by \
             seed. `=` is the floor (module in static mode), `!` known-unsound without splits.\n\n",
            self.scenarios.len()
        );
        text.push_str(
            "| strategy | geometric mean | worst scenario | worse beyond seed noise in | behind the best \
             sound one by at most | sound without splits | with splits | memory |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for row in self.overalls() {
            let _ = writeln!(
                text,
                "| {}{} | {:.3} | {:.3} ({}) | {} | {:.1} % | {} | {} | {} |",
                mark(row.info),
                row.strategy,
                row.mean,
                row.worst.0,
                row.worst.1,
                row.worse_in,
                row.behind_percent,
                verdict(row.info.scope_4k),
                verdict(row.info.scope_split),
                row.info.memory
            );
        }
        for (name, scenario) in &self.scenarios {
            self.scenario_table(&mut text, name, scenario);
        }
        text
    }

    fn scenario_table(&self, text: &mut String, name: &str, scenario: &Scenario) {
        let heads: Vec<String> = shown().map(|column| column.header.to_owned()).collect();
        let _ = writeln!(
            text,
            "\n### {name}\n\n| strategy | ratio | 90 % of seeds | {} |",
            heads.join(" | ")
        );
        let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(heads.len()));
        let against = scenario.get(&self.standing.against);
        let mut rows: Vec<_> = scenario
            .iter()
            .filter_map(|(strategy, cell)| Some((strategy, cell, self.ratio(cell, against?)?)))
            .collect();
        rows.sort_by(|a, b| b.2.mean.total_cmp(&a.2.mean));
        for (strategy, cell, ratio) in rows {
            let mark = info(strategy).map_or("", mark);
            let cells: Vec<String> = shown().zip(cell.shown).map(|(c, sum)| mean(c, sum)).collect();
            let _ = writeln!(
                text,
                "| {mark}{strategy} | {:.3} | {:.3} to {:.3} | {} |",
                ratio.mean,
                ratio.low,
                ratio.high,
                cells.join(" | ")
            );
        }
    }
}

fn shown() -> impl Iterator<Item = &'static Column<RunResult>> {
    SHOWN.iter().filter_map(|id| columns::find(RUN, id))
}

/// A column's mean over the seeds; empty where no run has it.
fn mean(column: &Column<RunResult>, (sum, count): (f64, u32)) -> String {
    let mean = sum / f64::from(count);
    if count == 0 { String::new() } else { column.unit.show(&Figure::from(mean)) }
}

fn info(strategy: &str) -> Option<&'static StrategyInfo> {
    StrategySpec::parse(strategy).ok().map(|spec| spec.info())
}

fn competes(info: &StrategyInfo) -> bool {
    info.module == ModuleMode::Dynamic && !info.known_unsound()
}

fn mark(info: &StrategyInfo) -> &'static str {
    match info.module {
        ModuleMode::Static => "= ",
        ModuleMode::Dynamic if info.known_unsound() => "! ",
        ModuleMode::Dynamic => "",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sound => "yes",
        Verdict::Unsound(_) => "no",
    }
}
