//! The form of what `pamt-bench lock` writes: rows of the lock microbenchmark.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{ReadError, SCHEMA_VERSION};
use super::written;
use super::{CounterRow, ModelParameter, Noise, Provenance, World};

/// A file of lock benchmark rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LockBenchDocument {
    /// Version of the form, the same as that of result files.
    pub schema_version: u32,
    /// Parameters of the machine model, by machine name; absent for measured rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<String, Vec<ModelParameter>>,
    /// How far measured rows can be trusted; each row has a figure of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// What a reader must know of all rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// By which command and build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Rows, in the order locks x threads x repetitions.
    pub rows: Vec<LockBenchRow>,
}

/// How the lengths of a critical or parallel section are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Always the same.
    #[default]
    Constant,
    /// Exponential with this mean.
    Exponential,
}

impl Distribution {
    /// Name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Exponential => "exponential",
        }
    }
}

/// One run of the benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LockBenchRow {
    /// Acquisitions of all threads.
    pub acquires: u64,
    /// Which world, as `--backend` names it.
    pub backend: String,
    /// Hardware counters, by name; measured rows. They count the warm-up, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, CounterRow>,
    /// How the time for which it is held is distributed.
    pub critical_distribution: Distribution,
    /// Time for which the lock is held, in ns.
    pub critical_ns: f64,
    /// From the start to the end of the last thread.
    pub elapsed_ns: u64,
    /// Jain's index over the threads' rates.
    pub fairness_jain: f64,
    /// The lock.
    pub lock: String,
    /// Machine profile, or `host`.
    pub machine: String,
    /// What mean-value analysis gives from the two times alone, without coherence; for exclusive locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mva_ns_per_acquire: Option<f64>,
    /// Elapsed time over acquisitions.
    pub ns_per_acquire: f64,
    /// More threads than CPUs: they took turns, and the figures include the scheduler.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oversubscribed: bool,
    /// How the time between release and the next acquire is distributed.
    pub parallel_distribution: Distribution,
    /// Time between release and the next acquire, in ns.
    pub parallel_ns: f64,
    /// Cut short: the figures cover a part of the time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Order of CPUs.
    pub pin: String,
    /// Two such runs of one build should differ by no more than this share, 19 times of 20; measured rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_frac: Option<f64>,
    /// Seed.
    pub seed: u64,
    /// Threads.
    pub threads: u64,
    /// Moves of lines between cores, an acquisition; known in the simulator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfers_per_acquire: Option<f64>,
    /// Kind of evidence.
    pub world: World,
}

impl LockBenchDocument {
    /// A document of this build's version.
    #[must_use]
    pub fn new(rows: Vec<LockBenchRow>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            machines: BTreeMap::new(),
            noise: None,
            notes: Vec::new(),
            provenance: None,
            rows,
        }
    }

    /// Parses `text`, which came from `path`.
    ///
    /// # Errors
    /// [`ReadError`], which names the file and the place in it.
    pub fn from_json(text: &str, path: &Path) -> Result<Self, ReadError> {
        let malformed = |source| ReadError::Malformed { path: path.to_owned(), source };
        serde_json::from_str(text).map_err(malformed)
    }

    /// The written form, as that of result files.
    #[must_use]
    pub fn to_json(&self) -> String {
        written(serde_json::to_value(self).expect("plain data with string keys is always JSON"))
    }
}

/// The JSON schema of a [`LockBenchDocument`], in its checked-in form.
#[must_use]
pub fn lock_bench_schema() -> String {
    written(schemars::schema_for!(LockBenchDocument).to_value())
}
