//! Columns of a lock: lock_stat's twelve under their own names and order, then ours.

use super::columns;
use crate::schema::{Handoffs, LockRow};

/// Share of the hand-offs for which `part` counts.
fn handoffs(row: &LockRow, part: fn(&Handoffs) -> u64) -> Option<f64> {
    let handoffs = row.handoffs.as_ref()?;
    (handoffs.total() > 0).then(|| part(handoffs) as f64 / handoffs.total() as f64)
}

columns! {
    /// A lock class.
    LOCK: LockRow {
        "type" [key] "" "type" Word Neutral PerfLock "Type of the lock, by perf's names." => |r| Some(r.kind.clone());
        "con_bounces" [key] "lock_stat" "con-bounces" Count Lower LockStat "Contentions whose previous holder was another CPU." => |r| Some(r.con_bounces);
        "contentions" [key] "lock_stat" "contentions" Count Lower LockStat "Failed first attempts." => |r| Some(r.contentions);
        "waittime_min_ns" [key] "lock_stat" "waittime-min" Ns Lower LockStat "Shortest wait." => |r| r.waittime_min_ns;
        "waittime_max_ns" [key] "lock_stat" "waittime-max" Ns Lower LockStat "Longest wait." => |r| r.waittime_max_ns;
        "waittime_total_ns" [key] "lock_stat" "waittime-total" Ns Lower LockStat "Sum of all waits." => |r| Some(r.waittime_total_ns);
        "waittime_avg_ns" [key] "lock_stat" "waittime-avg" Ns Lower LockStat "Mean wait of a contended acquisition." => |r| r.waittime_avg_ns;
        "acq_bounces" [key] "lock_stat" "acq-bounces" Count Lower LockStat "Acquisitions whose previous holder was another CPU." => |r| Some(r.acq_bounces);
        "acquisitions" [key] "lock_stat" "acquisitions" Count Lower LockStat "Acquisitions." => |r| Some(r.acquisitions);
        "holdtime_min_ns" [key] "lock_stat" "holdtime-min" Ns Lower LockStat "Shortest hold." => |r| r.holdtime_min_ns;
        "holdtime_max_ns" [key] "lock_stat" "holdtime-max" Ns Lower LockStat "Longest hold." => |r| r.holdtime_max_ns;
        "holdtime_total_ns" [key] "lock_stat" "holdtime-total" Ns Lower LockStat "Sum of all holds." => |r| Some(r.holdtime_total_ns);
        "holdtime_avg_ns" [key] "lock_stat" "holdtime-avg" Ns Lower LockStat "Mean hold." => |r| r.holdtime_avg_ns;
        "queued_contentions" [key] "contention" "queued" Count Lower Own "Contentions that went through a queue: what the kernel's contention tracepoint counts." => |r| r.queued_contentions;
        "true_contentions" [key] "contention" "true" Count Lower Own "Contentions whose holder worked on the same 2 MiB region." => |r| Some(r.true_contentions);
        "false_contentions" [key] "contention" "false" Count Lower Own "Contentions whose holder worked on another 2 MiB region: a finer lock would not have had them." => |r| Some(r.false_contentions);
        "true_wait_ns" [key] "contention" "true wait" Ns Lower Own "Part of the wait during which the holder worked on the waiter's region." => |r| r.true_wait_ns;
        "abandoned" [key] "contention" "abandoned" Count Lower Own "Tries that failed and were not repeated." => |r| r.abandoned;
        "wait_p50_ns" [key] "wait" "wait-p50" Ns Lower Own "Median wait of a contended acquisition." => |r| r.wait_p50_ns;
        "wait_p99_ns" [key] "wait" "wait-p99" Ns Lower Own "99th percentile of the wait of a contended acquisition." => |r| r.wait_p99_ns;
        "wait_p999_ns" [key] "wait" "wait-p99.9" Ns Lower Own "99.9th percentile of the wait of a contended acquisition." => |r| r.wait_p999_ns;
        "hold_p50_ns" [key] "hold" "hold-p50" Ns Lower Own "Median hold." => |r| r.hold_p50_ns;
        "hold_p99_ns" [key] "hold" "hold-p99" Ns Lower Own "99th percentile of the hold." => |r| r.hold_p99_ns;
        "handoff_cpu_share" [computed] "hand-off" "same CPU" Share Neutral Own "Hand-offs to the same CPU: handoffs.same_cpu over all hand-offs." => |r| handoffs(r, |h| h.same_cpu);
        "handoff_core_share" [computed] "hand-off" "core" Share Neutral Own "Hand-offs to the other hardware thread of the core: handoffs.same_core over all hand-offs." => |r| handoffs(r, |h| h.same_core);
        "handoff_llc_share" [computed] "hand-off" "LLC" Share Neutral Own "Hand-offs under one last-level cache: handoffs.same_llc over all hand-offs." => |r| handoffs(r, |h| h.same_llc);
        "handoff_node_share" [computed] "hand-off" "node" Share Neutral Own "Hand-offs between last-level caches of a node: handoffs.same_node over all hand-offs." => |r| handoffs(r, |h| h.same_node);
        "handoff_remote_share" [computed] "hand-off" "remote" Share Lower Own "Hand-offs to another node: handoffs.remote over all hand-offs." => |r| handoffs(r, |h| h.remote);
        "queue_max" [key] "queue" "queue-max" Count Lower Own "Most waiters at once." => |r| r.queue_max;
        "queue_avg" [key] "queue" "queue-avg" Plain Lower Own "Time-weighted mean number of waiters (Little's law)." => |r| r.queue_avg;
        "fairness_jain" [key] "" "fairness" Plain Higher Own "Jain's index of the acquisitions by CPU: 1 is fair, 1/n is one CPU alone." => |r| r.fairness_jain;
        "utilisation" [key] "" "utilisation" Share Lower Own "Share of the time in which an instance was held: throughput times mean hold, over the instances." => |r| r.utilisation;
        "shared_acquisitions" [key] "" "shared" Count Neutral Own "Acquisitions in shared mode." => |r| r.shared_acquisitions;
        "instances" [key] "" "instances" Count Neutral Own "Locks of this class." => |r| r.instances;
    }
}

columns! {
    /// Hand-offs by distance.
    HANDOFF: Handoffs {
        "same_cpu" [key] "" "same CPU" Count Neutral Own "To the same CPU." => |r| Some(r.same_cpu);
        "same_core" [key] "" "same core" Count Neutral Own "To the other hardware thread of the core." => |r| Some(r.same_core);
        "same_llc" [key] "" "same LLC" Count Neutral Own "To another core under the same last-level cache." => |r| Some(r.same_llc);
        "same_node" [key] "" "same node" Count Neutral Own "To another last-level cache of the node." => |r| Some(r.same_node);
        "remote" [key] "" "remote" Count Lower Own "To another node." => |r| Some(r.remote);
    }
}
