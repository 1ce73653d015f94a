//! Rows of the lock benchmark as a table: for a terminal, or as Markdown.

use super::table::{Emphasis, Head, Table};
use super::terminal::{View, wrap};
use crate::columns::{self, LOCK_BENCH};
use crate::figure;
use crate::schema::{Distribution, LockBenchDocument, LockBenchRow, Noise, counter_lines};

/// Columns of the table, with their rank.
const COLUMNS: [(&str, u8); 15] = [
    ("lock", 0),
    ("threads", 0),
    ("ns_per_acquire", 0),
    ("repeat_frac", 1),
    ("marks", 0),
    ("mva_ns_per_acquire", 2),
    ("utilisation", 1),
    ("fairness_jain", 3),
    ("transfers_per_acquire", 1),
    ("cycles_per_acquire", 2),
    ("instructions_per_acquire", 2),
    ("llc_misses_per_acquire", 2),
    ("lcl_hitm_per_acquire", 2),
    ("rmt_hitm_per_acquire", 2),
    ("seed", 4),
];

/// The rows as text for a terminal.
#[must_use]
pub fn terminal(document: &LockBenchDocument, view: View) -> String {
    let mut lines = wrap(&title(document), view.width, "  ");
    lines.push(String::new());
    lines.extend(table(document).lines(view.width, view.colour));
    for note in notes(document) {
        lines.extend(wrap(&note, view.width, "      "));
    }
    lines.join("\n") + "\n"
}

/// The rows as GitHub's Markdown.
#[must_use]
pub fn markdown(document: &LockBenchDocument) -> String {
    let mut text = format!("{}\n\n{}", title(document), table(document).markdown());
    for note in notes(document) {
        text.push_str(&format!("\n{note}\n"));
    }
    text
}

/// The verdict on noise, then the notes.
fn notes(document: &LockBenchDocument) -> impl Iterator<Item = String> + '_ {
    // Which counters this host has does not change from row to row.
    let counters =
        document.rows.iter().flat_map(|row| &row.counters).filter(|(_, c)| c.count.is_none());
    let counters = counter_lines(counters).into_iter().map(|line| format!("counters: {line}"));
    let noise =
        document.noise.iter().flat_map(Noise::sentences).map(|line| format!("noise: {line}"));
    noise.chain(counters).chain(document.notes.iter().map(|note| format!("note: {note}")))
}

fn title(document: &LockBenchDocument) -> String {
    let Some(row) = document.rows.first() else { return "no rows".into() };
    let LockBenchRow { machine, pin, .. } = row;
    format!(
        "{} on {machine}, threads {pin}; held {}, between release and acquire {}",
        row.world.name(),
        length(row.critical_ns, row.critical_distribution),
        length(row.parallel_ns, row.parallel_distribution),
    )
}

fn length(ns: f64, distribution: Distribution) -> String {
    match distribution {
        Distribution::Constant => figure::time(ns),
        Distribution::Exponential => format!("{} on average (exponential)", figure::time(ns)),
    }
}

fn table(document: &LockBenchDocument) -> Table {
    let columns: Vec<_> = COLUMNS
        .iter()
        .filter_map(|(id, rank)| Some((columns::find(LOCK_BENCH, id)?, *rank)))
        .collect();
    let heads = columns.iter().map(|(column, rank)| match column.id {
        "lock" => Head::word(column.header),
        _ => Head::number(column.header, *rank),
    });
    let mut table = Table::new(heads.collect::<Vec<_>>());
    for row in &document.rows {
        let cells = columns.iter().map(|(column, _)| column.show(row)).collect();
        table.push(cells, Emphasis::None);
    }
    table
}
