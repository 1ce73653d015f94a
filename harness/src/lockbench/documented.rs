//! A run of the benchmark as the file holds it.

use std::collections::BTreeMap;

use pamt_reports::queueing::{Station, mean_value_analysis};
use pamt_reports::schema::{Distribution, LockBenchRow, World};

use super::{Length, LockBench, LockRow};

/// The row of `bench` on the simulated machine of this name, or on this host.
#[must_use]
pub fn documented(bench: &LockBench, row: &LockRow, machine: Option<&str>) -> LockBenchRow {
    let distribution = |length| match length {
        Length::Constant(_) => Distribution::Constant,
        Length::Exponential(_) => Distribution::Exponential,
    };
    LockBenchRow {
        acquires: row.acquires,
        backend: if machine.is_some() { "sim" } else { "native" }.into(),
        counters: BTreeMap::new(),
        critical_distribution: distribution(bench.critical),
        critical_ns: bench.critical.mean_ns(),
        elapsed_ns: row.elapsed.0,
        fairness_jain: row.fairness_jain,
        lock: bench.lock.name().to_owned(),
        machine: machine.unwrap_or("host").to_owned(),
        mva_ns_per_acquire: without_coherence(bench),
        ns_per_acquire: row.ns_per_acquire,
        oversubscribed: row.oversubscribed,
        parallel_distribution: distribution(bench.parallel),
        parallel_ns: bench.parallel.mean_ns(),
        partial: row.partial,
        pin: bench.pin.name(),
        repeat_frac: None,
        seed: bench.seed,
        threads: bench.threads as u64,
        transfers_per_acquire: row.transfers_per_acquire,
        world: if machine.is_some() { World::Modelled } else { World::Measured },
    }
}

/// Mean-value analysis of an exclusive lock that is held at all.
fn without_coherence(bench: &LockBench) -> Option<f64> {
    let demand_ns = bench.critical.mean_ns();
    if !bench.lock.exclusive() || demand_ns == 0.0 {
        return None;
    }
    let lock = Station { demand_ns, instances: 1 };
    let per_ns = mean_value_analysis(bench.threads as u64, bench.parallel.mean_ns(), &[lock]);
    Some(1.0 / per_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockbench::Subject;

    #[test]
    fn mean_value_analysis_gives_the_textbook_figures_for_exclusive_locks_only() {
        let bench = |lock: &str, threads| LockBench {
            critical: Length::Constant(200.0),
            parallel: Length::Exponential(1000.0),
            ..LockBench::new(Subject::parse(lock).expect("known"), threads)
        };
        // Machine repairman with Z = 1000 and S = 200: 3.0083 per us at 4, 4.6498 at 8.
        let ns = |threads| without_coherence(&bench("mcs", threads)).expect("exclusive");
        assert!((1000.0 / ns(4) - 3.0083).abs() < 1e-3 && (1000.0 / ns(8) - 4.6498).abs() < 1e-3);
        assert_eq!(without_coherence(&bench("refcount", 4)), None);
        assert_eq!(without_coherence(&LockBench::new(bench("mcs", 1).lock, 4)), None);
    }
}
