//! Text captures of real hosts, laid beside modelled runs.
//!
//! What `/proc/lock_stat` and `perf c2c report --stdio` print is measured; a result of the simulator is
//! modelled. The two stand side by side under those names and give no verdict: host, load and kernel are
//! not the same. Figures are therefore those that do not grow with the length of a run.

mod c2c;
mod c2c_report;
mod lock_stat;
mod view;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::figure;
use crate::schema::ObjectRow;

pub use view::beside;

/// A capture that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}:{line}: {what}", path.display())]
pub struct CaptureError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub what: String,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Count,
    Time,
    Percent,
}

impl Form {
    fn show(self, value: f64) -> String {
        match self {
            Self::Count => figure::significant(value),
            Self::Time => figure::time(value),
            Self::Percent => format!("{value:.1}%"),
        }
    }
}

/// One figure of a subject: the same name on the measured and on the modelled side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// `None` where it is not known.
    pub(crate) value: Option<f64>,
}

/// A subject that a capture and a run may have in common, and its figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) figures: Vec<Figure>,
}

/// What a capture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/proc/lock_stat`.
    LockStat,
    /// `perf c2c report --stdio`.
    C2c,
}

/// Measured figures of a real host.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    kind: Kind,
    path: PathBuf,
    subjects: Vec<Subject>,
}

impl Capture {
    /// What `text` is a capture of, if it is one.
    #[must_use]
    pub fn kind_of(text: &str) -> Option<Kind> {
        if text.lines().find(|line| !line.trim().is_empty())?.starts_with("lock_stat version") {
            Some(Kind::LockStat)
        } else if text.contains(c2c_report::TITLE) {
            Some(Kind::C2c)
        } else {
            None
        }
    }

    /// Reads the capture `text` of `path`.
    ///
    /// # Errors
    /// The first line that is not what such a capture has there.
    pub fn parse(kind: Kind, text: &str, path: &Path) -> Result<Self, CaptureError> {
        let parsed = match kind {
            Kind::LockStat => lock_stat::parse(text),
            Kind::C2c => c2c::parse(text),
        };
        let path = path.to_owned();
        match parsed {
            Ok(subjects) => Ok(Self { kind, path, subjects }),
            Err((line, what)) => Err(CaptureError { path, line, what }),
        }
    }
}

/// The cache lines that the text of `perf c2c report --stdio` tells of, in the simulator's columns; `path`
/// names it in an error.
///
/// # Errors
/// The first line that is not what such a report has there.
pub fn c2c_lines(text: &str, path: &Path) -> Result<ObjectRow, CaptureError> {
    let path = path.to_owned();
    c2c_report::read(text).map_err(|(line, what)| CaptureError { path, line, what })
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}
