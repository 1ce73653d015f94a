//! Workflow commands that GitHub turns into annotations; they need no token and work on forks.

use super::outcome::{GateRow, Outcome};
use crate::compare::Verdict;

/// GitHub shows this many annotations of a kind for one step.
const MOST: usize = 10;

/// `::error` lines for failing rows, `::warning` for advisory, `::notice` for improvements, one each.
#[must_use]
pub fn annotations(outcome: &Outcome) -> String {
    let kind = |row: &GateRow| match row.row.verdict {
        _ if row.failing => Some("error"),
        _ if row.advisory => Some("warning"),
        Verdict::Improved | Verdict::New => Some("notice"),
        _ => None,
    };
    let mut text = String::new();
    for level in ["error", "warning", "notice"] {
        let rows = outcome.rows.iter().filter(|row| kind(row) == Some(level));
        for gated in rows.take(MOST) {
            text.push_str(&command(level, gated));
        }
    }
    text
}

fn command(level: &str, gated: &GateRow) -> String {
    let row = &gated.row;
    let change = row.change_percent().map(|change| format!(" {change:+.2} %")).unwrap_or_default();
    let title = property(&format!("{} {}", row.verdict.word(), row.metric));
    let message = data(&format!("{}{change} ({}): {}", row.cell, row.lane.name(), row.reason));
    format!("::{level} title={title}::{message}\n")
}

/// Escapes as workflow commands want them.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
