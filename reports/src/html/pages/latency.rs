//! Distributions of the operations.

use super::{Page, below};
use crate::columns::OP;
use crate::figure;
use crate::html::block::{Block, Blocks, Section};
use crate::html::plots::Plots;
use crate::html::table::{RowOf, TableView};
use crate::plot::{Axis, Chart, Scale, Series, Unit};
use crate::schema::OpRow;

/// Operations with plots of their own.
const PLOTTED: [&str; 4] = ["pamt_get", "pamt_put", "fault", "page_reclaim"];
/// Points of a cumulative distribution.
const CDF_POINTS: usize = 100;
/// Points of a percentile plot for each factor of ten of the tail.
const TAIL_POINTS: usize = 10;

pub(super) fn section(page: &Page<'_>, plots: &mut Plots) -> Option<Section> {
    let mut blocks = Vec::new();
    for op in PLOTTED {
        blocks.extend(tail(page, op).and_then(|chart| {
            plots.figure(page.id(&format!("{op}-tail")), &chart, page.commands())
        }));
        let cdf = cdf(page, op)
            .and_then(|chart| plots.figure(page.id(&format!("{op}-cdf")), &chart, page.commands()));
        blocks.extend(cdf.map(|figure| Block::Fold {
            summary: format!("Cumulative distribution of {op}"),
            inner: Blocks::new(vec![figure]),
        }));
    }
    let mut rows = Vec::new();
    for cell in &page.scenario.cells {
        rows.extend(cell.result().ops.iter().map(|(name, row)| RowOf {
            labels: vec![cell.strategy().to_owned(), name.clone()],
            pointer: below(cell, "ops", name),
            row,
            class: "",
        }));
    }
    let columns: Vec<_> = OP.iter().collect();
    let caption = "Length of each operation and SEAMCALL leaf.".to_owned();
    let table = TableView::of(page.id("ops"), caption, &["strategy", "operation"], &columns, &rows);
    blocks.extend(table.map(|table| Block::Fold {
        summary: "All operations".into(),
        inner: Blocks::new(vec![Block::Table(table)]),
    }));
    Section::new(page.id("latency"), "Latency", blocks)
}

/// Values at ascending ranks (counted from 1) of a histogram, highest of their bucket.
fn at_ranks(row: &OpRow, ranks: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut buckets = row.histogram.iter();
    let (mut below, mut value) = (0, 0);
    let mut points = Vec::new();
    for rank in ranks {
        while below < rank {
            let Some([bucket, count]) = buckets.next() else { return points };
            value = *bucket;
            below += count;
        }
        points.push((rank, value));
    }
    points
}

fn series(page: &Page<'_>, op: &str, points: impl Fn(&OpRow) -> Vec<(f64, f64)>) -> Vec<Series> {
    let cells = page.scenario.cells.iter();
    let with = cells.filter_map(|cell| {
        let row = cell.result().ops.get(op).filter(|row| !row.histogram.is_empty())?;
        Some(Series { name: cell.strategy().to_owned(), points: points(row), marked: false })
    });
    with.collect()
}

fn total(row: &OpRow) -> u64 {
    row.histogram.iter().map(|[_, count]| count).sum()
}

fn latency(scale: Scale) -> Axis {
    Axis { label: "latency".into(), scale, unit: Unit::In(figure::Unit::Ns) }
}

fn tail(page: &Page<'_>, op: &str) -> Option<Chart> {
    let points = |row: &OpRow| {
        let total = total(row);
        let decades = (total as f64).log10();
        let steps = (decades * TAIL_POINTS as f64).floor() as u32;
        let tails = (0..=steps).map(|i| 10_f64.powf(f64::from(i) / TAIL_POINTS as f64));
        let rank = |tail: f64| ((1.0 - 1.0 / tail) * total as f64).floor() as u64 + 1;
        let tails: Vec<f64> = tails.collect();
        let values = at_ranks(row, tails.iter().map(|tail| rank(*tail).min(total)));
        tails.iter().zip(values).map(|(tail, (_, value))| (*tail, value as f64)).collect()
    };
    chart(
        page,
        op,
        Chart {
            title: format!("Percentiles of {op}"),
            desc: "Both axes are logarithmic; the horizontal one is 1/(1-q), as in HdrHistogram."
                .into(),
            x: Axis { label: "percentile".into(), scale: Scale::Log, unit: Unit::Tail },
            y: latency(Scale::Log),
            series: series(page, op, points),
        },
    )
}

fn cdf(page: &Page<'_>, op: &str) -> Option<Chart> {
    let points = |row: &OpRow| {
        let total = total(row);
        let rank = |i: usize| (total as f64 * i as f64 / CDF_POINTS as f64).ceil().max(1.0) as u64;
        let values = at_ranks(row, (1..=CDF_POINTS).map(rank));
        values.iter().map(|(rank, value)| (*value as f64, *rank as f64 / total as f64)).collect()
    };
    chart(
        page,
        op,
        Chart {
            title: format!("Cumulative distribution of {op}"),
            desc: "The latency axis is logarithmic; the share starts at 0.".into(),
            x: latency(Scale::Log),
            y: Axis {
                label: "share".into(),
                scale: Scale::Linear,
                unit: Unit::In(figure::Unit::Share),
            },
            series: series(page, op, points),
        },
    )
}

/// The chart with its basis, unless it is empty.
fn chart(page: &Page<'_>, op: &str, chart: Chart) -> Option<Chart> {
    let runs = page.scenario.cells.iter().filter_map(|cell| cell.result().ops.get(op));
    let least = runs.map(|row| row.count).min()?;
    if chart.series.is_empty() {
        return None;
    }
    let desc = format!(
        "{} At least {least} operations a line, from the run shown in the table. {}",
        chart.desc,
        page.basis()
    );
    Some(Chart { desc, ..chart })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_has_the_value_of_the_bucket_that_it_falls_into() {
        let row = OpRow { histogram: vec![[10, 2], [20, 1], [70, 1]], ..OpRow::default() };
        let at = |rank| at_ranks(&row, std::iter::once(rank));
        assert_eq!([1, 2, 3, 4].map(|rank| at(rank)[0].1), [10, 10, 20, 70]);
        assert_eq!(at(5), [], "there is no fifth");
    }
}
