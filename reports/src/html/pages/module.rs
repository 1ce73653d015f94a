//! What the TDX module answered: BUSY by leaf and operand, all statuses, retries.

use std::collections::BTreeMap;

use super::Page;
use crate::figure::Unit;
use crate::html::block::{Block, Blocks, Section};
use crate::html::table::{Entry, TableView};
use crate::schema::RunResult;

type Counts = BTreeMap<String, BTreeMap<String, u64>>;

fn rows(page: &Page<'_>, counts: fn(&RunResult) -> &Counts) -> Vec<Vec<Entry>> {
    let mut rows = Vec::new();
    for cell in &page.scenario.cells {
        for (leaf, inner) in counts(cell.result()) {
            for (name, count) in inner {
                rows.push(vec![
                    cell.strategy().into(),
                    leaf.as_str().into(),
                    name.as_str().into(),
                    Entry::of(Unit::Count, *count),
                ]);
            }
        }
    }
    rows
}

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let busy = TableView::made(
        page.id("busy-table"),
        "TDX_OPERAND_BUSY by leaf and by the operand that the module blames.".into(),
        &["strategy", "leaf", "operand", "BUSY"],
        rows(page, |result| &result.busy),
    );
    let statuses = TableView::made(
        page.id("statuses"),
        "Every status that a leaf returned.".into(),
        &["strategy", "leaf", "status", "count"],
        rows(page, |result| &result.statuses),
    );
    let cells = &page.scenario.cells;
    let retries = cells.iter().flat_map(|cell| {
        let row = |(op, count): (&String, &u64)| {
            vec![cell.strategy().into(), op.as_str().into(), Entry::of(Unit::Count, *count)]
        };
        cell.result().retries.iter().map(row)
    });
    let retries = TableView::made(
        page.id("retries"),
        "Operations that a strategy did again after BUSY or a lost race.".into(),
        &["strategy", "operation", "retries"],
        retries.collect(),
    );
    let mut blocks: Vec<Block> = busy.map(Block::Table).into_iter().collect();
    blocks.extend(retries.map(Block::Table));
    if blocks.is_empty() && statuses.is_some() {
        blocks.push(Block::Text("No leaf returned BUSY and nothing was done again.".into()));
    }
    blocks.extend(statuses.map(|table| Block::Fold {
        summary: "All statuses".into(),
        inner: Blocks::new(vec![Block::Table(table)]),
    }));
    Section::new(page.id("busy"), "BUSY and other statuses", blocks)
}
