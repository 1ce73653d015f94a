//! The tables of a scenario, shared by the terminal and Markdown.

use super::table::{Emphasis, Head, Table, cut};
use crate::columns::{self, Column, LINE, LOCK, RUN};
use crate::figure::{self, Unit};
use crate::scenario::{Cell, Scenario, split};
use crate::schema::{LineCounts, LockRow, RunResult, Verdict};

/// Longest strategy name shown in full.
const NAME_WIDTH: usize = 24;
/// Lines of the hottest-lines table for each strategy.
const HOTTEST: usize = 3;
/// Widest bar.
const BAR: usize = 10;

/// The columns of the comparison after name, throughput and bar, with their rank.
const COMPARISON: [(&str, u8); 18] = [
    ("pamt_get_p50_ns", 1),
    ("pamt_get_p99_ns", 1),
    ("pamt_get_max_ns", 2),
    ("pamt_put_p50_ns", 1),
    ("pamt_put_p99_ns", 1),
    ("pamt_put_max_ns", 2),
    ("contentions", 4),
    ("true_contentions", 4),
    ("false_contentions", 4),
    ("waittime_total_ns", 4),
    ("hitm", 5),
    ("invalidations", 5),
    ("transfer_ns", 6),
    ("busy", 5),
    ("pamt_pages_peak", 7),
    ("strategy_bytes", 7),
    ("irq_off_max_ns", 8),
    ("preempt_off_max_ns", 8),
];

const LOCKS: [(&str, u8); 12] = [
    ("acquisitions", 1),
    ("contentions", 0),
    ("queued_contentions", 4),
    ("true_contentions", 0),
    ("false_contentions", 0),
    ("waittime_total_ns", 0),
    ("wait_p99_ns", 3),
    ("waittime_max_ns", 5),
    ("holdtime_avg_ns", 2),
    ("queue_max", 6),
    ("fairness_jain", 7),
    ("utilisation", 1),
];

const LINES: [(&str, u8); 9] = [
    ("total_hitm", 0),
    ("lcl_hitm", 1),
    ("rmt_hitm", 1),
    ("invalidations", 0),
    ("bounces", 4),
    ("rfo", 5),
    ("upgrades", 5),
    ("transfer_ns", 2),
    ("wait_ns", 3),
];

fn pick<R>(from: &'static [Column<R>], ids: &[(&str, u8)]) -> Vec<(&'static Column<R>, u8)> {
    ids.iter().filter_map(|(id, rank)| Some((columns::find(from, id)?, *rank))).collect()
}

fn heads<R>(columns: &[(&'static Column<R>, u8)]) -> impl Iterator<Item = Head> {
    columns.iter().map(|(column, rank)| Head::number(column.header, *rank))
}

fn shows<R>(columns: &[(&'static Column<R>, u8)], row: &R) -> impl Iterator<Item = String> {
    columns.iter().map(|(column, _)| column.show(row))
}

fn name(cell: &Cell<'_>) -> String {
    cut(cell.strategy(), NAME_WIDTH)
}

/// The comparison of all strategies, winner marked.
pub(super) fn comparison(scenario: &Scenario<'_>) -> Table {
    let columns = pick(RUN, &COMPARISON);
    let unit = format!("{}/s", scenario.work_unit());
    let mut table = Table::new([Head::word(" "), Head::word("strategy"), Head::number(&unit, 0)]);
    table.heads.push(Head { right: false, ..Head::number("", 3) });
    table.heads.push(Head::number("of runs", 3));
    table.heads.extend(heads(&columns));
    let winner = scenario.winner().map(Cell::strategy);
    let most = scenario.cells.iter().map(Cell::rate).fold(0.0, f64::max);
    for cell in &scenario.cells {
        let wins = winner == Some(cell.strategy());
        let (mark, emphasis) = mark(cell, wins);
        let rate = cell.result().throughput.as_ref();
        let rate = rate.map(|t| Unit::PerSecond.show(&t.per_second.into())).unwrap_or_default();
        let mut cells =
            vec![mark.to_owned(), name(cell), rate, bar(cell.rate(), most), spread(cell)];
        cells.extend(shows(&columns, cell.result()));
        table.push(cells, emphasis);
    }
    table
}

/// What the comparison's first column may say.
pub(super) const MARKS: &str =
    "* most work of the sound strategies  = floor, no dynamic PAMT  ! unsound";

fn mark(cell: &Cell<'_>, wins: bool) -> (&'static str, Emphasis) {
    match cell.result().correctness.verdict {
        Verdict::Violations => ("!", Emphasis::Bad),
        Verdict::ExpectedViolations => ("!", Emphasis::Warn),
        Verdict::Clean if wins => ("*", Emphasis::Good),
        Verdict::Clean if cell.is_floor() => ("=", Emphasis::None),
        Verdict::Clean => ("", Emphasis::None),
    }
}

fn bar(rate: f64, most: f64) -> String {
    let length = if most > 0.0 { (rate / most * BAR as f64).round() as usize } else { 0 };
    "#".repeat(length)
}

fn spread(cell: &Cell<'_>) -> String {
    if cell.runs.len() < 2 {
        return String::new();
    }
    let (low, high) = cell.spread();
    let show = |rate: f64| Unit::PerSecond.show(&rate.into());
    format!("{} ({}..{})", cell.runs.len(), show(low), show(high))
}

/// All contended locks, longest wait first; all locks when none was contended.
pub(super) fn locks(scenario: &Scenario<'_>) -> Table {
    let columns = pick(LOCK, &LOCKS);
    let mut table = Table::new([Head::word("strategy"), Head::word("lock")]);
    table.heads.extend(heads(&columns));
    for cell in &scenario.cells {
        let mut locks: Vec<(&String, &LockRow)> =
            cell.result().locks.iter().filter(|(_, lock)| lock.acquisitions > 0).collect();
        locks.sort_by_key(|(_, lock)| std::cmp::Reverse(lock.waittime_total_ns));
        for (lock_name, lock) in locks {
            let mut cells = vec![name(cell), lock_name.clone()];
            cells.extend(shows(&columns, lock));
            table.push(cells, Emphasis::None);
        }
    }
    table
}

/// The hottest lines of each strategy by name.
pub(super) fn lines(scenario: &Scenario<'_>) -> Table {
    let columns = pick(LINE, &LINES);
    let mut table = Table::new([Head::word("strategy"), Head::word("line")]);
    table.heads.extend(heads(&columns));
    for cell in &scenario.cells {
        for (line, counts) in hottest(cell.result()).into_iter().take(HOTTEST) {
            let mut cells = vec![name(cell), line];
            cells.extend(shows(&columns, &counts));
            table.push(cells, Emphasis::None);
        }
    }
    table
}

/// Lines that moved, by name, most HITMs first: an object of one line by its name alone, a line of
/// an array by object and number, and an object whose single lines are not kept as a whole.
pub(crate) fn hottest(result: &RunResult) -> Vec<(String, LineCounts)> {
    let mut lines = Vec::new();
    for (object, row) in &result.lines {
        match row.top.as_slice() {
            [] => lines.push((object.clone(), row.counts)),
            [line] if line.counts == row.counts => lines.push((object.clone(), row.counts)),
            top => lines.extend(top.iter().map(|l| (l.name(object), l.counts))),
        }
    }
    let heat = |counts: &LineCounts| (counts.total_hitm(), counts.invalidations);
    lines.retain(|(_, counts)| heat(counts) > (0, Some(0)));
    lines.sort_by(|a, b| heat(&b.1).cmp(&heat(&a.1)).then_with(|| a.0.cmp(&b.0)));
    lines
}

/// BUSY returns by leaf and operand.
pub(super) fn busy(scenario: &Scenario<'_>) -> Table {
    let mut table = Table::new(["strategy", "leaf", "operand"].map(Head::word));
    table.heads.push(Head::number("BUSY", 0));
    for cell in &scenario.cells {
        for (leaf, operands) in &cell.result().busy {
            for (operand, count) in operands {
                let count = Unit::Count.show(&(*count).into());
                table.push(vec![name(cell), leaf.clone(), operand.clone(), count], Emphasis::None);
            }
        }
    }
    table
}

/// What a mean get or put consists of, a line for each strategy and operation.
pub(super) fn where_time_goes(scenario: &Scenario<'_>) -> Vec<String> {
    let wide = scenario.cells.iter().map(|cell| name(cell).chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for op in ["pamt_get", "pamt_put"] {
        for cell in &scenario.cells {
            let Some(row) = cell.result().ops.get(op).filter(|row| row.count > 0) else { continue };
            let parts = split(cell.result(), op);
            let all: u64 = parts.iter().map(|part| part.total_ns).sum();
            if all == 0 {
                continue;
            }
            let show = |part: &crate::scenario::Part| {
                let mean = figure::time((part.total_ns as f64 / row.count as f64).round());
                format!("{} {mean}", part.name)
            };
            // Parts below a hundredth are noise to the eye; the JSON has them.
            let shown: Vec<String> =
                parts.iter().filter(|part| part.total_ns * 100 >= all).map(show).collect();
            let (strategy, mean) = (name(cell), Unit::Ns.show(&row.mean_ns.into()));
            lines.push(format!("{strategy:<wide$} {op} {mean} = {}", shown.join(" + ")));
        }
    }
    lines
}

/// One correctness line for each strategy.
pub(super) fn correctness(scenario: &Scenario<'_>) -> Vec<(String, Emphasis)> {
    let wide = scenario.cells.iter().map(|cell| name(cell).chars().count()).max().unwrap_or(0);
    let line = |cell: &Cell<'_>| {
        let (text, emphasis) = verdict(cell);
        (format!("{:<wide$} {text}", name(cell)), emphasis)
    };
    scenario.cells.iter().map(line).collect()
}

/// The correctness lines without emphasis.
pub(crate) fn verdicts(scenario: &Scenario<'_>) -> Vec<String> {
    correctness(scenario).into_iter().map(|(line, _)| line).collect()
}

/// The worst verdict of a cell's runs, in words.
fn verdict(cell: &Cell<'_>) -> (String, Emphasis) {
    let count = |pick: fn(&RunResult) -> u64| -> u64 {
        cell.runs.iter().map(|(_, run)| pick(&run.result)).sum()
    };
    let violations = count(|r| r.correctness.violation_count);
    let pairs = match (count(|r| r.correctness.pairs_added), count(|r| r.correctness.pairs_removed))
    {
        (0, 0) => "no page pair taken".to_owned(),
        (added, removed) => format!("{added} page pairs added, {removed} removed"),
    };
    let kinds = || {
        let rows = cell.runs.iter().flat_map(|(_, run)| &run.result.correctness.violations);
        let mut kinds: Vec<&str> = rows.map(|row| row.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.join(", ")
    };
    let has = |verdict| cell.runs.iter().any(|(_, run)| run.result.correctness.verdict == verdict);
    let unsound = cell.result().correctness.known_unsound;
    if has(Verdict::Violations) {
        (format!("VIOLATIONS: {violations} ({}); {pairs}", kinds()), Emphasis::Bad)
    } else if has(Verdict::ExpectedViolations) {
        (
            format!("expected violations: {violations} ({}), known unsound; {pairs}", kinds()),
            Emphasis::Warn,
        )
    } else if unsound {
        (format!("clean here, but known unsound; {pairs}"), Emphasis::Warn)
    } else {
        (format!("clean; {pairs}"), Emphasis::None)
    }
}
