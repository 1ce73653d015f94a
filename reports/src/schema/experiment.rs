//! What was asked for, where it ran, and what it may be compared with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The experiment as its maker echoes it. Only what views group and label by has a type here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// `sim`, `native` or `hw`.
    pub backend: String,
    /// Name of the machine profile, or of the host.
    pub machine: String,
    /// Memory touched per TD, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// `4k`, `2m` or `mixed:SHARE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<String>,
    /// Placement of backing pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pamt_pages: Option<String>,
    /// Everything else that shapes the run, a workload's own parameters included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Placement of guest pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Which repetition, from 0.
    pub run: u64,
    /// Seed.
    pub seed: u64,
    /// The strategy's spec as given.
    pub strategy: String,
    /// Number of TDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tds: Option<u64>,
    /// vCPUs per TD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u64>,
    /// The workload's spec as given.
    pub workload: String,
}

/// Where, when and by which build. Nothing in it may change a modelled number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// The command that repeats this run alone.
    pub command: String,
    /// Commit that the tool was built from, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What is known of the host, by name: CPU model, kernel, governor and such.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host: BTreeMap<String, String>,
    /// Start, RFC 3339 in UTC, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Version of the tool.
    pub tool_version: String,
    /// How long the run took on its host, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ns: Option<u64>,
}

/// Runs with equal keys may be compared. The parts are kept so that a mismatch can be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparability {
    /// Hash of the parts, 16 hexadecimal digits.
    pub key: String,
    /// What must be equal, by name.
    pub parts: BTreeMap<String, String>,
}

impl Comparability {
    /// The key of `parts`.
    #[must_use]
    pub fn new(parts: BTreeMap<String, String>) -> Self {
        let bytes = parts.iter().flat_map(|(name, value)| {
            // 0 ends a name and 1 a value, so that no two lists run together.
            name.bytes().chain([0]).chain(value.bytes()).chain([1])
        });
        Self { key: format!("{:016x}", fnv1a(bytes)), parts }
    }

    /// Names of the parts that differ.
    #[must_use]
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let names = self.parts.keys().chain(other.parts.keys());
        let mut differing: Vec<&str> = names
            .filter(|name| self.parts.get(*name) != other.parts.get(*name))
            .map(String::as_str)
            .collect();
        differing.sort_unstable();
        differing.dedup();
        differing
    }
}

/// FNV-1a, 64 bits: equal on all hosts and in all builds, and no secret is kept by it.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_hash_is_fnv1a_by_its_published_vectors() {
        assert_eq!(fnv1a(b"".iter().copied()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar".iter().copied()), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn differing_parts_are_named_whichever_side_lacks_them() {
        let a = Comparability::new(parts(&[("machine", "spr-2s"), ("workload", "boot")]));
        let b = Comparability::new(parts(&[("machine", "skx"), ("model", "3")]));
        assert_eq!(a.differing(&b), ["machine", "model", "workload"]);
        assert_ne!(a.key, b.key);
    }
}
