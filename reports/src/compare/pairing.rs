//! Which run is compared with which.
//!
//! Cells pair by all their settings. A cell left over on one side is *incomparable* with one left over
//! on the other that has its strategy and workload (the settings that differ are named), else *missing*
//! or *new*. Within a modelled cell runs pair by seed and repetition, and the parts of their
//! comparability keys must be equal.

use std::collections::BTreeMap;

use super::row::{Row, Verdict};
use super::table::{Cell, Lane, Sample, Table, differing};
use crate::columns::Direction;

/// Runs of one cell that may be compared.
pub(super) struct Pair<'a> {
    pub(super) cell: &'a str,
    pub(super) lane: Lane,
    before_cell: &'a Cell,
    /// Pairs of equal seed and repetition, or for measured cells all samples of each side.
    pub(super) before: Vec<&'a Sample>,
    pub(super) after: Vec<&'a Sample>,
}

impl Pair<'_> {
    pub(super) fn direction(&self, metric: &str) -> Direction {
        self.before_cell.direction(metric)
    }
}

pub(super) struct Pairing<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    pub(super) rows: Vec<Row>,
}

pub(super) fn pair<'a>(before: &'a Table, after: &'a Table) -> Pairing<'a> {
    let mut pairing = Pairing { pairs: Vec::new(), rows: Vec::new() };
    for (label, cell) in &before.cells {
        if let Some(other) = after.cells.get(label) {
            pairing.pair_runs(label, cell, other);
        }
    }
    pairing.rows.extend(left_over(before, after));
    pairing
}

impl<'a> Pairing<'a> {
    fn pair_runs(&mut self, label: &'a str, before: &'a Cell, after: &'a Cell) {
        let lane = before.lane;
        let (old, new): (Vec<&Sample>, Vec<&Sample>) = match lane {
            Lane::Measured => (before.samples.iter().collect(), after.samples.iter().collect()),
            Lane::Modelled | Lane::Counted => {
                let pairs = same_seed(&before.samples, &after.samples);
                self.rows.extend(unmatched_seeds(label, before, after, pairs.len()));
                pairs.into_iter().unzip()
            }
        };
        let keys = differing_parts(&old, &new);
        if keys.is_empty() {
            let pair = Pair { cell: label, lane, before_cell: before, before: old, after: new };
            if !pair.before.is_empty() {
                self.pairs.push(pair);
            }
        } else {
            let reason = format!("{} differ: run both sides under equal ones", keys.join(", "));
            self.rows.push(Row::of_cell(label, lane, Verdict::Incomparable, reason));
        }
    }
}

fn same_seed<'a>(before: &'a [Sample], after: &'a [Sample]) -> Vec<(&'a Sample, &'a Sample)> {
    let by_seed: BTreeMap<(u64, u64), &Sample> =
        after.iter().map(|sample| ((sample.seed, sample.run), sample)).collect();
    let twin = |sample: &'a Sample| by_seed.get(&(sample.seed, sample.run)).map(|b| (sample, *b));
    before.iter().filter_map(twin).collect()
}

fn unmatched_seeds(label: &str, before: &Cell, after: &Cell, matched: usize) -> Option<Row> {
    let (gone, added) = (before.samples.len() - matched, after.samples.len() - matched);
    let seeds = |samples: &[Sample], others: &[Sample]| {
        let alone =
            samples.iter().filter(|a| !others.iter().any(|b| (a.seed, a.run) == (b.seed, b.run)));
        alone.map(|s| format!("{}.{}", s.seed, s.run)).collect::<Vec<_>>().join(", ")
    };
    let (old, new) =
        (seeds(&before.samples, &after.samples), seeds(&after.samples, &before.samples));
    let (verdict, reason) = match (gone, added) {
        (0, 0) => return None,
        (0, _) => (Verdict::New, format!("seed.run {new} only after")),
        (_, 0) => (Verdict::Missing, format!("seed.run {old} only before")),
        _ => (Verdict::Incomparable, format!("seed differs: {old} before, {new} after")),
    };
    Some(Row::of_cell(label, before.lane, verdict, reason))
}

fn differing_parts(before: &[&Sample], after: &[&Sample]) -> Vec<String> {
    let Some(first) = before.first() else { return Vec::new() };
    // Modelled runs are paired by seed already, measured ones must all be alike but for it.
    let mut keys: Vec<String> = before
        .iter()
        .chain(after)
        .flat_map(|sample| differing(&first.parts, &sample.parts))
        .filter(|key| key != "seed" && key != "run")
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Cells of one side only: incomparable with a relative of the other side, else missing or new.
fn left_over(before: &Table, after: &Table) -> Vec<Row> {
    let alone = |side: &'_ Table, other: &Table| -> Vec<(String, Cell)> {
        let only = side.cells.iter().filter(|(label, _)| !other.cells.contains_key(*label));
        only.map(|(label, cell)| (label.clone(), cell.clone())).collect()
    };
    let mut added = alone(after, before);
    let mut rows = Vec::new();
    for (label, cell) in alone(before, after) {
        let relative = added.iter().position(|(_, other)| related(&cell, other));
        let (verdict, reason) = match relative {
            Some(index) => {
                let (_, other) = added.remove(index);
                (Verdict::Incomparable, settings_that_differ(&cell, &other))
            }
            None => (Verdict::Missing, "only before".to_owned()),
        };
        rows.push(Row::of_cell(&label, cell.lane, verdict, reason));
    }
    rows.extend(added.into_iter().map(|(label, cell)| {
        Row::of_cell(&label, cell.lane, Verdict::New, "only after: there is no baseline".to_owned())
    }));
    rows
}

fn related(a: &Cell, b: &Cell) -> bool {
    ["strategy", "workload"].iter().all(|name| {
        a.identity.contains_key(*name) && a.identity.get(*name) == b.identity.get(*name)
    })
}

fn settings_that_differ(a: &Cell, b: &Cell) -> String {
    let value = |cell: &Cell, name: &str| {
        cell.identity.get(name).cloned().unwrap_or_else(|| "not set".to_owned())
    };
    let named = differing(&a.identity, &b.identity).into_iter().map(|name| {
        format!("{name} differs: {} before, {} after", value(a, &name), value(b, &name))
    });
    named.collect::<Vec<_>>().join("; ")
}
