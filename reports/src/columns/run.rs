//! Columns of a whole run, for comparison tables and CSV.

use super::columns;
use crate::schema::{LineCounts, LockRow, OpRow, RunResult};

fn op(result: &RunResult, name: &str, part: fn(&OpRow) -> u64) -> Option<u64> {
    result.ops.get(name).map(part)
}

/// Sum over all lock classes; absent when the run knows no locks.
fn locks(result: &RunResult, part: fn(&LockRow) -> u64) -> Option<u64> {
    (!result.locks.is_empty()).then(|| result.locks.values().map(part).sum())
}

/// Sum over all objects; absent when the run knows no lines.
fn lines(result: &RunResult, part: fn(&LineCounts) -> Option<u64>) -> Option<u64> {
    result
        .lines
        .values()
        .map(|object| part(&object.counts))
        .sum::<Option<u64>>()
        .filter(|_| !result.lines.is_empty())
}

fn busy(result: &RunResult) -> u64 {
    result.busy.values().flat_map(|operands| operands.values()).sum()
}

columns! {
    /// A whole run.
    RUN: RunResult {
        "throughput_per_second" [at "throughput.per_second"] "" "throughput" PerSecond Higher Own "Units of work per second of the run's clock." => |r| r.throughput.as_ref().map(|t| t.per_second);
        "virtual_time_ns" [key] "" "time" Ns Lower Own "Length of the run on the clock of its world." => |r| Some(r.virtual_time_ns);
        "pamt_get_count" [at "ops.pamt_get.count"] "get" "gets" Count Neutral Own "Calls of tdx_pamt_get()." => |r| op(r, "pamt_get", |o| o.count);
        "pamt_get_mean_ns" [at "ops.pamt_get.mean_ns"] "get" "get mean" Ns Lower Own "Mean length of tdx_pamt_get()." => |r| op(r, "pamt_get", |o| o.mean_ns);
        "pamt_get_p50_ns" [at "ops.pamt_get.p50_ns"] "get" "get p50" Ns Lower Own "Median length of tdx_pamt_get()." => |r| op(r, "pamt_get", |o| o.p50_ns);
        "pamt_get_p99_ns" [at "ops.pamt_get.p99_ns"] "get" "get p99" Ns Lower Own "99th percentile of tdx_pamt_get()." => |r| op(r, "pamt_get", |o| o.p99_ns);
        "pamt_get_max_ns" [at "ops.pamt_get.max_ns"] "get" "get max" Ns Lower Own "Longest tdx_pamt_get()." => |r| op(r, "pamt_get", |o| o.max_ns);
        "pamt_put_count" [at "ops.pamt_put.count"] "put" "puts" Count Neutral Own "Calls of tdx_pamt_put()." => |r| op(r, "pamt_put", |o| o.count);
        "pamt_put_mean_ns" [at "ops.pamt_put.mean_ns"] "put" "put mean" Ns Lower Own "Mean length of tdx_pamt_put()." => |r| op(r, "pamt_put", |o| o.mean_ns);
        "pamt_put_p50_ns" [at "ops.pamt_put.p50_ns"] "put" "put p50" Ns Lower Own "Median length of tdx_pamt_put()." => |r| op(r, "pamt_put", |o| o.p50_ns);
        "pamt_put_p99_ns" [at "ops.pamt_put.p99_ns"] "put" "put p99" Ns Lower Own "99th percentile of tdx_pamt_put()." => |r| op(r, "pamt_put", |o| o.p99_ns);
        "pamt_put_max_ns" [at "ops.pamt_put.max_ns"] "put" "put max" Ns Lower Own "Longest tdx_pamt_put()." => |r| op(r, "pamt_put", |o| o.max_ns);
        "contentions" [computed] "locks" "cont" Count Lower Own "Failed first attempts on all locks: the sum of locks.*.contentions." => |r| locks(r, |l| l.contentions);
        "true_contentions" [computed] "locks" "true" Count Lower Own "Sum of locks.*.true_contentions." => |r| locks(r, |l| l.true_contentions);
        "false_contentions" [computed] "locks" "false" Count Lower Own "Sum of locks.*.false_contentions." => |r| locks(r, |l| l.false_contentions);
        "waittime_total_ns" [computed] "locks" "wait" Ns Lower Own "Time that all CPUs waited for all locks: the sum of locks.*.waittime_total_ns." => |r| locks(r, |l| l.waittime_total_ns);
        "hitm" [computed] "lines" "HITM" Count Lower Own "Accesses served by a modified copy elsewhere: the sum of lines.*.lcl_hitm and lines.*.rmt_hitm." => |r| lines(r, |l| Some(l.total_hitm()));
        "invalidations" [computed] "lines" "inval" Count Lower Own "Sum of lines.*.invalidations." => |r| lines(r, |l| l.invalidations);
        "transfer_ns" [computed] "lines" "transfer" Ns Lower Own "Sum of lines.*.transfer_ns." => |r| lines(r, |l| l.transfer_ns);
        "busy" [computed] "module" "BUSY" Count Lower Own "TDX_OPERAND_BUSY returns of all leaves: the sum of busy.*.*." => |r| Some(busy(r));
        "pamt_pages_peak" [at "memory.pamt_pages_peak"] "memory" "PAMT pages" Pages Lower Own "PAMT pages that the module held, at most." => |r| r.memory.pamt_pages_peak;
        "strategy_bytes" [at "memory.strategy_bytes"] "memory" "own memory" Bytes Lower Own "Kernel memory of the strategy itself: refcounts and locks." => |r| r.memory.strategy_bytes;
        "irq_off_max_ns" [key] "latency" "irq-off" Ns Lower Own "Longest window with interrupts off." => |r| r.irq_off_max_ns;
        "preempt_off_max_ns" [key] "latency" "preempt-off" Ns Lower Own "Longest window with preemption off." => |r| r.preempt_off_max_ns;
        "violation_count" [at "correctness.violation_count"] "" "violations" Count Lower Own "Broken invariants." => |r| Some(r.correctness.violation_count);
    }
}
