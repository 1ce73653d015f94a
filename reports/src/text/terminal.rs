//! What a run prints: comparison, locks, lines, BUSY, correctness, conclusion.

use super::sections;
use super::table::{Emphasis, Table};
use crate::conclude::conclude;
use crate::contention::answers;
use crate::scenario::{Scenario, scenarios};
use crate::schema::{Document, Noise, counter_lines};

/// How the text is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether escapes for colour are wanted.
    pub colour: bool,
}

/// The document as text for a terminal.
#[must_use]
pub fn render(document: &Document, view: View) -> String {
    let mut page = Page { view, text: String::new() };
    for scenario in scenarios(&document.runs) {
        page.scenario(&scenario);
    }
    if let Some(lack) = document.interruption() {
        page.line("");
        page.wrapped(&lack, "  ", Emphasis::Bad);
    }
    page.text
}

struct Page {
    view: View,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// `text` over as many lines as it takes, following ones indented.
    fn wrapped(&mut self, text: &str, indent: &str, emphasis: Emphasis) {
        for line in wrap(text, self.view.width, indent) {
            let painted = emphasis.paint(&line, self.view.colour);
            self.line(&painted);
        }
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        let painted = Emphasis::Heading.paint(text, self.view.colour);
        self.line(&painted);
    }

    fn table(&mut self, heading: &str, table: &Table) {
        if table.rows.is_empty() {
            return;
        }
        if !heading.is_empty() {
            self.heading(heading);
        }
        for line in table.lines(self.view.width, self.view.colour) {
            self.line(&line);
        }
    }

    fn scenario(&mut self, scenario: &Scenario<'_>) {
        if !self.text.is_empty() {
            self.line("");
        }
        self.wrapped(&scenario.title(), "  ", Emphasis::Heading);
        self.line("");
        self.table("", &sections::comparison(scenario));
        self.line(sections::MARKS);
        let parts = sections::where_time_goes(scenario);
        if !parts.is_empty() {
            self.heading("where a mean get and put go");
            for part in parts {
                self.wrapped(&part, "    ", Emphasis::None);
            }
        }
        self.table("locks", &sections::locks(scenario));
        for line in answers(scenario) {
            self.wrapped(&line, "    ", Emphasis::None);
        }
        self.table("hottest lines", &sections::lines(scenario));
        self.table("TDX_OPERAND_BUSY", &sections::busy(scenario));
        self.heading("correctness");
        for (line, emphasis) in sections::correctness(scenario) {
            self.wrapped(&line, "    ", emphasis);
        }
        self.violations(scenario);
        self.heading("conclusion");
        for sentence in conclude(scenario) {
            self.wrapped(&sentence, "  ", Emphasis::None);
        }
        self.noise(scenario);
        self.notes(scenario);
    }

    /// The first unexpected violation of each strategy, with its history.
    fn violations(&mut self, scenario: &Scenario<'_>) {
        for cell in &scenario.cells {
            let rows = cell.runs.iter().flat_map(|(_, run)| &run.result.correctness.violations);
            let Some(row) = rows.into_iter().find(|row| !row.expected) else { continue };
            let place = row.region.map(|region| format!(" in region {region}")).unwrap_or_default();
            let (name, kind) = (cell.strategy(), &row.kind);
            self.heading(&format!("violation of {name}: {kind}{place}"));
            self.line(&format!("{:>14} ns  CPU {:<4} {}", row.at_ns, row.cpu, row.detail));
            self.line("history of the region, oldest first:");
            for entry in &row.history {
                self.line(&format!("{:>14} ns  CPU {:<4} {}", entry.at_ns, entry.cpu, entry.what));
            }
        }
    }

    /// The verdict on the noisiest run of each strategy.
    fn noise(&mut self, scenario: &Scenario<'_>) {
        for cell in &scenario.cells {
            let verdicts = cell.runs.iter().filter_map(|(_, run)| run.result.noise.as_ref());
            let bar = |noise: &Noise| noise.repeat_frac.unwrap_or(0.0);
            let worst = verdicts.max_by(|a, b| bar(a).total_cmp(&bar(b)));
            for line in counter_lines(&cell.result().counters) {
                let line = format!("counters: {}: {line}", cell.strategy());
                self.wrapped(&line, "         ", Emphasis::None);
            }
            for line in worst.iter().flat_map(|noise| noise.sentences()) {
                let line = format!("noise: {}: {line}", cell.strategy());
                self.wrapped(&line, "       ", Emphasis::None);
            }
        }
    }

    fn notes(&mut self, scenario: &Scenario<'_>) {
        for note in scenario.notes() {
            self.wrapped(&format!("note: {note}"), "      ", Emphasis::None);
        }
    }
}

/// Breaks `text` at spaces into lines of at most `width` columns, all but the first with `indent`.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for (at, word) in text.split(' ').enumerate() {
        let room = line.chars().count() + 1 + word.chars().count() <= width;
        if at > 0 && !room && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, format!("{indent}{word}")));
        } else {
            if at > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.push(line);
    lines
}
