//! Whether the invariants held, with the history of each violation.

use super::Page;
use crate::html::block::{Block, Blocks, Section};
use crate::schema::ViolationRow;
use crate::text::verdicts;

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let mut blocks = vec![Block::Pre(verdicts(page.scenario).join("\n"))];
    for cell in &page.scenario.cells {
        for (_, run) in &cell.runs {
            let rows = run.result.correctness.violations.iter();
            blocks.extend(rows.map(|row| violation(cell.strategy(), run.experiment.seed, row)));
        }
    }
    Section::new(page.id("correctness"), "Correctness", blocks)
}

fn violation(strategy: &str, seed: u64, row: &ViolationRow) -> Block {
    let place = row.region.map(|region| format!(" in region {region}")).unwrap_or_default();
    let expected = if row.expected { ", expected" } else { "" };
    let kind = &row.kind;
    let summary = format!(
        "{strategy}, seed {seed}: {kind}{place} at {} ns on CPU {}{expected}",
        row.at_ns, row.cpu
    );
    let entries = row.history.iter();
    let lines = entries.map(|e| format!("{:>14} ns  CPU {:<4} {}", e.at_ns, e.cpu, e.what));
    let history = lines.collect::<Vec<_>>().join("\n");
    let inner = Blocks::new(vec![Block::Text(row.detail.clone()), Block::Pre(history)]);
    Block::Fold { summary, inner }
}
