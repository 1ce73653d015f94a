//! Plain text of 72 columns, for mails to the kernel lists: a table a scenario, a citation id a result
//! and, below, the command that repeats each.

use super::{ExportError, Exporter, Part, citation_id};
use crate::conclude::conclude;
use crate::figure::{Unit, time};
use crate::scenario::{Cell, Scenario, scenarios};
use crate::schema::{Document, OpRow, Run, Verdict};

/// Widest line, as netiquette and quoting want it.
const WIDTH: usize = 72;

/// The format.
pub(super) struct Mail;

impl Exporter for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn suffix(&self) -> &'static str {
        ".mail.txt"
    }

    fn about(&self) -> &'static str {
        "plain text of 72 columns for mails to the lists, a citation id a result"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        if document.runs.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "any figure" });
        }
        let scenarios = scenarios(&document.runs);
        let tables: Vec<String> = scenarios.iter().map(table).collect();
        let shown = scenarios.iter().flat_map(|s| s.cells.iter().map(|cell| cell.shown().1));
        let references: String = shown.map(reference).collect();
        let text = format!("{}\n{references}", tables.join("\n"));
        Ok(vec![Part::text("mail".into(), text)])
    }
}

/// Heading and width of a column of the table.
const HEADS: [(&str, usize); 6] =
    [("work/s", 7), ("get", 7), ("put", 7), ("false%", 7), ("HITM", 7), ("cite as", 17)];

fn table(scenario: &Scenario<'_>) -> String {
    let mut text = wrapped(&scenario.title(), "", "  ");
    text.push_str(&wrapped(&conclude(scenario).join(" "), "", ""));
    text.push('\n');
    let heads = HEADS.map(|(head, width)| format!("{head:>width$}")).concat();
    text.push_str(&format!("  {:<18}{heads}\n", "strategy"));
    for cell in &scenario.cells {
        text.push_str(&row(cell));
    }
    let unit = scenario.work_unit();
    text.push_str(&wrapped(
        &format!(
            "work: {unit}. get, put: mean. false%: share of contentions whose holder was on \
             another region. HITM: loads and RMWs served by a modified copy elsewhere. Where a \
             strategy has several runs, the median by work/s is shown."
        ),
        "  ",
        "  ",
    ));
    text
}

fn row(cell: &Cell<'_>) -> String {
    let (_, run) = cell.shown();
    let result = &run.result;
    let rate = result.throughput.as_ref().map(|t| Unit::PerSecond.show(&t.per_second.into()));
    let mean = |name: &str| {
        let op: Option<&OpRow> = result.ops.get(name).filter(|op| op.count > 0);
        op.map(|op| time(op.total_ns as f64 / op.count as f64))
    };
    let (contentions, false_ones) = result.locks.values().fold((0, 0), |(all, others), lock| {
        (all + lock.true_contentions + lock.false_contentions, others + lock.false_contentions)
    });
    let false_share = (contentions > 0).then(|| {
        let share = false_ones as f64 / contentions as f64;
        Unit::Share.show(&share.into())
    });
    let hitm: u64 = result.lines.values().map(|object| object.counts.total_hitm()).sum();
    let hitm = (!result.lines.is_empty()).then(|| Unit::Count.show(&hitm.into()));
    let cells = [rate, mean("pamt_get"), mean("pamt_put"), false_share, hitm];
    let cells: String = cells
        .into_iter()
        .map(|cell| format!("{:>7}", cell.unwrap_or_else(|| "-".into())))
        .collect();
    let mark = match result.correctness.verdict {
        Verdict::Clean if !result.partial => " ",
        Verdict::Clean => "~",
        Verdict::ExpectedViolations | Verdict::Violations => "!",
    };
    let name: String = cell.strategy().chars().take(17).collect();
    format!("{mark} {name:<18}{cells}{:>17}\n", format!("[{}]", citation_id(run)))
}

/// What a citation stands for, and how to get it again.
fn reference(run: &Run) -> String {
    let e = &run.experiment;
    let head = format!(
        "[{}] {}, {}, {}, seed {}, {}",
        citation_id(run),
        e.strategy,
        e.workload,
        e.machine,
        e.seed,
        run.result.world.name()
    );
    let verdict = match run.result.correctness.verdict {
        Verdict::Clean => String::new(),
        Verdict::ExpectedViolations => "; ! violations, as this strategy is known for".into(),
        Verdict::Violations => "; ! violations".into(),
    };
    let partial = if run.result.partial { "; ~ cut short" } else { "" };
    let mut text = wrapped(&format!("{head}{verdict}{partial}"), "", "    ");
    if let Some(provenance) = &run.provenance {
        text.push_str(&command(&provenance.command));
    }
    text
}

/// A command over as many lines as it needs, to be pasted as it is.
fn command(line: &str) -> String {
    let lines = fill(line, "    ", "        ", WIDTH - 2);
    format!("{}\n", lines.join(" \\\n"))
}

fn wrapped(text: &str, first: &str, rest: &str) -> String {
    format!("{}\n", fill(text, first, rest, WIDTH).join("\n"))
}

/// Breaks at spaces; a word that is too long for a line keeps a line of its own.
fn fill(text: &str, first: &str, rest: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![first.to_owned()];
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("starts with one line and only grows");
        let gap = usize::from(!is_empty);
        if !is_empty && line.chars().count() + gap + word.chars().count() > width {
            lines.push(format!("{rest}{word}"));
        } else {
            line.push_str(&" ".repeat(gap));
            line.push_str(word);
            is_empty = false;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_continued_by_backslashes() {
        let long = format!("pamt-bench {}", ["--set key=value"; 9].join(" "));
        let text = command(&long);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(
            text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" "),
            long
        );
    }
}
