//! Every page is accounted for at the end of every workload, whatever the parameters.
//!
//! A run compares the page allocator, the pair pool, the strategy's counts and the module's own state
//! (page counts, bitmap, child counts) with what the host believes; each mismatch is a violation.

use pamt_harness::exec::{Prepared, run};
use pamt_harness::experiment::Experiment;
use pamt_harness::workloads::{WORKLOADS, WorkloadInfo};
use pamt_reports::schema::RunResult;
use proptest::prelude::*;

/// Violations that no known weakness of a strategy explains: pages lost or counted twice.
const OF_BOOKS: [&str; 4] = ["leak", "accounting", "refcount_range", "module_fatal"];

fn outcome(experiment: &Experiment) -> RunResult {
    run(&Prepared::new(experiment).expect("valid")).expect("runs").result
}

/// Settings that keep a run of each workload short.
fn short(workload: &str) -> Vec<(&'static str, &'static str)> {
    match workload {
        "churn" => vec![("time", "5ms")],
        "ageing" => vec![("lives", "2"), ("stay", "1ms")],
        "same-region" | "neighbour-regions" => vec![("rounds", "20")],
        "balloon" => vec![("rounds", "1")],
        "boot" | "boot-teardown" => vec![("launch", "10us"), ("pause", "0ns")],
        _ => Vec::new(),
    }
}

/// Workloads that need no recording (those have tests of their own).
fn without_a_file() -> Vec<&'static WorkloadInfo> {
    WORKLOADS.iter().copied().filter(|workload| workload.name != "trace").collect()
}

fn any_experiment() -> impl Strategy<Value = Experiment> {
    let strategies =
        ["static", "global", "simple", "striped:4", "per-2m", "parked", "three-region"];
    let sizes = ["4k", "2m", "mixed:0.5"];
    let guests = ["unmovable-pcp", "contiguous", "interleaved", "neighbours", "random"];
    let pairs = ["unmovable-pcp", "dedicated-pool", "random"];
    (
        prop::sample::select(without_a_file()),
        prop::sample::select(strategies.to_vec()),
        (prop::sample::select(sizes.to_vec()), 1_u64..1200),
        (prop::sample::select(guests.to_vec()), prop::sample::select(pairs.to_vec())),
        (1_u32..5, 1_u32..4, 0_u64..1000),
        prop::sample::select(vec!["0", "0.5", "0.9"]),
    )
        .prop_map(
            |(workload, strategy, (size, pages), (guest, pair), (tds, vcpus, seed), age)| {
                let set = short(workload.name).into_iter().chain([("ageing", age)]);
                Experiment {
                    strategy: strategy.into(),
                    tds,
                    vcpus,
                    seed,
                    memory_bytes: pages << 12,
                    page_size: size.into(),
                    placement: guest.into(),
                    pamt_pages: pair.into(),
                    set: set.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
                    ..Experiment::of_workload(workload.name)
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_page_is_lost_or_counted_twice(experiment in any_experiment()) {
        let result = outcome(&experiment);
        let told = format!("{}\n{:#?}\n{:?}", experiment.command(), result.correctness, result.notes);
        prop_assert!(!result.partial, "{told}");
        // A put that met BUSY has leaked its pair, and is told; all else must balance.
        let excused = result.correctness.violations.iter().any(|v| v.kind == "put_failed");
        let unbalanced = |kind: &str| OF_BOOKS.contains(&kind) && kind != "accounting";
        let wrong = result.correctness.violations.iter().any(|v| unbalanced(&v.kind));
        prop_assert!(excused || !wrong, "{told}");
        if !result.correctness.known_unsound {
            prop_assert_eq!(result.correctness.violation_count, 0, "{}", told);
        }
    }
}
