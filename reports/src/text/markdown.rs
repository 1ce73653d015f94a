//! Markdown for pull requests: the terminal's tables, details folded.

use super::sections;
use super::table::Table;
use crate::conclude::conclude;
use crate::contention::answers;
use crate::scenario::{Scenario, scenarios};
use crate::schema::Document;

/// The document as GitHub's Markdown.
#[must_use]
pub fn render(document: &Document) -> String {
    let parts = scenarios(&document.runs);
    let parts = parts.iter().map(scenario);
    let lack = document.interruption().map(|lack| format!("**{lack}**\n"));
    parts.chain(lack).collect::<Vec<_>>().join("\n")
}

fn scenario(scenario: &Scenario<'_>) -> String {
    let mut text = format!("### {}\n\n", scenario.title());
    for sentence in conclude(scenario) {
        text.push_str(&format!("- {sentence}\n"));
    }
    text.push_str(&format!(
        "\n{}\n`{}`\n",
        sections::comparison(scenario).markdown(),
        sections::MARKS
    ));
    let parts = sections::where_time_goes(scenario);
    if !parts.is_empty() {
        let body = format!("```\n{}\n```\n", parts.join("\n"));
        text.push_str(&folded("Where a mean get and put go", &body));
    }
    text.push_str(&table("Locks", &sections::locks(scenario)));
    for line in answers(scenario) {
        text.push_str(&format!("- {line}\n"));
    }
    text.push_str(&table("Hottest lines", &sections::lines(scenario)));
    text.push_str(&table("TDX_OPERAND_BUSY", &sections::busy(scenario)));
    let lines: Vec<String> =
        sections::correctness(scenario).into_iter().map(|(line, _)| line).collect();
    let body = format!("```\n{}\n```\n", lines.join("\n"));
    text.push_str(&folded("Correctness", &body));
    text
}

fn table(title: &str, table: &Table) -> String {
    if table.rows.is_empty() { String::new() } else { folded(title, &table.markdown()) }
}

fn folded(title: &str, body: &str) -> String {
    format!("\n<details><summary>{title}</summary>\n\n{body}\n</details>\n")
}
