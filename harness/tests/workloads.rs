//! What workloads show, in small runs of the simulated world.

use pamt_harness::exec::{Prepared, run};
use pamt_harness::experiment::Experiment;
use pamt_reports::schema::{RunResult, Verdict};

/// A small run; `options` are `--set` keys, and the options of a run that differ from the defaults.
fn result(strategy: &str, workload: &str, options: &[(&str, &str)]) -> RunResult {
    let mut experiment = Experiment {
        strategy: strategy.into(),
        tds: 4,
        vcpus: 2,
        memory_bytes: 4 << 20,
        ..Experiment::of_workload(workload)
    };
    for (key, value) in options {
        let value = (*value).to_owned();
        match *key {
            "page_size" => experiment.page_size = value,
            "placement" => experiment.placement = value,
            "pamt_pages" => experiment.pamt_pages = value,
            "tds" => experiment.tds = value.parse().expect("a number"),
            "memory" => experiment.memory_bytes = value.parse().expect("bytes"),
            "seed" => experiment.seed = value.parse().expect("a number"),
            _ => drop(experiment.set.insert((*key).to_owned(), value)),
        }
    }
    let prepared = Prepared::new(&experiment).expect("valid");
    run(&prepared).expect("runs").result
}

fn count(result: &RunResult, op: &str) -> u64 {
    result.ops.get(op).map_or(0, |op| op.count)
}

/// Kinds of the violations that were listed.
fn kinds(result: &RunResult) -> Vec<&str> {
    result.correctness.violations.iter().map(|v| v.kind.as_str()).collect()
}

#[test]
fn a_2m_mapping_needs_no_pair_and_one_call_for_512_pages() {
    let large = result("global", "fault-storm", &[("page_size", "2m")]);
    assert_eq!(large.correctness.verdict, Verdict::Clean, "{:?}", large.correctness);
    assert_eq!(large.throughput.as_ref().expect("work was done").count, 4 * 1024);
    assert_eq!(count(&large, "TDH.MEM.PAGE.AUG"), 4 * 2);
    // Tables down to the level above, and nothing for guest memory.
    assert_eq!(count(&large, "pamt_get"), 4 * 2);
    let small = result("global", "fault-storm", &[]);
    assert_eq!(count(&small, "pamt_get"), 4 * (1024 + 2 + 2));
    assert!(small.correctness.pairs_added > large.correctness.pairs_added);
}

#[test]
fn a_mix_maps_its_share_and_leaves_nothing_behind() {
    for strategy in ["global", "parked", "static", "prealloc", "three-state"] {
        let options = [("page_size", "mixed:0.5"), ("while", "runnable")];
        let mixed = result(strategy, "teardown", &options);
        assert_eq!(mixed.correctness.violation_count, 0, "{strategy}: {:?}", mixed.correctness);
        assert_eq!(mixed.memory.pamt_pages_end, Some(0), "{strategy}");
        let removed = count(&mixed, "TDH.MEM.PAGE.REMOVE");
        let all_small = ["prealloc", "three-state"].contains(&strategy);
        // A strategy whose regions always hold a pair gets no 2 MiB mapping at all.
        assert_eq!(removed, if all_small { 4 * 1024 } else { 4 * (512 + 1) }, "{strategy}");
    }
}

#[test]
fn a_split_brings_its_own_pair_and_counts_512_pages() {
    let options = [("tds", "1")];
    let storm = result("global", "split-storm", &options);
    assert_eq!(storm.correctness.verdict, Verdict::Clean, "{:?}", storm.correctness);
    assert_eq!(count(&storm, "TDH.MEM.PAGE.DEMOTE"), 2);
    assert_eq!(count(&storm, "split"), 2);
    // One pair for control pages and tables, and one a split, without a PAMT.ADD of its own.
    assert_eq!(storm.correctness.pairs_added, 3);
    assert_eq!(count(&storm, "TDH.PHYMEM.PAMT.ADD"), 0);
}

#[test]
fn a_storm_of_splits_goes_on_until_the_others_are_gone() {
    for strategy in ["global", "parked", "static", "striped:64"] {
        let storm = result(strategy, "split-storm", &[]);
        assert_eq!(storm.correctness.violation_count, 0, "{strategy}: {:?}", storm.correctness);
        assert!(!storm.partial, "{strategy}: {:?}", storm.notes);
        assert!(count(&storm, "TDH.MEM.PAGE.DEMOTE") > 4, "{strategy}");
        assert_eq!(count(&storm, "td_teardown"), 3, "{strategy}");
    }
}

#[test]
fn the_faults_of_an_attack_are_those_of_its_victims() {
    for (unit, page_size) in [("4k", "4k"), ("4k-alone", "4k"), ("4k", "2m"), ("2m", "2m")] {
        let options = [("unit", unit), ("page_size", page_size)];
        let attack = result("global", "conversion-attack", &options);
        assert_eq!(attack.correctness.violation_count, 0, "{unit}: {:?}", attack.correctness);
        let retries = attack.retries.get("fault").copied().unwrap_or(0);
        let mapped = if page_size == "4k" { 1024 } else { 2 };
        assert_eq!(count(&attack, "fault") - retries, 3 * mapped, "{unit} {page_size}");
        assert!(count(&attack, "conversion") > 0, "{unit} {page_size}");
    }
    let quiet = result("global", "conversion-attack", &[("attackers", "0")]);
    assert_eq!(count(&quiet, "conversion"), 0);
}

#[test]
fn churn_lives_several_lives_in_its_time() {
    for strategy in ["global", "parked", "prealloc"] {
        let churn = result(strategy, "churn", &[("time", "20ms"), ("while", "released")]);
        assert_eq!(
            churn.correctness.verdict,
            Verdict::Clean,
            "{strategy}: {:?}",
            churn.correctness
        );
        assert!(count(&churn, "td_teardown") > 4, "{strategy}");
        assert_eq!(count(&churn, "td_teardown"), count(&churn, "td_boot"), "{strategy}");
        assert_eq!(churn.memory.pamt_pages_end, Some(0), "{strategy}");
    }
}

#[test]
fn lazy_meets_busy_again_and_again_in_an_ordinary_run_and_is_known_to() {
    let options = [("tds", "6"), ("time", "30ms")];
    let churn = result("lazy", "churn", &options);
    assert_eq!(churn.correctness.verdict, Verdict::ExpectedViolations);
    assert!(kinds(&churn).contains(&"unbounded_retry"), "{:?}", churn.correctness);
    assert!(churn.correctness.violations.iter().all(|v| v.expected));
    assert!(!churn.partial, "{:?}", churn.notes);
}

#[test]
fn pairs_that_lie_in_the_region_they_serve_exclude_2m_pages() {
    let experiment = Experiment {
        pamt_pages: "same-region".into(),
        page_size: "2m".into(),
        ..Experiment::default()
    };
    let told = Prepared::new(&experiment).expect_err("refused").to_string();
    assert!(told.contains("--pamt-pages"), "{told}");
}

#[test]
fn every_placement_serves_small_and_large_pages() {
    for placement in ["unmovable-pcp", "contiguous", "interleaved", "neighbours", "random"] {
        for pamt_pages in ["unmovable-pcp", "random", "same-region", "dedicated-pool"] {
            for page_size in ["4k", "mixed:0.5"] {
                if pamt_pages == "same-region" && page_size != "4k" {
                    continue;
                }
                let options = [
                    ("placement", placement),
                    ("pamt_pages", pamt_pages),
                    ("page_size", page_size),
                ];
                let run = result("global", "boot-teardown", &options);
                let told = format!("{options:?}: {:?} {:?}", run.correctness, run.notes);
                assert_eq!(run.correctness.violation_count, 0, "{told}");
                assert!(!run.partial, "{told}");
            }
        }
    }
}
