//! A comparison as a table: for terminals and for Markdown.

use std::fmt::Write as _;

use super::row::{Comparison, Row, Verdict};

const COLUMNS: [&str; 7] = ["verdict", "cell", "metric", "before", "after", "change", "evidence"];

/// Plain columns, worst first; unchanged metrics are only counted.
#[must_use]
pub fn text_table(comparison: &Comparison) -> String {
    let shown: Vec<&Row> = shown(comparison).collect();
    text_rows(&shown) + &summary(comparison)
}

/// Rows in plain columns, with a heading; nothing for no rows.
pub(crate) fn text_rows(rows: &[&Row]) -> String {
    let mut lines: Vec<[String; 7]> = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| cells(row)));
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines.iter().filter(|_| !rows.is_empty()) {
        let padded = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    if !rows.is_empty() {
        text.push('\n');
    }
    text
}

/// The same as a Markdown table.
#[must_use]
pub fn markdown_table(comparison: &Comparison) -> String {
    let mut text = String::new();
    for row in shown(comparison) {
        if text.is_empty() {
            let _ = writeln!(text, "| {} |", COLUMNS.join(" | "));
            let _ = writeln!(text, "|{}", "---|".repeat(COLUMNS.len()));
        }
        let escaped = cells(row).map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", escaped.join(" | "));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text + &summary(comparison)
}

/// One line with the number of rows of each verdict, then the geometric means.
fn summary(comparison: &Comparison) -> String {
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

fn shown(comparison: &Comparison) -> impl Iterator<Item = &Row> {
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
