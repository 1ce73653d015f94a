//! All strategies side by side.

use super::{Page, pointer};
use crate::columns::RUN;
use crate::figure::Unit;
use crate::html::block::{Block, Section};
use crate::html::table::{RowOf, TableView};
use crate::plot::{Bar, Bars, Segment};
use crate::scenario::Cell;
use crate::schema::Verdict;

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let winner = page.scenario.winner().map(Cell::strategy);
    let rows = page.scenario.cells.iter().map(|cell| RowOf {
        labels: vec![cell.strategy().to_owned(), runs(cell)],
        pointer: pointer(cell),
        row: cell.result(),
        class: class(cell, winner),
    });
    let rows: Vec<_> = rows.collect();
    let caption = format!(
        "Throughput in {}/s. Green: most work of the sound strategies. Grey: the floor, which takes no \
         page pair. Yellow: known to be unsound, whether this run shows it or not. Red: invariants broke. \
         Of several runs the median one by throughput is \
         shown, with the least and the most of all.",
        page.scenario.work_unit()
    );
    let columns: Vec<_> = RUN.iter().collect();
    let table =
        TableView::of(page.id("strategies"), caption, &["strategy", "runs"], &columns, &rows);
    let blocks = table.map(Block::Table).into_iter().chain(bars(page));
    Section::new(page.id("comparison"), "Strategies", blocks.collect())
}

fn class(cell: &Cell<'_>, winner: Option<&str>) -> &'static str {
    match cell.result().correctness.verdict {
        Verdict::Violations => "bad",
        Verdict::ExpectedViolations => "warn",
        Verdict::Clean if cell.result().correctness.known_unsound => "warn",
        Verdict::Clean if winner == Some(cell.strategy()) => "winner",
        Verdict::Clean if cell.is_floor() => "floor",
        Verdict::Clean => "",
    }
}

fn runs(cell: &Cell<'_>) -> String {
    if cell.runs.len() == 1 {
        return "1".to_owned();
    }
    let (low, high) = cell.spread();
    let show = |rate: f64| Unit::PerSecond.show(&rate.into());
    format!("{} ({} to {})", cell.runs.len(), show(low), show(high))
}

fn bars(page: &Page<'_>) -> Option<Block> {
    let unit = page.scenario.work_unit();
    let bar = |cell: &Cell<'_>| {
        let shown = format!("{}/s", Unit::PerSecond.show(&cell.rate().into()));
        let segment = Segment { part: 0, value: cell.rate(), shown: shown.clone() };
        Bar { name: cell.strategy().to_owned(), segments: vec![segment], shown }
    };
    let bars = Bars {
        title: format!("Throughput in {unit} per second, more is better"),
        desc: page.basis(),
        parts: vec![format!("{unit} per second")],
        bars: page.scenario.cells.iter().map(bar).collect(),
    };
    let svg = bars.svg()?;
    let caption = format!("{}. {}", bars.title, bars.desc);
    Some(Block::Figure { id: page.id("throughput"), svg, caption, commands: page.commands() })
}
