//! What workloads show, in small runs of the simulated world.

use std::collections::BTreeSet;

use pamt_harness::exec::{Prepared, run};
use pamt_harness::experiment::{Backend, Experiment};
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

/// Caches written back in no time: TDs come and go as fast as their pages allow, not one after the
/// other under KVM's mutex.
const NO_WRITE_BACK: (&str, &str) = ("machine.tdx.cache_wb_block_ns", "0");

/// Memory so scattered that most gets bring a region its first page.
const SCATTERED: &[(&str, &str)] = &[
    ("memory", "1048576"),
    ("while", "released"),
    ("tds", "10"),
    ("ageing", "0.95"),
    ("time", "40ms"),
    NO_WRITE_BACK,
];

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
fn a_td_that_cannot_start_leaves_no_pair_behind() {
    // The pool has pairs for the regions of this workload, not for all of memory.
    let refused = result("three-state", "neighbour-regions", &[]);
    assert!(refused.partial && refused.notes.iter().any(|note| note.contains("no memory")));
    assert_eq!(refused.correctness.violation_count, 0, "{:?}", refused.correctness);
    assert_eq!(refused.memory.pamt_pages_end, Some(0));
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
fn attackers_slow_the_faults_of_others_where_each_get_takes_the_global_lock() {
    // Three victims each time.
    let victims = |tds, attackers| {
        let options = [("tds", tds), ("attackers", attackers), ("memory", "8388608")];
        result("simple", "conversion-attack", &options).ops["fault"].clone()
    };
    let (quiet, attacked) = (victims("3", "0"), victims("7", "4"));
    assert!(attacked.mean_ns > quiet.mean_ns, "{} {}", attacked.mean_ns, quiet.mean_ns);
    assert!(attacked.p50_ns > quiet.p50_ns, "{:?} {:?}", attacked.p50_ns, quiet.p50_ns);
}

#[test]
fn tds_that_go_wait_for_each_other_while_caches_are_written_back_and_so_do_those_that_come() {
    let options = [("tds", "6"), ("time", "20ms"), ("while", "released")];
    let churn = result("static", "churn", &options);
    let lives = count(&churn, "td_create");
    assert_eq!(lives, count(&churn, "td_teardown"));
    // One call a package and life, more where an interrupt ended one.
    assert!(count(&churn, "TDH.PHYMEM.CACHE.WB") >= 2 * lives);
    assert_eq!(count(&churn, "TDH.MNG.KEY.CONFIG"), 2 * lives);
    assert_eq!(count(&churn, "TDH.VP.FLUSH"), 2 * lives);
    let mutex = &churn.locks["tdx_lock"];
    assert_eq!(mutex.acquisitions, 2 * lives);
    assert!(mutex.contentions > lives, "{} of {lives}", mutex.contentions);
    let statuses = ["TDH.MNG.CREATE", "TDH.MNG.VPFLUSHDONE", "TDH.MNG.KEY.FREEID"];
    assert!(statuses.iter().all(|leaf| busy(&churn, leaf).is_empty()), "{:?}", churn.busy);
    let quick = result("static", "churn", &[&options[..], &[NO_WRITE_BACK]].concat());
    assert!(count(&quick, "td_create") > lives, "{lives} with write-back");
}

#[test]
fn threads_of_a_host_create_and_destroy_tds_as_well() {
    let experiment = Experiment {
        backend: Backend::Native,
        oversubscribe: true,
        tds: 2,
        vcpus: 1,
        memory_bytes: 1 << 20,
        set: [("time".to_owned(), "0ns".to_owned())].into(),
        ..Experiment::of_workload("churn")
    };
    let run = run(&Prepared::new(&experiment).expect("valid")).expect("runs").result;
    assert!(!run.partial, "{:?}", run.notes);
    assert_eq!(run.correctness.verdict, Verdict::Clean, "{:?}", run.correctness);
    assert_eq!(count(&run, "td_create"), 2);
    assert_eq!(count(&run, "td_teardown"), 2);
}

#[test]
fn every_control_page_has_its_pair() {
    let run = result("global", "fault-storm", &[("tds", "1")]);
    // TDR and TDCS, two vCPUs, two tables above and two at the bottom, and the memory: the TD is created
    // before the run, so only the latter are counted.
    assert_eq!(count(&run, "pamt_get"), 1024 + 2 + 2);
    let run = result("global", "boot", &[("tds", "1"), ("launch", "10us"), ("pause", "0ns")]);
    assert_eq!(count(&run, "pamt_get"), 7 + 2 * 6 + 1024 + 2 + 2);
    assert_eq!(run.correctness.verdict, Verdict::Clean, "{:?}", run.correctness);
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
fn lazy_meets_busy_again_and_again_in_scattered_memory_and_is_known_to() {
    let churn = result("lazy", "churn", SCATTERED);
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

/// BUSY of a leaf by operand, such as `RDX`.
fn busy(result: &RunResult, leaf: &str) -> Vec<String> {
    result.busy.get(leaf).map_or_else(Vec::new, |by| by.keys().cloned().collect())
}

const ADD: &str = "TDH.PHYMEM.PAMT.ADD";
const REMOVE: &str = "TDH.PHYMEM.PAMT.REMOVE";
const DEMOTE: &str = "TDH.MEM.PAGE.DEMOTE";

#[test]
fn backing_pages_from_the_page_allocator_couple_regions_and_a_dedicated_pool_does_not() {
    let (mut adds, mut removes) = (BTreeSet::new(), BTreeSet::new());
    // Which regions a TD's pages come to lie in differs from seed to seed: three in six show R8.
    for seed in ["1", "2", "3", "4", "5", "6"] {
        let shared = result("per-2m", "churn", &[SCATTERED, &[("seed", seed)]].concat());
        adds.extend(busy(&shared, ADD));
        removes.extend(busy(&shared, REMOVE));
    }
    for seed in ["1", "2", "3"] {
        let pooled = [("seed", seed), ("pamt_pages", "dedicated-pool")];
        let pool = result("per-2m", "churn", &[SCATTERED, &pooled].concat());
        assert!(busy(&pool, ADD).is_empty() && busy(&pool, REMOVE).is_empty(), "{:?}", pool.busy);
        assert!(pool.correctness.pairs_added > 500, "{}", pool.correctness.pairs_added);
        assert_eq!(pool.correctness.verdict, Verdict::Clean, "{:?}", pool.correctness);
    }
    assert_eq!(adds, ["R8", "RCX", "RDX"].map(String::from).into());
    assert_eq!(removes, ["RCX".to_owned()].into());
}

#[test]
fn demote_meets_add_and_remove_of_other_tds_under_the_global_lock() {
    let small = [("memory", "2097152"), ("while", "released"), ("ageing", "0.98"), NO_WRITE_BACK];
    let run = |seed| {
        result(
            "global",
            "split-storm",
            &[&small[..], &[("tds", "16"), ("time", "60ms"), ("seed", seed)]].concat(),
        )
    };
    // Each of them is rare: a storm or two in six show any one.
    let storms = ["1", "2", "3", "4", "5", "6"].map(run);
    let met = |leaf| storms.iter().flat_map(|storm| busy(storm, leaf)).collect::<BTreeSet<_>>();
    // DEMOTE finds the region of a backing page held, or ADD and REMOVE find theirs held by DEMOTE.
    assert!(!met(DEMOTE).is_empty() && met(DEMOTE).is_subset(&["R12".into(), "R13".into()].into()));
    assert!(met(ADD).contains("RCX"), "{:?}", met(ADD));
    assert_eq!(met(REMOVE), ["RCX".to_owned()].into());
    let verdicts = storms.iter().map(|storm| storm.correctness.verdict);
    assert!(verdicts.clone().any(|verdict| verdict == Verdict::ExpectedViolations));
    assert!(storms.iter().flat_map(kinds).any(|kind| kind == "put_failed"));
    // Without splits the lock excludes all of that.
    let quiet =
        result("global", "churn", &[&small[..], &[("tds", "8"), ("time", "20ms")]].concat());
    assert!(busy(&quiet, ADD).is_empty() && busy(&quiet, REMOVE).is_empty(), "{:?}", quiet.busy);
}

#[test]
fn in_one_region_contention_is_true_and_in_neighbours_false() {
    let contention = |workload| {
        let run = result("global", workload, &[("rounds", "200"), ("guest", "0ns")]);
        assert_eq!(run.correctness.verdict, Verdict::Clean, "{workload}: {:?}", run.correctness);
        let lock = &run.locks["pamt_lock"];
        (lock.true_contentions, lock.false_contentions)
    };
    let (_, neighbours_false) = contention("neighbour-regions");
    assert_eq!(contention("neighbour-regions").0, 0);
    assert!(neighbours_false > 50, "{neighbours_false}");
    let (same_true, _) = contention("same-region");
    assert!(same_true > 0);
    let per_region = result("per-2m", "neighbour-regions", &[("rounds", "200")]);
    assert!(per_region.busy.is_empty(), "{:?}", per_region.busy);
}

#[test]
fn a_balloon_comes_back_and_splits_what_it_bursts() {
    for (page_size, splits) in [("4k", false), ("2m", true)] {
        let options = [("page_size", page_size), ("share", "0.05"), ("rounds", "2")];
        let balloon = result("parked", "balloon", &options);
        assert_eq!(
            balloon.correctness.violation_count, 0,
            "{page_size}: {:?}",
            balloon.correctness
        );
        assert_eq!(count(&balloon, "split") > 0, splits, "{page_size}");
        assert!(balloon.throughput.as_ref().is_some_and(|t| t.count > 0), "{page_size}");
    }
}

#[test]
fn scattered_memory_costs_pairs_and_2m_regions() {
    let aged = |ageing| {
        let run =
            result("global", "ageing", &[("ageing", ageing), ("lives", "3"), ("stay", "1ms")]);
        assert_eq!(run.correctness.verdict, Verdict::Clean, "{:?}", run.correctness);
        let censuses = run.memory.samples.iter().rev();
        let last = censuses.map(|sample| Some((sample.pamt_pages, sample.pamt_pages_least?)));
        let (pages, least) = last.flatten().next().expect("a census for each life");
        (pages as f64 / least as f64, run.memory)
    };
    let (fresh, _) = aged("0");
    let (old, memory) = aged("0.9");
    assert!(fresh < 4.0 && old > 2.0 * fresh, "pairs over minimum: {fresh} and {old}");
    assert!(memory.unmappable_regions_peak.is_some());
    let large = result("global", "fault-storm", &[("ageing", "0.5"), ("page_size", "2m")]);
    assert_eq!(large.correctness.violation_count, 0, "{:?}", large.correctness);
}

#[test]
fn a_larger_share_of_2m_mappings_leaves_fewer_gets() {
    let gets = |size| {
        let run = result("global", "mixed", &[("page_size", size)]);
        assert_eq!(run.correctness.violation_count, 0, "{size}: {:?}", run.correctness);
        count(&run, "pamt_get")
    };
    assert!(gets("4k") > gets("mixed:0.5") && gets("mixed:0.5") > gets("2m"));
}
