//! The table of a capture and of modelled runs.

use std::fmt::Write;

use super::{Capture, Figure, Kind, Subject, c2c, lock_stat};
use crate::schema::{Document, Run, World};

/// The figures that a run has for a subject of a capture.
fn modelled(kind: Kind, run: &Run, subject: &Subject) -> Option<Vec<Figure>> {
    match kind {
        Kind::LockStat => run.result.locks.get(&subject.name).map(lock_stat::modelled),
        Kind::C2c if run.result.lines.is_empty() => None,
        Kind::C2c => Some(c2c::modelled(&run.result)),
    }
}

/// Capture and runs side by side; `None` when they have nothing in common.
#[must_use]
pub fn beside(capture: &Capture, document: &Document) -> Option<String> {
    let runs = || document.runs.iter().filter(|run| run.result.world == World::Modelled);
    let mut text = match capture.kind {
        Kind::LockStat => format!("lock_stat of {}", capture.path.display()),
        Kind::C2c => format!("perf c2c of {} (samples)", capture.path.display()),
    };
    text += ", measured, beside modelled runs: no verdict, for host and load differ\n";
    let mut found = false;
    for run in runs() {
        let asked = &run.experiment;
        let pairs: Vec<_> = capture
            .subjects
            .iter()
            .filter_map(|subject| Some((subject, modelled(capture.kind, run, subject)?)))
            .collect();
        if pairs.is_empty() {
            continue;
        }
        found = true;
        let _ = writeln!(
            text,
            "\n{} under {} on {}, seed {}\n{:24}{:>12}{:>12}{:>10}",
            asked.strategy,
            asked.workload,
            asked.machine,
            asked.seed,
            "",
            "measured",
            "modelled",
            "ratio"
        );
        for (subject, figures) in &pairs {
            let _ = writeln!(text, "{}", subject.name);
            for (measured, modelled) in subject.figures.iter().zip(figures) {
                text += &row(measured, modelled);
            }
        }
    }
    let named =
        |subject: &&Subject| runs().any(|run| modelled(capture.kind, run, subject).is_some());
    let others = capture.subjects.iter().filter(|subject| !named(subject)).count();
    if others > 0 {
        let _ = writeln!(text, "\n{others} more locks of the capture have no modelled counterpart");
    }
    found.then_some(text)
}

fn row(measured: &Figure, modelled: &Figure) -> String {
    let show =
        |figure: &Figure| figure.value.map_or("-".to_owned(), |value| figure.form.show(value));
    let ratio = match (measured.value, modelled.value) {
        (Some(measured), Some(modelled)) if measured > 0.0 => format!("{:.2}", modelled / measured),
        _ => "-".to_owned(),
    };
    format!("  {:22}{:>12}{:>12}{:>10}\n", measured.name, show(measured), show(modelled), ratio)
}
