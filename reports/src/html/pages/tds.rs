//! Fairness and victims: TDs and CPUs that got less than others.

use super::{Page, pointer};
use crate::columns::TD;
use crate::figure::Unit;
use crate::html::block::{Block, Blocks, Section};
use crate::html::table::{Entry, RowOf, TableView};
use crate::scenario::Cell;

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let spread = TableView::made(
        page.id("td-spread"),
        "The TDs of a run from the first to be done to the last.".into(),
        &["strategy", "TDs", "first done", "last done", "last / first", "last TD"],
        page.scenario.cells.iter().filter_map(spread).collect(),
    );
    let mut blocks: Vec<Block> = spread.map(Block::Table).into_iter().collect();
    let mut rows = Vec::new();
    for cell in &page.scenario.cells {
        rows.extend(cell.result().tds.iter().enumerate().map(|(index, row)| RowOf {
            labels: vec![cell.strategy().to_owned()],
            pointer: format!("{}/tds/{index}", pointer(cell)),
            row,
            class: "",
        }));
    }
    let columns: Vec<_> = TD.iter().collect();
    let caption = "Each TD of the run shown.".to_owned();
    let table = TableView::of(page.id("td-table"), caption, &["strategy"], &columns, &rows);
    blocks.extend(table.map(|table| Block::Fold {
        summary: "Each TD".into(),
        inner: Blocks::new(vec![Block::Table(table)]),
    }));
    Section::new(page.id("tds"), "Fairness and victims", blocks)
}

fn spread(cell: &Cell<'_>) -> Option<Vec<Entry>> {
    let tds = &cell.result().tds;
    let first = tds.iter().min_by_key(|td| td.elapsed_ns)?;
    let last = tds.iter().max_by_key(|td| td.elapsed_ns)?;
    let ratio = last.elapsed_ns as f64 / first.elapsed_ns.max(1) as f64;
    Some(vec![
        cell.strategy().into(),
        Entry::of(Unit::Count, tds.len() as u64),
        Entry::of(Unit::Ns, first.elapsed_ns),
        Entry::of(Unit::Ns, last.elapsed_ns),
        Entry::of(Unit::Plain, ratio),
        Entry::of(Unit::Count, last.td),
    ])
}
