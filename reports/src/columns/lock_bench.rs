//! Columns of a row of the lock benchmark.

use super::columns;
use crate::schema::LockBenchRow;

/// Time held over time an acquisition: the utilisation law, where one holds the lock at a time.
fn utilisation(row: &LockBenchRow) -> Option<f64> {
    row.mva_ns_per_acquire.map(|_| row.critical_ns / row.ns_per_acquire)
}

/// A hardware counter an acquisition. It counts the warm-up, too, so this is a little too much.
fn counted(row: &LockBenchRow, name: &str) -> Option<f64> {
    let count = row.counters.get(name)?.count?;
    Some(count as f64 / row.acquires.max(1) as f64)
}

fn marks(row: &LockBenchRow) -> Option<String> {
    let marks = [(row.oversubscribed, "shared"), (row.partial, "partial")];
    let marks: Vec<&str> = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
    (!marks.is_empty()).then(|| marks.join(" "))
}

columns! {
    /// One run of the lock benchmark.
    LOCK_BENCH: LockBenchRow {
        "lock" [key] "" "lock" Word Neutral Own "The lock." => |r| Some(r.lock.clone());
        "threads" [key] "" "threads" Count Neutral Own "Threads, each on a CPU of its own." => |r| Some(r.threads);
        "critical_ns" [key] "" "critical" Ns Neutral Own "Time for which the lock is held." => |r| Some(r.critical_ns);
        "critical_distribution" [key] "" "critical is" Word Neutral Own "How that time is distributed." => |r| Some(r.critical_distribution.name().to_owned());
        "parallel_ns" [key] "" "parallel" Ns Neutral Own "Time between release and the next acquire." => |r| Some(r.parallel_ns);
        "parallel_distribution" [key] "" "parallel is" Word Neutral Own "How that time is distributed." => |r| Some(r.parallel_distribution.name().to_owned());
        "ns_per_acquire" [key] "" "an acquire" Ns Lower Own "Elapsed time over the acquisitions of all threads." => |r| Some(r.ns_per_acquire);
        "mva_ns_per_acquire" [key] "" "MVA" Ns Neutral Own "What mean-value analysis gives from critical and parallel alone, without coherence." => |r| r.mva_ns_per_acquire;
        "utilisation" [computed] "" "held" Share Neutral Own "Share of the time for which the lock was held: critical over an acquire." => utilisation;
        "fairness_jain" [key] "" "Jain" Plain Higher Own "Jain's index over the threads' rates: 1 is fair, 1/N is one thread alone." => |r| Some(r.fairness_jain);
        "transfers_per_acquire" [key] "" "transfers" Plain Lower Own "Moves of lines between cores, an acquisition; the simulator alone knows." => |r| r.transfers_per_acquire;
        "repeat_frac" [key] "" "repeats" Share Neutral Own "Two such runs of one build should differ by no more than this share, 19 times of 20; measured rows." => |r| r.repeat_frac;
        "marks" [computed] "" "marks" Word Neutral Own "`shared`: more threads than CPUs, which took turns; `partial`: cut short." => marks;
        "cycles_per_acquire" [computed] "" "cycles" Plain Neutral Own "Core cycles of all threads an acquire, where the host has the counter." => |r| counted(r, "cycles");
        "instructions_per_acquire" [computed] "" "instr." Plain Neutral Own "Instructions of all threads an acquire, where the host has the counter." => |r| counted(r, "instructions");
        "llc_misses_per_acquire" [computed] "" "LLC miss" Plain Neutral Own "Misses of the last-level cache of all threads an acquire, where the host has the counter." => |r| counted(r, "llc_misses");
        "lcl_hitm_per_acquire" [computed] "" "LclHitm" Plain Lower Own "Loads of all threads an acquire that a modified line of another core of the socket answered, where the host has the counter." => |r| counted(r, "lcl_hitm");
        "rmt_hitm_per_acquire" [computed] "" "RmtHitm" Plain Lower Own "Loads of all threads an acquire that a modified line of another socket answered, where the host has the counter." => |r| counted(r, "rmt_hitm");
        "acquires" [key] "" "acquires" Count Neutral Own "Acquisitions of all threads." => |r| Some(r.acquires);
        "elapsed_ns" [key] "" "elapsed" Ns Neutral Own "From the start to the end of the last thread." => |r| Some(r.elapsed_ns);
        "machine" [key] "" "machine" Word Neutral Own "Machine profile, or `host`." => |r| Some(r.machine.clone());
        "pin" [key] "" "pin" Word Neutral Own "Order of CPUs." => |r| Some(r.pin.clone());
        "seed" [key] "" "seed" Count Neutral Own "Seed." => |r| Some(r.seed);
        "backend" [key] "" "backend" Word Neutral Own "In which world it ran." => |r| Some(r.backend.clone());
    }
}
