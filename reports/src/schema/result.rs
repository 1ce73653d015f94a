//! What came out of a run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Correctness, CounterRow, LockRow, Noise, ObjectRow, OpRow, SpanRow, Timeline};

/// The kind of evidence. Views never mix kinds in one series without a mark.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// From the simulator: deterministic, it follows from the model.
    #[default]
    Modelled,
    /// From a real machine, with its spread.
    Measured,
    /// From a cited source.
    Published,
}

impl World {
    /// As written in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modelled => "modelled",
            Self::Measured => "measured",
            Self::Published => "published",
        }
    }
}

/// Everything that a run produced. Absent means not known in this world.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// TDX_OPERAND_BUSY returns: leaf -> operand id by name -> count.
    #[serde(default)]
    pub busy: BTreeMap<String, BTreeMap<String, u64>>,
    /// Whether the invariants held.
    pub correctness: Correctness,
    /// Hardware counters, by name; measured runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, CounterRow>,
    /// Longest window with interrupts off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irq_off_max_ns: Option<u64>,
    /// Cache lines by object.
    #[serde(default)]
    pub lines: BTreeMap<String, ObjectRow>,
    /// Locks by class.
    #[serde(default)]
    pub locks: BTreeMap<String, LockRow>,
    /// Memory that the strategy cost.
    #[serde(default)]
    pub memory: Memory,
    /// How far measured figures can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// What a reader of the numbers must know, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Operations and SEAMCALL leaves by name.
    #[serde(default)]
    pub ops: BTreeMap<String, OpRow>,
    /// The run was cut short; its figures cover a part.
    #[serde(default)]
    pub partial: bool,
    /// Longest window with preemption off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preempt_off_max_ns: Option<u64>,
    /// Operations that a strategy did again.
    #[serde(default)]
    pub retries: BTreeMap<String, u64>,
    /// Self time by path, parents before children.
    #[serde(default)]
    pub spans: Vec<SpanRow>,
    /// Returned statuses: leaf -> status -> count.
    #[serde(default)]
    pub statuses: BTreeMap<String, BTreeMap<String, u64>>,
    /// The TDs one by one, for fairness and victims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tds: Vec<TdRow>,
    /// What the CPUs did in the window that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// Work done per time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
    /// Length of the run on the clock of its world.
    pub virtual_time_ns: u64,
    /// The kind of evidence.
    pub world: World,
}

/// Work done per time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Throughput {
    /// Units of work done.
    pub count: u64,
    /// Per second of the run's clock.
    pub per_second: f64,
    /// What a unit of work is, in the plural: `pages`, `faults`, `TDs`.
    pub unit: String,
}

/// Memory, in 4 KiB pages unless the name says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// Most pages at once in the caches of vCPUs, topped up but not given to the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_pages_peak: Option<u64>,
    /// PAMT pages that the module held at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pamt_pages_end: Option<u64>,
    /// PAMT pages that the module held, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pamt_pages_peak: Option<u64>,
    /// The module's holding over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<MemorySample>,
    /// Kernel memory of the strategy itself (refcounts, locks), in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy_bytes: Option<u64>,
    /// 2 MiB regions without a page in use that cannot become a 2 MiB guest mapping, because of a
    /// pair that was kept or of a backing page in them; the most of all samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmappable_regions_peak: Option<u64>,
}

/// The module's holding at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemorySample {
    /// When.
    pub at_ns: u64,
    /// PAMT pages held.
    pub pamt_pages: u64,
    /// PAMT pages that would do if the 4 KiB pages in use were packed into whole regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pamt_pages_least: Option<u64>,
    /// 2 MiB regions without a page in use that a pair or a backing page keeps from being mapped whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmappable_regions: Option<u64>,
}

/// One TD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TdRow {
    /// From its start to its last page done.
    pub elapsed_ns: u64,
    /// Time that its CPUs waited for locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_wait_ns: Option<u64>,
    /// Pages that it was given or that were taken from it.
    pub pages: u64,
    /// Its number.
    pub td: u64,
}
