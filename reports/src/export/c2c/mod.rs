//! Cache lines as `perf c2c report --stdio` shows them (Linux 6.12): five blocks, the same columns in
//! the same order, then what only a full record can give.
//!
//! Differences are marked: a line has a name instead of an address and a field instead of a symbol;
//! what has no meaning here (pid, code address) is `-`, what is not known is `n/a`; times are ns.

mod lines;
mod pareto;
mod totals;

use super::{ExportError, Exporter, Part, evidence, file_label, label};
use crate::schema::{Document, LineRow, Run};

/// The format.
pub(super) struct C2c;

impl Exporter for C2c {
    fn name(&self) -> &'static str {
        "c2c"
    }

    fn suffix(&self) -> &'static str {
        ".c2c"
    }

    fn about(&self) -> &'static str {
        "cache lines as perf c2c report prints them, a file a run"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let runs = document.runs.iter().filter(|run| !run.result.lines.is_empty());
        let parts: Vec<Part> =
            runs.map(|run| Part::text(file_label(run), report(document, run))).collect();
        if parts.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "cache lines" });
        }
        Ok(parts)
    }
}

/// A line with the object that it belongs to.
struct Named<'a> {
    object: &'a str,
    row: &'a LineRow,
}

impl Named<'_> {
    fn name(&self) -> String {
        let named = || format!("{}[{}]", self.object, self.row.line);
        self.row.address.clone().unwrap_or_else(named)
    }
}

fn report(document: &Document, run: &Run) -> String {
    let objects = &run.result.lines;
    let total = totals::sum(objects.values());
    let mut lines: Vec<Named<'_>> = objects
        .iter()
        .flat_map(|(object, o)| o.top.iter().map(move |row| Named { object, row }))
        .collect();
    // A stable sort: lines with as many HITMs stay in order of name.
    lines.sort_by_key(|line| std::cmp::Reverse(line.row.counts.total_hitm()));
    let mut text = block("            Trace Event Information", &totals::trace_events(&total));
    text.push_str(&block(
        "    Global Shared Cache Line Event Information",
        &totals::shared_lines(&total, objects.values(), &lines),
    ));
    text.push_str(&block("                 c2c details", &details(run)));
    text.push_str(&banner("           Shared Data Cache Line Table"));
    text.push_str(&lines::table(&lines, total.total_hitm()));
    text.push_str(&banner("      Shared Cache Line Distribution Pareto"));
    text.push_str(&pareto::blocks(&lines));
    for line in evidence(document, run) {
        text.push_str(&format!("# {line}\n"));
    }
    text
}

fn details(run: &Run) -> Vec<(&'static str, String)> {
    vec![
        ("Events", format!("every access ({})", run.result.world.name())),
        ("Cachelines sort on", "Total HITMs".into()),
        ("Cacheline data grouping", "offset, field".into()),
        ("Run", label(run)),
    ]
}

fn banner(title: &str) -> String {
    let rule = "=".repeat(49);
    format!("{rule}\n{title}\n{rule}\n")
}

fn block(title: &str, lines: &[(&str, String)]) -> String {
    let rows = lines.iter().map(|(name, value)| format!("  {name:<33} : {value:>10}\n"));
    format!("{}{}\n", banner(title), rows.collect::<String>())
}

/// What perf knows and a full record does not, or not here.
const UNKNOWN: &str = "n/a";

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "n/a".into() } else { format!("{:.1}%", 100.0 * part as f64 / whole as f64) }
}

fn optional(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}
