//! What a strategy costs in memory.

use super::{Page, pointer};
use crate::columns::MEMORY;
use crate::figure;
use crate::html::block::{Block, Section};
use crate::html::plots::Plots;
use crate::html::table::{RowOf, TableView};
use crate::plot::{Axis, Chart, Scale, Series, Unit};

pub(super) fn section(page: &Page<'_>, plots: &mut Plots) -> Option<Section> {
    let rows = page.scenario.cells.iter().map(|cell| RowOf {
        labels: vec![cell.strategy().to_owned()],
        pointer: format!("{}/memory", pointer(cell)),
        row: &cell.result().memory,
        class: "",
    });
    let rows: Vec<_> = rows.collect();
    let columns: Vec<_> =
        MEMORY.iter().filter(|c| rows.iter().any(|r| (c.value)(r.row).is_some())).collect();
    if columns.is_empty() {
        return None;
    }
    let caption = "Pages are of 4 KiB.".to_owned();
    let table = TableView::of(page.id("memory-table"), caption, &["strategy"], &columns, &rows);
    let mut blocks: Vec<Block> = table.map(Block::Table).into_iter().collect();
    blocks.extend(plots.figure(page.id("memory-time"), &over_time(page), page.commands()));
    Section::new(page.id("memory"), "Memory", blocks)
}

fn over_time(page: &Page<'_>) -> Chart {
    let series = page.scenario.cells.iter().map(|cell| {
        let samples = cell.result().memory.samples.iter();
        let points = samples.map(|s| (s.at_ns as f64, s.pamt_pages as f64)).collect();
        Series { name: cell.strategy().to_owned(), points, marked: false }
    });
    Chart {
        title: "PAMT pages that the module holds over time".into(),
        desc: format!("Both axes start at 0. {}", page.basis()),
        x: Axis { label: "time".into(), scale: Scale::Linear, unit: Unit::In(figure::Unit::Ns) },
        y: Axis {
            label: "pages".into(),
            scale: Scale::Linear,
            unit: Unit::In(figure::Unit::Pages),
        },
        series: series.filter(|series| !series.points.is_empty()).collect(),
    }
}
