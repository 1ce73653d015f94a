//! The form of what `pamt-bench validate` writes: published, or measured, curves and the model's beside them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::SCHEMA_VERSION;
use super::written;

/// A comparison of the model with curves that others measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FidelityDocument {
    /// Version of the form, the same as that of result files.
    pub schema_version: u32,
    /// Curves, by host, lock and setting.
    pub curves: Vec<FidelityCurve>,
    /// What a reader must know of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One lock in one setting on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FidelityCurve {
    /// The locks of the project's claim count in its total; others are shown apart.
    pub counts: bool,
    /// Time for which it is held, in ns.
    pub critical_ns: f64,
    /// Whose curve it is.
    pub host: String,
    /// The lock.
    pub lock: String,
    /// The profile that the model ran with.
    pub machine: String,
    /// Time between release and the next acquire, in ns.
    pub parallel_ns: f64,
    /// In order of threads.
    pub points: Vec<FidelityPoint>,
}

/// One number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FidelityPoint {
    /// What the birth-death model of the lock's own law predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_death_ns: Option<f64>,
    /// The profile may have been fitted on it.
    pub fitted: bool,
    /// What the lock's law and a fixed point predict, without coherence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_point_ns: Option<f64>,
    /// Of the slowest measured run.
    pub max_ns: f64,
    /// Of the fastest measured run.
    pub min_ns: f64,
    /// What the model gives.
    pub modelled_ns: f64,
    /// Threads.
    pub threads: u64,
    /// The source's figure: median of its runs.
    pub truth_ns: f64,
}

impl FidelityDocument {
    /// A document of this build's version.
    #[must_use]
    pub fn new(curves: Vec<FidelityCurve>, notes: Vec<String>) -> Self {
        Self { schema_version: SCHEMA_VERSION, curves, notes }
    }

    /// The written form, as that of result files.
    #[must_use]
    pub fn to_json(&self) -> String {
        written(serde_json::to_value(self).expect("plain data with string keys is always JSON"))
    }
}

/// The JSON schema of a [`FidelityDocument`], in its checked-in form.
#[must_use]
pub fn fidelity_schema() -> String {
    written(schemars::schema_for!(FidelityDocument).to_value())
}
