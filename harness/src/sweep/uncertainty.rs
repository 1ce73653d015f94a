//! What the uncertain values of a machine leave of a ranking.
//!
//! Within each draw a strategy's figure is its mean over the seeds. Over the draws there is then the 90 %
//! interval of each figure, the share of draws in which each strategy wins, and the share in which the
//! whole order is the commonest one. The tornado compares, for each parameter, the lead of the winner
//! over the runner-up between the draws in the lowest and in the highest third of its range: a
//! parameter whose thirds have different winners could flip the ranking.

use std::collections::{BTreeMap, BTreeSet};

use pamt_reports::columns::Direction;
use pamt_reports::compare::{direction, metrics_of};
use pamt_reports::schema::{Experiment, Ranking, Run, StrategyRow, TornadoRow};
use pamt_reports::stats::{Interval, quantile};
use serde_json::Value;

use super::collect::Watch;
use super::job::Job;
use super::plan::Uncertainty;

/// Figures of one scenario: strategy -> draw -> values of its seeds.
type Figures = BTreeMap<String, BTreeMap<u32, Vec<f64>>>;

/// Collects figures run by run.
#[derive(Debug, Default)]
pub struct Report {
    metric: String,
    /// Parameters that are drawn beside the machine's.
    drawn: BTreeSet<String>,
    scenarios: BTreeMap<String, Figures>,
    /// draw -> parameter -> value, as far as seen.
    draws: BTreeMap<String, BTreeMap<u32, BTreeMap<String, f64>>>,
}

impl Report {
    /// An empty report of what was drawn.
    #[must_use]
    pub fn new(uncertainty: &Uncertainty) -> Self {
        let drawn = uncertainty.ranges.keys().cloned().collect();
        Self { metric: uncertainty.metric.clone(), drawn, ..Self::default() }
    }

    /// Adds a run; runs without draw or metric are left out.
    pub(super) fn add(&mut self, job: &Job, run: &Run) {
        let Some(draw) = job.draw else { return };
        let Some(value) = metrics_of(&run.result).get(&self.metric).copied() else { return };
        let scenario = scenario(&run.experiment, &job.experiment, &self.drawn);
        let values = self.draws.entry(scenario.clone()).or_default().entry(draw).or_default();
        values.extend(parameters(&job.experiment, &self.drawn));
        let figures = self.scenarios.entry(scenario).or_default();
        let strategy = figures.entry(run.experiment.strategy.clone()).or_default();
        strategy.entry(draw).or_default().push(value);
    }

    /// The ranking of each scenario.
    #[must_use]
    pub fn rankings(&self) -> Vec<Ranking> {
        let higher = direction(&self.metric) == Direction::Higher;
        let draws = |scenario: &str| self.draws.get(scenario).cloned().unwrap_or_default();
        self.scenarios
            .iter()
            .map(|(name, figures)| rank(name, &self.metric, higher, figures, &draws(name)))
            .collect()
    }
}

impl Watch for Report {
    fn collected(&mut self, job: &Job, run: &Run) {
        self.add(job, run);
    }

    fn rankings(&self) -> Vec<Ranking> {
        Self::rankings(self)
    }
}

/// Everything but strategy, seed and the drawn values; of the workload's parameters those given.
pub(super) fn scenario(experiment: &Experiment, given: &Value, drawn: &BTreeSet<String>) -> String {
    let mut words = vec![experiment.workload.clone(), experiment.machine.clone()];
    let sizes = [("tds", experiment.tds), ("vcpus", experiment.vcpus)];
    let sizes = sizes.into_iter().chain([("memory_bytes", experiment.memory_bytes)]);
    words.extend(sizes.filter_map(|(name, size)| Some(format!("{name}={}", size?))));
    let pages = [("placement", &experiment.placement), ("pamt_pages", &experiment.pamt_pages)];
    words.extend(pages.into_iter().filter_map(|(name, v)| Some(format!("{name}={}", v.as_ref()?))));
    let fixed = |name: &str| !name.starts_with("machine.") && !drawn.contains(name);
    let set = given["set"].as_object().into_iter().flatten().filter(|(name, _)| fixed(name));
    words.extend(set.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("?"))));
    words.join(" ")
}

/// Drawn values of an experiment: those of its `set` that are of the machine, and the plan's own.
fn parameters(experiment: &Value, drawn: &BTreeSet<String>) -> Vec<(String, f64)> {
    let set = experiment["set"].as_object().into_iter().flatten();
    let values = set.filter_map(|(name, value)| {
        let number =
            value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_f64())?;
        let is_drawn = name.starts_with("machine.") || drawn.contains(name);
        is_drawn.then(|| (name.clone(), number))
    });
    values.collect()
}

/// Ranks the strategies of one scenario.
#[must_use]
pub fn rank(
    scenario: &str,
    metric: &str,
    higher: bool,
    figures: &Figures,
    draws: &BTreeMap<u32, BTreeMap<String, f64>>,
) -> Ranking {
    let means: BTreeMap<&str, BTreeMap<u32, f64>> = figures
        .iter()
        .map(|(strategy, by_draw)| {
            (
                strategy.as_str(),
                by_draw.iter().map(|(draw, values)| (*draw, mean(values))).collect(),
            )
        })
        .collect();
    // Only draws that all strategies have can be ranked.
    let common: Vec<u32> = draws
        .keys()
        .copied()
        .filter(|draw| means.values().all(|by_draw| by_draw.contains_key(draw)))
        .collect();
    let orders: Vec<Vec<&str>> = common.iter().map(|draw| order(&means, *draw, higher)).collect();
    let mut strategies: Vec<StrategyRow> = means
        .iter()
        .filter_map(|(name, by_draw)| strategy_row(name, by_draw, &figures[*name], &orders))
        .collect();
    strategies.sort_by(|a, b| better(a.median, b.median, higher));
    let shown: Vec<&str> = strategies.iter().map(|row| row.strategy.as_str()).collect();
    let order_share = share(&orders, |order| *order == shown);
    let tornado = tornado(&means, &shown, &common, draws, higher);
    let seeds = figures.values().flat_map(|by_draw| by_draw.values().map(Vec::len)).min();
    Ranking {
        scenario: scenario.to_owned(),
        metric: metric.to_owned(),
        draws: common.len(),
        seeds: seeds.unwrap_or(0),
        order_share,
        strategies,
        tornado,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn better(a: f64, b: f64, higher: bool) -> std::cmp::Ordering {
    if higher { b.total_cmp(&a) } else { a.total_cmp(&b) }
}

fn order<'a>(
    means: &BTreeMap<&'a str, BTreeMap<u32, f64>>,
    draw: u32,
    higher: bool,
) -> Vec<&'a str> {
    let mut order: Vec<(&str, f64)> =
        means.iter().map(|(name, by_draw)| (*name, by_draw[&draw])).collect();
    order.sort_by(|a, b| better(a.1, b.1, higher));
    order.into_iter().map(|(name, _)| name).collect()
}

fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len().max(1) as f64
}

fn strategy_row(
    name: &str,
    by_draw: &BTreeMap<u32, f64>,
    figures: &BTreeMap<u32, Vec<f64>>,
    orders: &[Vec<&str>],
) -> Option<StrategyRow> {
    let means: Vec<f64> = by_draw.values().copied().collect();
    let spreads: Vec<f64> = figures
        .values()
        .filter_map(|values| {
            let half = (quantile(values, 0.95)? - quantile(values, 0.05)?) / 2.0;
            Some(100.0 * half / mean(values).abs().max(f64::MIN_POSITIVE))
        })
        .collect();
    Some(StrategyRow {
        strategy: name.to_owned(),
        median: quantile(&means, 0.5)?,
        interval: Interval { low: quantile(&means, 0.05)?, high: quantile(&means, 0.95)? },
        seed_spread_percent: mean(&spreads),
        wins_share: share(orders, |order| order.first() == Some(&name)),
    })
}

/// Lead of the best over the second, in percent of the second, by thirds of each parameter.
fn tornado(
    means: &BTreeMap<&str, BTreeMap<u32, f64>>,
    shown: &[&str],
    common: &[u32],
    draws: &BTreeMap<u32, BTreeMap<String, f64>>,
    higher: bool,
) -> Vec<TornadoRow> {
    let [best, second, ..] = shown else { return Vec::new() };
    let lead = |draw: u32| {
        let (best, second) = (means[best][&draw], means[second][&draw]);
        100.0 * if higher { best / second - 1.0 } else { second / best - 1.0 }
    };
    let mut names: Vec<&String> = draws.values().flat_map(BTreeMap::keys).collect();
    names.sort_unstable();
    names.dedup();
    let mut rows: Vec<TornadoRow> = names
        .into_iter()
        .filter_map(|name| {
            let mut by_value: Vec<(f64, u32)> =
                common.iter().filter_map(|draw| Some((*draws[draw].get(name)?, *draw))).collect();
            by_value.sort_by(|a, b| a.0.total_cmp(&b.0));
            let third = by_value.len() / 3;
            let mean_lead = |part: &[(f64, u32)]| {
                mean(&part.iter().map(|(_, draw)| lead(*draw)).collect::<Vec<_>>())
            };
            (third > 0).then(|| {
                let low = mean_lead(&by_value[..third]);
                let high = mean_lead(&by_value[by_value.len() - third..]);
                TornadoRow {
                    parameter: name.clone(),
                    low_lead_percent: low,
                    high_lead_percent: high,
                    flips: (low < 0.0) != (high < 0.0),
                }
            })
        })
        .collect();
    let swing = |row: &TornadoRow| (row.high_lead_percent - row.low_lead_percent).abs();
    rows.sort_by(|a, b| swing(b).total_cmp(&swing(a)).then_with(|| a.parameter.cmp(&b.parameter)));
    rows
}
