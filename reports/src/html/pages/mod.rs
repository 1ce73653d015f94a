//! One file a page: each makes a [`Section`] of a scenario, or none where the run knows nothing of it.

mod comparison;
mod correctness;
mod latency;
mod lines;
mod locks;
mod memory;
mod model;
mod module;
mod questions;
mod rankings;
mod scaling;
mod tds;
mod time;
mod timeline;
mod transfers;
mod what_if;
mod why;

pub(super) use model::{machines, method, reproduce};
pub(super) use questions::questions;
pub(super) use rankings::rankings;
pub(super) use scaling::scaling;
pub(super) use what_if::what_if;

use super::block::Section;
use super::commands::commands;
use super::plots::Plots;
use super::table::step;
use crate::scenario::{Cell, Scenario};

/// A scenario with what its pages need to name things.
pub(super) struct Page<'a> {
    pub(super) scenario: &'a Scenario<'a>,
    /// Prefix of all ids.
    pub(super) id: &'a str,
}

impl Page<'_> {
    fn id(&self, part: &str) -> String {
        format!("{}-{part}", self.id)
    }

    /// The commands of the runs shown.
    fn commands(&self) -> Vec<String> {
        commands(self.scenario.cells.iter().map(|cell| cell.shown().1))
    }

    /// N, seeds, world and machine, for captions.
    fn basis(&self) -> String {
        let runs: usize = self.scenario.cells.iter().map(|cell| cell.runs.len()).sum();
        let (s, e) = (self.scenario, self.scenario.experiment());
        format!(
            "{} runs of {} strategies, {}, {} on {}.",
            runs,
            s.cells.len(),
            s.seeds(),
            s.world().name(),
            e.machine
        )
    }
}

/// JSON pointer of the result of a cell's shown run.
fn pointer(cell: &Cell<'_>) -> String {
    format!("/runs/{}/result", cell.shown().0)
}

/// JSON pointer of something below it.
fn below(cell: &Cell<'_>, kind: &str, name: &str) -> String {
    format!("{}/{kind}/{}", pointer(cell), step(name))
}

/// How much a report shows of each scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// Who wins, why, the locks and what broke: a report over many scenarios is read by comparing them.
    Brief,
}

/// All pages of a scenario.
pub(super) fn sections(page: &Page<'_>, detail: Detail, plots: &mut Plots) -> Vec<Section> {
    let brief = [
        comparison::section(page),
        why::section(page),
        locks::section(page),
        correctness::section(page),
    ];
    if detail == Detail::Brief {
        return brief.into_iter().flatten().collect();
    }
    let [comparison, why, locks, correctness] = brief;
    let pages = [
        comparison,
        why,
        latency::section(page, plots),
        time::section(page),
        timeline::section(page),
        locks,
        lines::section(page),
        module::section(page),
        tds::section(page),
        memory::section(page, plots),
        correctness,
    ];
    pages.into_iter().flatten().collect()
}
