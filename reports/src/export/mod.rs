//! Results in the formats of tools that kernel developers already use.
//!
//! One file a format, each an [`Exporter`], and one registry, [`EXPORTERS`]. An export is made
//! from a [`Document`] alone; who calls it decides where it goes.

mod c2c;
mod citation;
mod folded;
mod grid;
mod hgrm;
mod lock_stat;
mod mail;
#[cfg(feature = "png")]
mod png;
mod speedscope;
mod svg;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use citation::citation_id;

use crate::schema::{Document, Run};

/// A format.
pub trait Exporter: Sync {
    /// Name on the command line.
    fn name(&self) -> &'static str;
    /// End of a file's name, with its dot, that stands for the format.
    fn suffix(&self) -> &'static str;
    /// One line: what it is and what opens it.
    fn about(&self) -> &'static str;
    /// The parts of `document` in this format, at least one.
    ///
    /// # Errors
    /// [`ExportError`] when the document has nothing that the format could show.
    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError>;
}

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What tells it from the other parts, fit for a file's name.
    pub name: String,
    /// What the file holds.
    pub bytes: Vec<u8>,
}

impl Part {
    /// A part that is text.
    #[must_use]
    pub fn text(name: String, text: String) -> Self {
        Self { name, bytes: text.into_bytes() }
    }
}

/// Why there is no export.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Nothing in the document is of use to this format.
    #[error(
        "no run of the result has {what}, so there is nothing to write as {format}; \
         export a result that has some"
    )]
    Empty {
        /// The format.
        format: &'static str,
        /// What it is made of.
        what: &'static str,
    },
}

/// All formats, in order of name.
pub static EXPORTERS: &[&dyn Exporter] = &[
    &c2c::C2c,
    &folded::Folded,
    &hgrm::Hgrm,
    &lock_stat::LockStat,
    &mail::Mail,
    #[cfg(feature = "png")]
    &png::Png,
    &speedscope::Speedscope,
    &svg::Svg,
];

/// The format of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Exporter> {
    EXPORTERS.iter().copied().find(|exporter| exporter.name() == name)
}

/// The format that the end of `path` stands for.
#[must_use]
pub fn by_path(path: &Path) -> Option<&'static dyn Exporter> {
    let name = path.file_name()?.to_str()?;
    EXPORTERS.iter().copied().find(|exporter| name.ends_with(exporter.suffix()))
}

/// Where the parts of an export to `path` go: a single part to `path` itself, several to files beside
/// it that carry the part's name before the suffix.
#[must_use]
pub fn paths(path: &Path, suffix: &str, parts: &[Part]) -> Vec<PathBuf> {
    if parts.len() < 2 {
        return parts.iter().map(|_| path.to_owned()).collect();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(suffix).unwrap_or(&name);
    parts.iter().map(|p| path.with_file_name(format!("{stem}.{}{suffix}", p.name))).collect()
}

/// What tells a run from the others: strategy, workload, machine, seed and repetition.
fn label(run: &Run) -> String {
    let e = &run.experiment;
    format!("{} {} {} seed {} run {}", e.strategy, e.workload, e.machine, e.seed, e.run)
}

/// The same, fit for a file's name.
fn file_label(run: &Run) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' };
    label(run).chars().map(plain).collect()
}

/// What every export says at its end: the kind of evidence, the seed, the machine and its model.
fn evidence(document: &Document, run: &Run) -> Vec<String> {
    let (e, world) = (&run.experiment, run.result.world.name());
    let mut lines = vec![format!("{world}, not sampled: every event is counted")];
    if run.result.world != crate::schema::World::Modelled {
        lines = vec![format!("{world} on this host")];
    }
    lines.push(format!("machine {}, seed {}, run {}", e.machine, e.seed, e.run));
    if let Some(parameters) = document.machines.get(&e.machine) {
        lines.push(format!("cost model: {} parameters, listed in the result", parameters.len()));
    }
    lines.push(format!("cite as {}", citation_id(run)));
    lines.extend(run.result.notes.iter().cloned());
    lines
}
