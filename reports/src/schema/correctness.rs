//! Whether the run kept its invariants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No violation and balanced books.
    #[default]
    Clean,
    /// Violations, of a strategy that is known to be unsound.
    ExpectedViolations,
    /// Violations.
    Violations,
}

/// What broke, if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Correctness {
    /// The strategy is registered as known-unsound: its violations are expected.
    pub known_unsound: bool,
    /// Page pairs given to the module.
    pub pairs_added: u64,
    /// Page pairs that came back.
    pub pairs_removed: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// How many violations there were; only the first are listed.
    pub violation_count: u64,
    /// The first violations, in order of time; empty when clean.
    pub violations: Vec<ViolationRow>,
}

/// One violation with its history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ViolationRow {
    /// When.
    pub at_ns: u64,
    /// On which CPU.
    pub cpu: u32,
    /// One sentence with the values that prove it.
    pub detail: String,
    /// The strategy is known to do this.
    pub expected: bool,
    /// What happened to the region before, oldest first.
    pub history: Vec<HistoryRow>,
    /// Kind, snake_case: `missing_pair`, `leak`, ...
    pub kind: String,
    /// Number of the 2 MiB region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<u64>,
}

/// One entry of a region's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryRow {
    /// When.
    pub at_ns: u64,
    /// On which CPU.
    pub cpu: u32,
    /// What.
    pub what: String,
}
