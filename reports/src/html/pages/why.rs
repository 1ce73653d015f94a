//! Why one strategy beats another: the CPU time of a unit of work, part by part.

use super::Page;
use crate::figure::Unit;
use crate::html::block::{Block, Section};
use crate::html::table::{Entry, TableView};
use crate::scenario::{Cell, all_parts};

/// Parts that explain less than this share of the difference are left out.
const SHOWN: f64 = 0.01;

/// Time of each part for a unit of work, in ns.
fn costs(cell: &Cell<'_>) -> Option<Vec<(String, f64)>> {
    let work = cell.result().throughput.as_ref().filter(|t| t.count > 0)?.count as f64;
    let parts = all_parts(cell.result());
    let costs = parts.into_iter().map(|part| (part.name, part.total_ns as f64 / work));
    Some(costs.collect::<Vec<_>>()).filter(|costs| !costs.is_empty())
}

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let winner = page.scenario.winner()?;
    let best = costs(winner)?;
    let others = page.scenario.cells.iter().filter(|cell| cell.strategy() != winner.strategy());
    let mut rows = Vec::new();
    for cell in others {
        rows.extend(costs(cell).iter().flat_map(|costs| differences(cell, costs, &best)));
    }
    let caption = format!(
        "CPU time for each of the {} beyond that of {}, by part: self times of all CPUs over the work \
         done. Parts with less than {} of the difference are left out.",
        page.scenario.work_unit(),
        winner.strategy(),
        Unit::Share.show(&SHOWN.into()),
    );
    let heads =
        ["strategy", "part", "its time", "winner's time", "difference", "of the difference"];
    let table = TableView::made(page.id("why-table"), caption, &heads, rows);
    let heading = format!("Why {} beats the others", winner.strategy());
    Section::new(page.id("why"), &heading, table.map(Block::Table).into_iter().collect())
}

fn differences(
    cell: &Cell<'_>,
    costs: &[(String, f64)],
    best: &[(String, f64)],
) -> Vec<Vec<Entry>> {
    let of = |list: &[(String, f64)], name: &str| {
        list.iter().find(|(part, _)| part == name).map_or(0.0, |(_, ns)| *ns)
    };
    let mut names: Vec<&str> = costs.iter().chain(best).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let total: f64 = names.iter().map(|name| (of(costs, name) - of(best, name)).abs()).sum();
    let mut parts: Vec<(&str, f64, f64)> =
        names.into_iter().map(|name| (name, of(costs, name), of(best, name))).collect();
    parts.sort_by(|a, b| (b.1 - b.2).abs().total_cmp(&(a.1 - a.2).abs()).then(a.0.cmp(b.0)));
    let shown = parts.into_iter().filter(|(_, its, best)| (its - best).abs() >= SHOWN * total);
    let row = |(name, its, best): (&str, f64, f64)| {
        let share = (its - best).abs() / total.max(f64::MIN_POSITIVE);
        vec![
            Entry::from(cell.strategy()),
            name.into(),
            Entry::of(Unit::Ns, its),
            Entry::of(Unit::Ns, best),
            Entry::of(Unit::SignedNs, its - best),
            Entry::of(Unit::Share, share),
        ]
    };
    shown.filter(|(_, its, best)| its != best).map(row).collect()
}
