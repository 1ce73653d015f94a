//! CSV: one row a run, raw numbers, empty where a figure is not known (RFC 4180).

use crate::columns::{self, LOCK_BENCH};
use crate::figure::Figure;
use crate::run_table::{cells, heads};
use crate::schema::{Document, LockBenchDocument, Run};

/// The document as CSV, header line first.
#[must_use]
pub fn render(document: &Document) -> String {
    let rows = document.runs.iter().map(row);
    std::iter::once(head()).chain(rows).collect()
}

/// The header line of runs.
#[must_use]
pub fn head() -> String {
    line(heads().map(|(id, _)| id.to_owned()))
}

/// The line of a run.
#[must_use]
pub fn row(run: &Run) -> String {
    line(cells(run).map(|cell| cell.as_ref().map(Figure::raw).unwrap_or_default()))
}

/// Columns of the lock benchmark's CSV, a contract with scripts.
const LOCK_BENCH_IDS: [&str; 10] = [
    "lock",
    "threads",
    "critical_ns",
    "parallel_ns",
    "ns_per_acquire",
    "fairness_jain",
    "transfers_per_acquire",
    "machine",
    "seed",
    "backend",
];

/// Rows of the lock benchmark as CSV, header line first.
#[must_use]
pub fn lock_bench(document: &LockBenchDocument) -> String {
    let columns = || LOCK_BENCH_IDS.iter().filter_map(|id| columns::find(LOCK_BENCH, id));
    let mut text = line(columns().map(|column| column.id.to_owned()));
    for row in &document.rows {
        text.push_str(&line(columns().map(|column| column.raw(row))));
    }
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let mut text = cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",");
    text.push('\n');
    text
}

/// Quotes a field that needs it: a strategy's spec may hold commas.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("striped:64"), "striped:64");
        assert_eq!(quoted("a[x=1,y=2]"), "\"a[x=1,y=2]\"");
        assert_eq!(quoted("say \"so\""), "\"say \"\"so\"\"\"");
    }
}
