//! The outcome for a terminal or a log.

use std::fmt::Write as _;

use super::outcome::{GateRow, Outcome};
use crate::compare::{Row, text_rows};

/// The rows, the notes, and the verdict as the last line, where a log is read first.
#[must_use]
pub fn to_text(outcome: &Outcome) -> String {
    let rows: Vec<Row> = outcome.rows.iter().map(marked).collect();
    let mut text = text_rows(&rows.iter().collect::<Vec<_>>());
    for note in &outcome.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let counts = outcome.counts.iter().map(|(word, count)| format!("{count} {word}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "{counts}\ngate: exit {}: {}", outcome.exit, outcome.meaning);
    text
}

/// The row, with what the gate makes of it in its reason.
fn marked(gated: &GateRow) -> Row {
    let mut row = gated.row.clone();
    if let Some(expected) = &gated.expected {
        let _ = write!(row.reason, "; expected: {expected}");
    }
    if gated.advisory {
        row.reason.push_str("; advisory");
    }
    row
}
