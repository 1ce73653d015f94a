//! Cache lines, in the columns of `perf c2c report`.
//!
//! Totals are complete for each named object; rows of single lines are kept for the busiest ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Shared Data Cache Line Table's columns, and those that only a full record can give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineCounts {
    /// Times that the line moved from one CPU's cache to another's, whatever the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounces: Option<u64>,
    /// Loads served by the local node's memory.
    pub dram_lcl: u64,
    /// Loads served by another node's memory.
    pub dram_rmt: u64,
    /// Copies in other caches that a store or a locked operation invalidated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidations: Option<u64>,
    /// Loads and locked operations served by a modified copy in this node.
    pub lcl_hitm: u64,
    /// Loads that hit a fill buffer.
    pub load_fb: u64,
    /// Loads that hit L1.
    pub load_l1_hit: u64,
    /// Loads that hit L2.
    pub load_l2_hit: u64,
    /// Loads served by the local last-level cache, or by a clean copy in this node.
    pub llc_lcl_hit: u64,
    /// Reads for ownership: stores and locked operations that found no copy here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfo: Option<u64>,
    /// Loads and locked operations served by a modified copy in another node.
    pub rmt_hitm: u64,
    /// Loads served by a clean copy in another node.
    pub rmt_hit: u64,
    /// Stores that hit a line held exclusively.
    pub store_l1_hit: u64,
    /// Stores that did not.
    pub store_l1_miss: u64,
    /// Stores of unknown level.
    pub store_na: u64,
    /// All loads.
    pub total_loads: u64,
    /// All records.
    pub total_records: u64,
    /// All stores, locked operations included.
    pub total_stores: u64,
    /// Time that CPUs spent on moving the line, queueing excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_ns: Option<u64>,
    /// Stores and locked operations that found a shared copy here (S to M).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrades: Option<u64>,
    /// Time that requests queued at the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ns: Option<u64>,
}

impl LineCounts {
    /// `Tot Hitm` of perf c2c.
    #[must_use]
    pub fn total_hitm(&self) -> u64 {
        self.lcl_hitm + self.rmt_hitm
    }
}

/// A named object: all its lines together, and its busiest ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRow {
    /// Sums over all lines.
    #[serde(flatten)]
    pub counts: LineCounts,
    /// Lines that were touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_touched: Option<u64>,
    /// Busiest lines, most HITMs first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<LineRow>,
    /// Who took its lines from whom, for the heat map; of the objects that moved most and of locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfers: Option<Transfers>,
}

/// One cache line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineRow {
    /// Address in a host's memory, of lines that a host's perf saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The columns.
    #[serde(flatten)]
    pub counts: LineCounts,
    /// At least two CPUs on disjoint fields, one of them writing; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_sharing: Option<bool>,
    /// The Pareto: accesses by field, most HITMs first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldRow>,
    /// Line number within the object; its place in perf's table where it has an address.
    pub line: u64,
    /// Home node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u64>,
}

impl LineRow {
    /// What tells it from the lines of all objects.
    #[must_use]
    pub fn name(&self, object: &str) -> String {
        self.address.clone().unwrap_or_else(|| format!("{object}[line {}]", self.line))
    }
}

/// Accesses to one field of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldRow {
    /// Number of CPUs that touched it.
    pub cpu_cnt: u64,
    /// Name of the field, or of the word in an array.
    pub field: String,
    /// As [`LineCounts::lcl_hitm`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lcl_hitm: Option<u64>,
    /// Mean cost of an access that was served by a local modified copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lcl_hitm_mean_ns: Option<u64>,
    /// Byte offset in the line.
    pub offset: u64,
    /// CPUs that read it, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readers: Vec<u32>,
    /// As [`LineCounts::rmt_hitm`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmt_hitm: Option<u64>,
    /// Mean cost of an access that was served by a remote modified copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmt_hitm_mean_ns: Option<u64>,
    /// Stores that hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_l1_hit: Option<u64>,
    /// Stores that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_l1_miss: Option<u64>,
    /// All accesses.
    pub total_records: u64,
    /// CPUs that wrote it, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writers: Vec<u32>,
}

/// Lines that one core fetched from another's cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfers {
    /// `counts[i][j]` lines went from the cache of `cpus[i]` to `cpus[j]`.
    pub counts: Vec<Vec<u64>>,
    /// The first CPU of each core that gave or took a line, ascending.
    pub cpus: Vec<u32>,
}

impl Transfers {
    /// The matrix of `(from, to, count)`.
    #[must_use]
    pub fn new(pairs: &[(u32, u32, u64)]) -> Self {
        let mut cpus: Vec<u32> = pairs.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        cpus.sort_unstable();
        cpus.dedup();
        let mut counts = vec![vec![0; cpus.len()]; cpus.len()];
        for (from, to, count) in pairs {
            if let (Ok(from), Ok(to)) = (cpus.binary_search(from), cpus.binary_search(to)) {
                counts[from][to] += count;
            }
        }
        Self { counts, cpus }
    }

    /// `(from, to, count)` of the pairs that occurred, in order of `from` and `to`.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        let rows = self.cpus.iter().zip(&self.counts);
        let cells = rows.flat_map(|(from, row)| {
            self.cpus.iter().zip(row).map(|(to, count)| (*from, *to, *count))
        });
        cells.filter(|(_, _, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_gives_back_the_pairs_that_it_was_made_of() {
        let pairs = [(0, 56, 3), (56, 0, 1), (56, 9, 7)];
        let transfers = Transfers::new(&pairs);
        assert_eq!(transfers.cpus, [0, 9, 56]);
        assert_eq!(transfers.pairs().collect::<Vec<_>>(), pairs);
    }
}
