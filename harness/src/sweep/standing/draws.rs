//! What the uncertain values of a machine leave of the standings.
//!
//! In each draw a strategy has its geometric mean over all scenarios, taken seed by seed as without
//! draws. Over the draws there is then the median of it, what nine of ten draws give, and the share of
//! draws in which the strategy is first among the sound ones that pay for Dynamic PAMT.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pamt_reports::stats::{geometric_mean, quantile};

use super::{Scenarios, Standings, competes, info, mark};

/// A strategy over all draws.
#[derive(Clone, Debug, Default)]
struct Row {
    /// Its geometric mean in each draw.
    means: Vec<f64>,
    /// Draws in which it is first.
    first: u32,
    /// Lowest ratio of any scenario of any draw.
    worst: Option<f64>,
}

impl Row {
    fn add(&mut self, ratios: &[f64], mean: f64) {
        self.means.push(mean);
        let worst = ratios.iter().copied().chain(self.worst).min_by(f64::total_cmp);
        self.worst = worst;
    }
}

impl Standings<'_> {
    /// The ratio of a strategy in each of `scenarios`; nothing if one lacks it.
    fn ratios(&self, scenarios: &Scenarios, strategy: &str) -> Option<Vec<f64>> {
        let ratio = |scenario: &super::Scenario| {
            let against = scenario.get(&self.standing.against)?;
            Some(self.ratio(scenario.get(strategy)?, against)?.mean)
        };
        scenarios.values().map(ratio).collect()
    }

    fn over_draws(&self) -> BTreeMap<&str, Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for scenarios in self.draws.values() {
            let first = scenarios.values().next();
            let mut best: Option<(f64, &str)> = None;
            for strategy in first.into_iter().flat_map(BTreeMap::keys) {
                let Some(ratios) = self.ratios(scenarios, strategy) else { continue };
                let Some(mean) = geometric_mean(&ratios) else { continue };
                rows.entry(strategy).or_default().add(&ratios, mean);
                let ahead = best.is_none_or(|(most, _)| mean > most);
                if ahead && info(strategy).is_some_and(competes) {
                    best = Some((mean, strategy));
                }
            }
            if let Some(row) = best.and_then(|(_, strategy)| rows.get_mut(strategy)) {
                row.first += 1;
            }
        }
        rows
    }

    /// A table over all draws, as Markdown; nothing if the plan has none.
    #[must_use]
    pub fn draws_to_markdown(&self) -> Option<String> {
        let mut rows: Vec<_> = self
            .over_draws()
            .into_iter()
            .filter_map(|(strategy, row)| Some((quantile(&row.means, 0.5)?, strategy, row)))
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        if rows.is_empty() {
            return None;
        }
        let cells = self.draws.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        let seeds = cells.map(|cell| cell.by_seed.len()).min().unwrap_or(0);
        let mut text = format!(
            "Under {} draws of every uncertain value of the machine, {seeds} seeds in each, geometric mean \
             over the scenarios against `{}`. *First* is among the sound strategies of this table.\n\n\
             | strategy | median | 90 % of draws | first in | worst scenario of any draw |\n\
             |---|---|---|---|---|\n",
            self.draws.len(),
            self.standing.against,
        );
        for (median, strategy, row) in rows {
            let at = |level| quantile(&row.means, level).unwrap_or(f64::NAN);
            let share = 100.0 * f64::from(row.first) / row.means.len() as f64;
            let _ = writeln!(
                text,
                "| {}{strategy} | {median:.3} | {:.3} to {:.3} | {share:.1} % | {:.3} |",
                info(strategy).map_or("", mark),
                at(0.05),
                at(0.95),
                row.worst.unwrap_or(f64::NAN),
            );
        }
        Some(text)
    }
}
