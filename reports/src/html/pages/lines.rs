//! Cache bouncing: perf c2c's line table and Pareto with objects and fields in place of symbols.

use super::{Page, below, transfers};
use crate::columns::{FIELD, LINE};
use crate::html::block::{Block, Blocks, Section};
use crate::html::table::{RowOf, TableView, without_zeroes};
use crate::scenario::Cell;
use crate::schema::{LineCounts, LineRow, ObjectRow};

/// Objects shown of each strategy; the result file has all.
const OBJECTS: usize = 8;
/// Lines shown of each strategy; the result file has more.
const LINES: usize = 8;
/// Lines whose fields are shown.
const PARETO_LINES: usize = 3;

fn by_heat<'a>(cell: &Cell<'a>) -> Vec<(&'a String, &'a ObjectRow)> {
    let mut objects: Vec<_> = cell.result().lines.iter().collect();
    let heat = |object: &ObjectRow| (object.counts.total_hitm(), object.counts.invalidations);
    objects.sort_by(|a, b| heat(b.1).cmp(&heat(a.1)).then_with(|| a.0.cmp(b.0)));
    objects
}

/// A line with its object and its place among the lines that are kept of it.
struct Hot<'a> {
    object: &'a String,
    index: usize,
    line: &'a LineRow,
}

impl Hot<'_> {
    fn pointer(&self, cell: &Cell<'_>) -> String {
        format!("{}/top/{}", below(cell, "lines", self.object), self.index)
    }
}

/// The `count` busiest lines of a cell.
fn hottest<'a>(cell: &Cell<'a>, count: usize) -> Vec<Hot<'a>> {
    let objects = cell.result().lines.iter();
    let mut lines: Vec<Hot<'a>> = objects
        .flat_map(|(object, row)| {
            row.top.iter().enumerate().map(move |(index, line)| Hot { object, index, line })
        })
        .collect();
    // A stable sort: lines of equal heat stay in the file's order.
    let heat = |hot: &Hot<'_>| (hot.line.counts.total_hitm(), hot.line.counts.invalidations);
    lines.sort_by_key(|hot| std::cmp::Reverse(heat(hot)));
    lines.truncate(count);
    lines
}

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let mut objects = Vec::new();
    let mut lines = Vec::new();
    for cell in &page.scenario.cells {
        for (name, object) in by_heat(cell).into_iter().take(OBJECTS) {
            let labels = vec![cell.strategy().to_owned(), name.clone()];
            let pointer = below(cell, "lines", name);
            objects.push(RowOf::<LineCounts> { labels, pointer, row: &object.counts, class: "" });
        }
        lines.extend(hottest(cell, LINES).into_iter().map(|hot| {
            let shared = hot.line.false_sharing == Some(true);
            RowOf {
                labels: vec![
                    cell.strategy().to_owned(),
                    hot.line.name(hot.object),
                    hot.line.node.map(|node| node.to_string()).unwrap_or_default(),
                    if shared { "yes" } else { "" }.to_owned(),
                ],
                pointer: hot.pointer(cell),
                row: &hot.line.counts,
                class: if shared { "warn" } else { "" },
            }
        }));
    }
    let (columns, zero) = without_zeroes(LINE, &objects);
    let by_object = TableView::of(
        page.id("objects"),
        format!(
            "The {OBJECTS} busiest objects of each strategy, all lines of each together; the result file has the \
             others.{zero}"
        ),
        &["strategy", "object"],
        &columns,
        &objects,
    );
    let (columns, zero) = without_zeroes(LINE, &lines);
    let by_line = TableView::of(
        page.id("line-table"),
        format!(
            "Shared Data Cache Line Table: the busiest lines of each strategy. False sharing: CPUs on \
             disjoint fields of the line, one of them writing.{zero}"
        ),
        &["strategy", "line", "node", "false sharing"],
        &columns,
        &lines,
    );
    let mut blocks: Vec<Block> = by_object.map(Block::Table).into_iter().collect();
    blocks.extend(by_line.map(Block::Table));
    blocks.extend(pareto(page));
    blocks.extend(page.scenario.cells.iter().filter_map(|cell| transfers::fold(page, cell)));
    Section::new(page.id("lines"), "Cache bouncing", blocks)
}

/// Accesses to the busiest lines by offset and field.
fn pareto(page: &Page<'_>) -> Option<Block> {
    let mut rows = Vec::new();
    for cell in &page.scenario.cells {
        for hot in hottest(cell, PARETO_LINES) {
            let (name, pointer) = (hot.line.name(hot.object), hot.pointer(cell));
            rows.extend(hot.line.fields.iter().enumerate().map(|(at, row)| RowOf {
                labels: vec![
                    cell.strategy().to_owned(),
                    name.clone(),
                    cpus(&row.readers),
                    cpus(&row.writers),
                ],
                pointer: format!("{pointer}/fields/{at}"),
                row,
                class: "",
            }));
        }
    }
    let columns: Vec<_> = FIELD.iter().collect();
    let caption = "Shared Cache Line Distribution Pareto: the three busiest lines by offset, with the \
                   field that lies there and the CPUs that read and wrote it.";
    let labels = ["strategy", "line", "readers", "writers"];
    let table = TableView::of(page.id("pareto"), caption.into(), &labels, &columns, &rows)?;
    let inner = Blocks::new(vec![Block::Table(table)]);
    Some(Block::Fold { summary: "Fields of the busiest lines".into(), inner })
}

/// CPU ids with runs as ranges: `0-3,8`.
fn cpus(ids: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for id in ids {
        match runs.last_mut().filter(|(_, last)| last + 1 == *id) {
            Some((_, last)) => *last = *id,
            None => runs.push((*id, *id)),
        }
    }
    let show = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(show).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::cpus;

    #[test]
    fn neighbouring_cpus_are_a_range() {
        assert_eq!(cpus(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(cpus(&[]), "");
    }
}
