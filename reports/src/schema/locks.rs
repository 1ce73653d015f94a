//! Locks, in the columns of /proc/lock_stat 0.4 and those that it lacks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One lock class. Times of waiting are absent where nobody waited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LockRow {
    /// Tries that failed and were not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<u64>,
    /// lock_stat: acquisitions whose previous holder was another CPU.
    pub acq_bounces: u64,
    /// lock_stat: acquisitions.
    pub acquisitions: u64,
    /// Acquisitions by CPU, index = CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acquisitions_by_cpu: Vec<u64>,
    /// lock_stat: contentions whose previous holder was another CPU.
    pub con_bounces: u64,
    /// lock_stat: failed first attempts.
    pub contentions: u64,
    /// Contentions whose holder worked on another 2 MiB region.
    pub false_contentions: u64,
    /// Jain's index over the CPUs that took the lock: 1 is fair, 1/n is one CPU alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness_jain: Option<f64>,
    /// Hand-offs by distance, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoffs: Option<Handoffs>,
    /// 50th percentile of the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_p50_ns: Option<u64>,
    /// 99th percentile of the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_p99_ns: Option<u64>,
    /// lock_stat: mean hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdtime_avg_ns: Option<u64>,
    /// lock_stat: longest hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdtime_max_ns: Option<u64>,
    /// lock_stat: shortest hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdtime_min_ns: Option<u64>,
    /// lock_stat: sum of hold times.
    pub holdtime_total_ns: u64,
    /// Number of instances of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    /// lock_stat: contention points of holders, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points_holders: Vec<ContentionPoint>,
    /// lock_stat: contention points of waiters, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points_waiters: Vec<ContentionPoint>,
    /// Time-weighted mean number of waiters (Little's law).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_avg: Option<f64>,
    /// Most waiters at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_max: Option<u64>,
    /// Contentions that went through a queue: what the kernel's contention tracepoint counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_contentions: Option<u64>,
    /// Acquisitions in shared mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_acquisitions: Option<u64>,
    /// Contentions whose holder worked on the same 2 MiB region.
    pub true_contentions: u64,
    /// Part of the wait during which the holder worked on the waiter's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_wait_ns: Option<u64>,
    /// perf lock's type name: `spinlock`, `rwlock:R`, `mutex`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Share of the time in which an instance was held, mean over the instances: rho = X * S / m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    /// 50th percentile of the wait of contended acquisitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_p50_ns: Option<u64>,
    /// 99th percentile of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_p99_ns: Option<u64>,
    /// 99.9th percentile of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_p999_ns: Option<u64>,
    /// lock_stat: mean wait of contended acquisitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waittime_avg_ns: Option<u64>,
    /// lock_stat: longest wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waittime_max_ns: Option<u64>,
    /// lock_stat: shortest wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waittime_min_ns: Option<u64>,
    /// lock_stat: sum of waits.
    pub waittime_total_ns: u64,
}

/// Hand-offs of a lock by the distance between releaser and next holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handoffs {
    /// To the same CPU.
    pub same_cpu: u64,
    /// To the other hardware thread of the core.
    pub same_core: u64,
    /// To another core under the same last-level cache.
    pub same_llc: u64,
    /// To another last-level cache of the node.
    pub same_node: u64,
    /// To another node.
    pub remote: u64,
}

impl Handoffs {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.same_cpu + self.same_core + self.same_llc + self.same_node + self.remote
    }
}

/// Where a lock was waited for, or held while others waited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentionPoint {
    /// How often.
    pub count: u64,
    /// Operation or symbol.
    pub name: String,
}
