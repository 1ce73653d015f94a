//! Where the time goes: self times of nested operations, whole and within a get, a put or a fault.

use super::Page;
use crate::figure::{self, Unit};
use crate::html::block::{Block, Blocks, Section};
use crate::html::table::{Entry, TableView};
use crate::plot::{Bar, Bars, Segment};
use crate::scenario::{Cell, Part, all_parts, split};

/// Parts with a colour of their own; smaller ones are together in `rest`.
const PARTS: usize = 10;

/// Operations that are split.
const SPLIT: [&str; 5] = ["pamt_get", "pamt_put", "fault", "page_reclaim", "page_removal"];

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let mut blocks = Vec::new();
    let whole = page.scenario.cells.iter().map(|cell| (cell, all_parts(cell.result()), 1));
    let whole: Vec<_> = whole.filter(|(_, parts, _)| !parts.is_empty()).collect();
    blocks.extend(stacked(page, "time-all", "Where the time goes, all CPUs together", &whole));
    for op in SPLIT {
        let parts = |cell: &Cell<'_>| {
            let count = cell.result().ops.get(op).map(|row| row.count).filter(|n| *n > 0)?;
            Some((split(cell.result(), op), count))
        };
        let cells: Vec<_> = page
            .scenario
            .cells
            .iter()
            .filter_map(|cell| parts(cell).map(|(parts, count)| (cell, parts, count)))
            .collect();
        let title = format!("What a mean {op} consists of");
        blocks.extend(stacked(page, &format!("time-{op}"), &title, &cells));
    }
    Section::new(page.id("time"), "Where the time goes", blocks)
}

type Split<'s, 'a> = (&'s Cell<'a>, Vec<Part>, u64);

/// Bars and the same as a table.
fn stacked(page: &Page<'_>, id: &str, title: &str, cells: &[Split<'_, '_>]) -> Vec<Block> {
    let names = names(cells);
    let bars = cells.iter().map(|(cell, parts, count)| bar(cell, parts, *count, &names)).collect();
    let bars = Bars { title: title.to_owned(), desc: page.basis(), parts: names, bars };
    let Some(svg) = bars.svg() else { return Vec::new() };
    let caption = format!("{title}: self times, so that the parts add up. {}", page.basis());
    let figure = Block::Figure { id: page.id(id), svg, caption, commands: page.commands() };
    let rows = cells.iter().flat_map(|(cell, parts, count)| {
        let all: u64 = parts.iter().map(|part| part.total_ns).sum();
        parts.iter().map(move |part| {
            let share = part.total_ns as f64 / all.max(1) as f64;
            let mean = part.total_ns as f64 / *count as f64;
            vec![
                Entry::from(cell.strategy()),
                part.name.as_str().into(),
                Entry::of(Unit::Ns, mean),
                Entry::of(Unit::Share, share),
            ]
        })
    });
    let caption =
        format!("{title}. Self times from result.spans, summed by the innermost operation.");
    let heads = ["strategy", "part", "time", "share"];
    let table = TableView::made(page.id(&format!("{id}-table")), caption, &heads, rows.collect());
    let fold = table.map(|table| Block::Fold {
        summary: format!("{title}, in numbers"),
        inner: Blocks::new(vec![Block::Table(table)]),
    });
    std::iter::once(figure).chain(fold).collect()
}

/// The greatest parts over all cells, and `rest` where there are more.
fn names(cells: &[Split<'_, '_>]) -> Vec<String> {
    let mut totals: Vec<(String, f64)> = Vec::new();
    for (_, parts, count) in cells {
        for part in parts {
            let mean = part.total_ns as f64 / *count as f64;
            match totals.iter_mut().find(|(name, _)| *name == part.name) {
                Some((_, total)) => *total += mean,
                None => totals.push((part.name.clone(), mean)),
            }
        }
    }
    totals.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let more = totals.len() > PARTS;
    let mut names: Vec<String> = totals.into_iter().take(PARTS).map(|(name, _)| name).collect();
    if more {
        names.push("rest".to_owned());
    }
    names
}

fn bar(cell: &Cell<'_>, parts: &[Part], count: u64, names: &[String]) -> Bar {
    let mean = |ns: u64| ns as f64 / count as f64;
    let segments = names.iter().enumerate().filter_map(|(index, name)| {
        let inside = |part: &&Part| match name.as_str() {
            "rest" => !names.contains(&part.name),
            name => part.name == name,
        };
        let ns: u64 = parts.iter().filter(inside).map(|part| part.total_ns).sum();
        let shown = figure::time(mean(ns));
        (ns > 0).then(|| Segment { part: index, value: mean(ns), shown })
    });
    let all: u64 = parts.iter().map(|part| part.total_ns).sum();
    Bar {
        name: cell.strategy().to_owned(),
        segments: segments.collect(),
        shown: figure::time(mean(all)),
    }
}
