//! The outcome as Markdown that fits a pull-request comment.

use std::fmt::Write as _;

use super::outcome::{GateRow, Outcome};
use crate::exit::Exit;

/// GitHub refuses a longer comment.
const LONGEST: usize = 65_536;
/// Rows that are open at once; the others are folded.
const OPEN_ROWS: usize = 10;
/// Room for what follows the last row.
const RESERVE: usize = 512;

/// The verdict, the worst ten rows, the rest folded, cut below the limit of a comment.
#[must_use]
pub fn to_markdown(outcome: &Outcome) -> String {
    let passed = outcome.exit == Exit::Passed.code();
    let mut text = format!(
        "### pamt-bench gate: {} (exit {}: {})\n\n",
        if passed { "passed" } else { "failed" },
        outcome.exit,
        outcome.meaning
    );
    let counts = outcome.counts.iter().map(|(word, count)| format!("{count} {word}"));
    let _ = writeln!(text, "{}\n", counts.collect::<Vec<_>>().join(", "));
    for note in &outcome.notes {
        let _ = writeln!(text, "> {note}\n");
    }
    let open = outcome.rows.len().min(OPEN_ROWS);
    append_rows(&mut text, &outcome.rows[..open]);
    if outcome.rows.len() > open {
        let _ =
            writeln!(text, "\n<details><summary>{} more</summary>\n", outcome.rows.len() - open);
        append_rows(&mut text, &outcome.rows[open..]);
        text.push_str("\n</details>\n");
    }
    for mean in &outcome.geomeans {
        let change = 100.0 * (mean.ratio - 1.0);
        let line = format!("\nGeometric mean of `{}`: {change:+.2} %", mean.metric);
        if text.len() + line.len() < LONGEST {
            text.push_str(&line);
        }
    }
    text
}

fn append_rows(text: &mut String, rows: &[GateRow]) {
    if rows.is_empty() {
        return;
    }
    text.push_str("| verdict | cell | metric | before | after | change | evidence |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for (index, gated) in rows.iter().enumerate() {
        let line = row(gated);
        if text.len() + line.len() + RESERVE > LONGEST {
            let _ = writeln!(text, "\n{} more rows are in the JSON.", rows.len() - index);
            return;
        }
        text.push_str(&line);
    }
}

fn row(gated: &GateRow) -> String {
    let row = &gated.row;
    let mark = match (gated.failing, gated.advisory, &gated.expected) {
        (true, _, _) => "**",
        (_, true, _) => "_",
        _ => "",
    };
    let figure = |value: Option<f64>| value.map(|value| format!("{value}")).unwrap_or_default();
    let mut reason = format!("{}: {}", row.lane.name(), row.reason);
    if let Some(expected) = &gated.expected {
        let _ = write!(reason, "; expected: {expected}");
    }
    if gated.advisory {
        reason.push_str("; advisory");
    }
    let cells = [
        format!("{mark}{}{mark}", row.verdict.word()),
        row.cell.clone(),
        row.metric.clone(),
        figure(row.before),
        figure(row.after),
        row.change_percent().map(|change| format!("{change:+.2} %")).unwrap_or_default(),
        reason,
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "))
}
