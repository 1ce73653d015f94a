//! A comparison as a table: for terminals and for Markdown.

use std::fmt::Write as _;

use super::row::{Comparison, Row, Verdict};

const COLUMNS: [&str; 7] = ["verdict", "cell", "metric", "before", "after", "change", "evidence"];

/// Plain columns, worst first; unchanged metrics are only counted.
#[must_use]
pub fn text_table(comparison: &Comparison) -> String {
    let rows: Vec<[String; 7]> = shown(comparison).map(cells).collect();
    let mut widths = COLUMNS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        let header = COLUMNS.map(str::to_owned);
        for row in std::iter::once(&header).chain(&rows) {
            let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text.push_str(&summary(comparison));
    text
}

/// The same as a Markdown table of at most `most` rows, with the rest counted.
#[must_use]
pub fn markdown_table(comparison: &Comparison, first: usize, most: usize) -> String {
    let mut text = String::new();
    for row in shown(comparison).skip(first).take(most) {
        if text.is_empty() {
            let _ = writeln!(text, "| {} |", COLUMNS.join(" | "));
            let _ = writeln!(text, "|{}", "---|".repeat(COLUMNS.len()));
        }
        let escaped = cells(row).map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", escaped.join(" | "));
    }
    text
}

/// One line with the number of rows of each verdict, then the geometric means.
pub(crate) fn summary(comparison: &Comparison) -> String {
    let counts = Verdict::ALL.iter().filter_map(|verdict| {
        let count = comparison.count(*verdict);
        (count > 0).then(|| format!("{count} {}", verdict.word()))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let mut text =
        if counts.is_empty() { "nothing to compare\n".to_owned() } else { counts + "\n" };
    for mean in &comparison.geomeans {
        let _ = writeln!(
            text,
            "geometric mean of {} ({}, {} cells): {:+.2} %",
            mean.metric,
            mean.lane.name(),
            mean.cells,
            100.0 * (mean.ratio - 1.0)
        );
    }
    text
}

pub(crate) fn shown(comparison: &Comparison) -> impl Iterator<Item = &Row> {
    comparison.rows.iter().filter(|row| row.verdict != Verdict::Unchanged)
}

fn cells(row: &Row) -> [String; 7] {
    let metric = if row.metric.is_empty() { "(whole cell)" } else { &row.metric };
    let mut evidence = format!("{}: {}", row.lane.name(), row.reason);
    if let Some(detectable) = row.detectable_percent {
        let _ = write!(evidence, "; smallest detectable change {detectable:.1} %");
    }
    [
        row.verdict.word().to_owned(),
        row.cell.clone(),
        metric.to_owned(),
        row.before.map(number).unwrap_or_default(),
        row.after.map(number).unwrap_or_default(),
        row.change_percent().map(|change| format!("{change:+.2} %")).unwrap_or_default(),
        evidence,
    ]
}

/// Whole numbers in full, others with six significant digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits = (5 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    format!("{value:.digits$}")
}
