//! CSV: one row a run, raw numbers, empty where a figure is not known (RFC 4180).

use crate::columns::{self, LOCK_BENCH, RUN};
use crate::schema::{Document, Experiment, LockBenchDocument};

/// Name and value of a leading column.
type Key = (&'static str, fn(&Experiment) -> String);

/// Leading columns: what was asked for.
const KEYS: [Key; 11] = [
    ("strategy", |e| e.strategy.clone()),
    ("workload", |e| e.workload.clone()),
    ("machine", |e| e.machine.clone()),
    ("backend", |e| e.backend.clone()),
    ("seed", |e| e.seed.to_string()),
    ("run", |e| e.run.to_string()),
    ("tds", |e| e.tds.map(|n| n.to_string()).unwrap_or_default()),
    ("vcpus", |e| e.vcpus.map(|n| n.to_string()).unwrap_or_default()),
    ("memory_bytes", |e| e.memory_bytes.map(|n| n.to_string()).unwrap_or_default()),
    ("page_size", |e| e.page_size.clone().unwrap_or_default()),
    ("pamt_pages", |e| e.pamt_pages.clone().unwrap_or_default()),
];

/// The document as CSV, header line first.
#[must_use]
pub fn render(document: &Document) -> String {
    let head = KEYS.iter().map(|(id, _)| (*id).to_owned());
    let head = head.chain(["world", "work_unit"].map(str::to_owned));
    let mut text = line(head.chain(RUN.iter().map(|column| column.id.to_owned())));
    for run in &document.runs {
        let result = &run.result;
        let unit = result.throughput.as_ref().map(|t| t.unit.clone()).unwrap_or_default();
        let keys = KEYS.iter().map(|(_, get)| get(&run.experiment));
        let keys = keys.chain([result.world.name().to_owned(), unit]);
        text.push_str(&line(keys.chain(RUN.iter().map(|column| column.raw(result)))));
    }
    text
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
