//! gate.toml: what fails, what is tolerated, what is expected.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::day::Day;
use crate::compare::{Limit, Policy, Row, Verdict, matches_glob};

/// Which differences fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gated {
    /// Those for the worse.
    #[default]
    Regressions,
    /// Each change of a modelled metric, for the better or of no direction too.
    AnyChange,
}

/// A gate file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateFile {
    /// Which differences fail.
    pub fail_on: Gated,
    /// Level of the family of tests on measured metrics; 0.01 when absent, more is refused.
    pub alpha: Option<f64>,
    /// Margin of measured metrics in percent; 5 when absent.
    pub margin_percent: Option<f64>,
    /// Soft limit of counted metrics in percent; 1 when absent.
    pub counted_percent: Option<f64>,
    /// Measured metrics that are tested, as patterns.
    pub measured_metrics: Option<Vec<String>>,
    /// Days after which a calibration is stale; 30 when absent.
    pub calibration_days: Option<u32>,
    /// Limits; the last that matches wins.
    pub limit: Vec<Limit>,
    /// Expected changes.
    pub expect: Vec<Expectation>,
}

/// A change that is expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Pattern of cells.
    pub cell: String,
    /// Pattern of metrics; empty matches rows about a whole cell.
    pub metric: String,
    /// The verdict that is expected, by its word.
    pub verdict: String,
    /// Largest change that is expected, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_percent: Option<f64>,
    /// Why.
    pub reason: String,
    /// Last day, YYYY-MM-DD.
    pub expires: String,
}

/// Why a gate file cannot be used.
#[derive(Debug, Error)]
pub enum GateFileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}; name a gate file with --config")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not of the form.
    #[error("{path} is not a gate file: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A value in it makes no sense.
    #[error("{path}: {place}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Which entry.
        place: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// Largest level that is accepted: above it, an A/A comparison of a suite cries wolf too often.
const HIGHEST_ALPHA: f64 = 0.01;

impl GateFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`GateFileError`], which names the file and the place in it.
    pub fn read(path: &Path) -> Result<Self, GateFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| GateFileError::Io { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parses `text`, which came from `path`.
    ///
    /// # Errors
    /// [`GateFileError`], which names the file and the place in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, GateFileError> {
        let file: Self = toml::from_str(text).map_err(|source| GateFileError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        file.check().map_err(|(place, problem)| GateFileError::Value {
            path: path.to_owned(),
            place,
            problem,
        })?;
        Ok(file)
    }

    fn check(&self) -> Result<(), (String, String)> {
        if let Some(alpha) = self.alpha
            && !(alpha > 0.0 && alpha <= HIGHEST_ALPHA)
        {
            let problem = format!("{alpha} is not above 0 and at most {HIGHEST_ALPHA}");
            return Err(("alpha".to_owned(), problem));
        }
        let percents = [self.margin_percent, self.counted_percent].into_iter().flatten();
        let soft = self.limit.iter().filter_map(|limit| limit.soft_percent);
        if let Some(percent) =
            percents.chain(soft).find(|percent| percent.is_nan() || *percent < 0.0)
        {
            let problem = format!("{percent} is not a percentage of 0 or more");
            return Err(("a limit or margin".to_owned(), problem));
        }
        for limit in &self.limit {
            if limit.soft_percent.is_none() && limit.hard.is_none() {
                let place = format!("limit of {:?}", limit.metric);
                return Err((place, "give soft_percent, hard or both".to_owned()));
            }
        }
        self.expect.iter().try_for_each(Expectation::check)
    }

    /// The policy that this file asks for.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let default = Policy::default();
        Policy {
            alpha: self.alpha.unwrap_or(default.alpha),
            confidence: 1.0 - self.alpha.unwrap_or(default.alpha),
            margin_percent: self.margin_percent.unwrap_or(default.margin_percent),
            counted_percent: self.counted_percent.unwrap_or(default.counted_percent),
            measured_metrics: self.measured_metrics.clone().unwrap_or(default.measured_metrics),
            limits: self.limit.clone(),
            noise: None,
        }
    }
}

impl Expectation {
    fn check(&self) -> Result<(), (String, String)> {
        let place = format!("expectation of {:?} {:?}", self.cell, self.metric);
        let problem = if self.verdict().is_none() {
            let words = Verdict::ALL.map(Verdict::word).join(", ");
            format!("{:?} is not a verdict; there are: {words}", self.verdict)
        } else if self.reason.trim().is_empty() {
            "say the reason".to_owned()
        } else if Day::parse(&self.expires).is_none() {
            format!("expires {:?} is not a day; write YYYY-MM-DD", self.expires)
        } else {
            return Ok(());
        };
        Err((place, problem))
    }

    fn verdict(&self) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.word() == self.verdict)
    }

    /// Whether it has expired on `today`.
    #[must_use]
    pub fn expired(&self, today: Day) -> bool {
        Day::parse(&self.expires).is_none_or(|last| today > last)
    }

    /// Whether it covers this row.
    #[must_use]
    pub fn covers(&self, row: &Row) -> bool {
        let small = self
            .at_most_percent
            .is_none_or(|most| row.change_percent().is_some_and(|change| change.abs() <= most));
        self.verdict() == Some(row.verdict)
            && matches_glob(&self.cell, &row.cell)
            && matches_glob(&self.metric, &row.metric)
            && small
    }
}
