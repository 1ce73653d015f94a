//! What queueing theory predicts for a run from its own demands, to set beside the simulation.
//!
//! A run is taken as a closed network: N busy CPUs, each of which thinks for Z (all work outside of
//! locks) and then visits each lock for its mean hold, D for each unit of work. Exact mean-value
//! analysis (Reiser and Lavenberg, 1980) gives the throughput; the asymptotic bounds are N / (Z + D)
//! and one over the greatest demand of an instance. It knows holds as they were, but no hand-off cost
//! and no burst: where the simulation is slower, those are why.

use crate::schema::RunResult;

/// One kind of lock: `instances` equal servers over which the visits spread evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Station {
    /// Time held for each unit of work, all instances together, in ns.
    pub demand_ns: f64,
    /// Number of instances.
    pub instances: u64,
}

/// A prediction, per second of the run's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Busy CPUs, on the average of the run, rounded.
    pub customers: u64,
    /// Time outside of locks for each unit of work, in ns.
    pub think_ns: f64,
    /// No more is possible.
    pub bound_per_second: f64,
    /// The lock that sets the bound; `None` when the CPUs do.
    pub bottleneck: Option<String>,
    /// By mean-value analysis.
    pub mva_per_second: f64,
}

/// Throughput in units of work per ns of a closed network with `customers` and think time `think_ns`.
#[must_use]
pub fn mean_value_analysis(customers: u64, think_ns: f64, stations: &[Station]) -> f64 {
    // Mean number at one instance of each station, with one customer fewer.
    let mut queues = vec![0.0; stations.len()];
    let mut throughput = 0.0;
    for n in 1..=customers {
        let times: Vec<f64> =
            stations.iter().zip(&queues).map(|(s, queue)| s.demand_ns * (1.0 + queue)).collect();
        throughput = n as f64 / (think_ns + times.iter().sum::<f64>());
        for ((queue, time), station) in queues.iter_mut().zip(&times).zip(stations) {
            *queue = throughput * time / station.instances as f64;
        }
    }
    throughput
}

/// The prediction for a run; `None` when it does not say where its time went.
#[must_use]
pub fn predict(result: &RunResult) -> Option<Prediction> {
    let work = result.throughput.as_ref().filter(|t| t.count > 0)?.count as f64;
    // Readers share a lock: they are no single server.
    let exclusive = result.locks.iter().filter(|(_, lock)| !lock.kind.starts_with("rw"));
    let locks: Vec<_> = exclusive.filter(|(_, lock)| lock.holdtime_total_ns > 0).collect();
    let held: u64 = locks.iter().map(|(_, lock)| lock.holdtime_total_ns).sum();
    let waited: u64 = locks.iter().map(|(_, lock)| lock.waittime_total_ns).sum();
    let busy: u64 = result.spans.iter().map(|span| span.self_ns).sum();
    let outside = busy.checked_sub(held + waited).filter(|ns| *ns > 0)?;
    let customers = (busy as f64 / result.virtual_time_ns as f64).round() as u64;
    if customers == 0 {
        return None;
    }
    let station = |instances: Option<u64>, held: u64| Station {
        demand_ns: held as f64 / work,
        instances: instances.unwrap_or(1).max(1),
    };
    let stations: Vec<Station> =
        locks.iter().map(|(_, lock)| station(lock.instances, lock.holdtime_total_ns)).collect();
    let think_ns = outside as f64 / work;
    let by_cpus = customers as f64 / (think_ns + held as f64 / work);
    let by_lock = |station: &Station| station.instances as f64 / station.demand_ns;
    let tightest = locks.iter().zip(&stations).min_by(|a, b| by_lock(a.1).total_cmp(&by_lock(b.1)));
    let tightest = tightest.filter(|(_, station)| by_lock(station) < by_cpus);
    const NS_PER_SECOND: f64 = 1e9;
    Some(Prediction {
        customers,
        think_ns,
        bound_per_second: NS_PER_SECOND * tightest.map_or(by_cpus, |(_, station)| by_lock(station)),
        bottleneck: tightest.map(|((name, _), _)| (*name).clone()),
        mva_per_second: NS_PER_SECOND * mean_value_analysis(customers, think_ns, &stations),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{LockRow, SpanRow, Throughput};

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs()
    }

    #[test]
    fn the_recursion_gives_the_values_worked_by_hand() {
        let lock = [Station { demand_ns: 1.0, instances: 1 }];
        assert!(near(mean_value_analysis(1, 10.0, &lock), 1.0 / 11.0));
        // R(2) = 1 + Q(1) = 12/11, X(2) = 2 / (10 + 12/11).
        assert!(near(mean_value_analysis(2, 10.0, &lock), 22.0 / 122.0));
        assert!(near(mean_value_analysis(50, 0.0, &lock), 1.0));
    }

    #[test]
    fn equal_instances_are_the_same_as_so_many_locks() {
        let striped = [Station { demand_ns: 4.0, instances: 4 }];
        let four = [Station { demand_ns: 1.0, instances: 1 }; 4];
        for n in [1, 3, 17] {
            let (a, b) =
                (mean_value_analysis(n, 7.0, &striped), mean_value_analysis(n, 7.0, &four));
            assert!(near(a, b), "{n}: {a} {b}");
        }
    }

    #[test]
    fn a_saturated_lock_is_named_as_the_bottleneck_and_bounds_the_prediction() {
        let lock = LockRow {
            kind: "spinlock".into(),
            holdtime_total_ns: 900,
            waittime_total_ns: 2_000,
            ..LockRow::default()
        };
        let span = SpanRow { count: 10, path: vec!["pamt_get".into()], self_ns: 4_000 };
        let result = RunResult {
            locks: [("pamt_lock".to_owned(), lock)].into(),
            spans: vec![span],
            throughput: Some(Throughput { count: 10, ..Throughput::default() }),
            virtual_time_ns: 1_000,
            ..RunResult::default()
        };
        let prediction = predict(&result).expect("all is known");
        assert_eq!(prediction.customers, 4);
        assert_eq!(prediction.bottleneck.as_deref(), Some("pamt_lock"));
        assert!(near(prediction.bound_per_second, 1e9 / 90.0));
        assert!(prediction.mva_per_second < prediction.bound_per_second);
    }
}
