//! Operations and where their time went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Count and distribution of one operation's length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpRow {
    /// How often it ended.
    pub count: u64,
    /// Full distribution: `[value_ns, count]`, values ascending, each the highest of its bucket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<[u64; 2]>,
    /// Longest.
    pub max_ns: u64,
    /// Mean, rounded to the nearest nanosecond; `total_ns / count` has the rest.
    pub mean_ns: u64,
    /// Shortest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ns: Option<u64>,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Sum.
    pub total_ns: u64,
}

/// Self time of one path of nested operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpanRow {
    /// How often the innermost operation ended on this path.
    pub count: u64,
    /// Operations from the outermost to the innermost.
    pub path: Vec<String>,
    /// Time in the innermost one and in none that it contains, over all CPUs.
    pub self_ns: u64,
}
