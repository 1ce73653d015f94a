//! The file as a whole: reading, writing, version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Comparability, Experiment, ModelParameter, Provenance, Ranking, RunResult, written};

/// Version of the form that this build writes. It rises when an old reader would misread a new file.
pub const SCHEMA_VERSION: u32 = 2;

/// A result file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Version of the form.
    pub schema_version: u32,
    /// Parameters of each machine model that the runs used, by machine name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<String, Vec<ModelParameter>>,
    /// What draws over uncertain values leave of the rankings, where a sweep made some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rankings: Vec<Ranking>,
    /// The runs, in the order strategies x workloads x repetitions.
    pub runs: Vec<Run>,
    /// Commands of runs that were asked for and are not here, because the command was interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<String>,
}

/// One run of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// What may be compared with this run.
    pub comparability: Comparability,
    /// What was asked for.
    pub experiment: Experiment,
    /// Where, when and by which build; absent in results that are to be compared byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What came out.
    pub result: RunResult,
}

/// Why a file is not a result that this build can read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It cannot be read at all.
    #[error("cannot read {path}: {source}{}; name a result file written with `-o FILE.json`", hint(.nearest))]
    Io {
        /// The file.
        path: PathBuf,
        /// A file beside it that has nearly its name.
        nearest: Option<String>,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not JSON, or not of the schema.
    #[error("{path} is not a result: {source}; write one with `pamt-bench run -o FILE.json`")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where (line, column).
        source: serde_json::Error,
    },
    /// It is JSON of something else.
    #[error("{path} has no schema_version: it is not a result of pamt-bench; name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It comes from a later build.
    #[error(
        "{path} has schema_version {found}, this build reads up to {SCHEMA_VERSION}: \
         read it with the build that wrote it or a later one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// How like two names are at least, 1 being equal, before one is suggested for the other.
const ALIKE: f64 = 0.8;

impl ReadError {
    /// The system refused to read `path`.
    #[must_use]
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), nearest: nearest_file(path), source }
    }
}

/// The file beside `path` whose name is most like its own.
fn nearest_file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names = beside.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let scored = names.map(|name| (strsim::jaro_winkler(&wanted, &name), name));
    let best = scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(path.with_file_name(best.1).display().to_string())
}

impl Document {
    /// A document of this build's version.
    #[must_use]
    pub fn new(runs: Vec<Run>) -> Self {
        let (machines, rankings, unfinished) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { schema_version: SCHEMA_VERSION, machines, rankings, runs, unfinished }
    }

    /// All runs of several documents, in their order.
    #[must_use]
    pub fn merged<'a>(documents: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut merged = Self::new(Vec::new());
        for document in documents {
            merged.runs.extend(document.runs.iter().cloned());
            merged.rankings.extend(document.rankings.iter().cloned());
            merged.unfinished.extend(document.unfinished.iter().cloned());
            for (name, parameters) in &document.machines {
                merged.machines.entry(name.clone()).or_insert_with(|| parameters.clone());
            }
        }
        merged
    }

    /// What an interrupted command did not get to, as a sentence.
    #[must_use]
    pub fn interruption(&self) -> Option<String> {
        let (missing, all) = (self.unfinished.len(), self.unfinished.len() + self.runs.len());
        let first = self.unfinished.first()?;
        Some(format!("interrupted: {missing} of {all} runs are missing, the first is `{first}`"))
    }

    /// The same without provenance: equal experiments of one build then give equal bytes.
    #[must_use]
    pub fn without_provenance(mut self) -> Self {
        for run in &mut self.runs {
            run.provenance = None;
        }
        self
    }

    /// The written form: indented, keys sorted, one newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        written(serde_json::to_value(self).expect("plain data with string keys is always JSON"))
    }

    /// Parses `text`, which came from `path`.
    ///
    /// # Errors
    /// [`ReadError`], which names the file and, for bad JSON, the place in it.
    pub fn from_json(text: &str, path: &Path) -> Result<Self, ReadError> {
        let malformed = |source| ReadError::Malformed { path: path.to_owned(), source };
        let value: Value = serde_json::from_str(text).map_err(malformed)?;
        match value.get("schema_version").and_then(Value::as_u64) {
            None => Err(ReadError::Foreign { path: path.to_owned() }),
            Some(found) if found > u64::from(SCHEMA_VERSION) => {
                Err(ReadError::Newer { path: path.to_owned(), found })
            }
            // From the text, not the value, so that errors carry line and column.
            Some(_) => serde_json::from_str(text).map_err(malformed),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ReadError`], which names the file and, for bad JSON, the place in it.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text = std::fs::read_to_string(path).map_err(|source| ReadError::io(path, source))?;
        Self::from_json(&text, path)
    }
}

/// The JSON schema of a [`Document`], in its checked-in form.
#[must_use]
pub fn json_schema() -> String {
    written(schemars::schema_for!(Document).to_value())
}
