//! What each CPU did in one window of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The window, `run --window FROM+LENGTH`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Its begin.
    pub from_ns: u64,
    /// Names of states and locks.
    pub names: Vec<String>,
    /// `[cpu, from_ns, to_ns, state, held]`, by CPU and time: `state` is an index of `names`, `held` an index
    /// counted from 1 of the lock that the CPU held meanwhile, or 0.
    pub slices: Vec<Vec<u64>>,
    /// Its end.
    pub to_ns: u64,
}
