//! `check` finds what is known to be wrong by itself, and nothing where nothing is known.

use pamt_harness::check::scenario::{SCENARIOS, Scope, in_scopes};
use pamt_harness::check::{CheckOptions, Checked, check, explore_weak, replay};
use pamt_strategies::measure::ViolationKind;
use pamt_strategies::registry::StrategySpec;

fn checked(spec: &str, scopes: &[Scope], schedules: u64) -> Vec<Checked> {
    let spec = StrategySpec::parse(spec).expect("known");
    check(&spec, &CheckOptions { scenarios: in_scopes(scopes), schedules, seed: 1, weak: None })
}

/// The first violation of each scenario that has one.
fn found(spec: &str, scopes: &[Scope]) -> Vec<(&'static str, ViolationKind)> {
    let all = checked(spec, scopes, 300);
    all.iter()
        .filter_map(|c| Some((c.scenario.name, c.failure.as_ref()?.story.violations[0].kind)))
        .collect()
}

#[test]
fn two_puts_that_drop_outside_the_lock_are_found() {
    for spec in ["rfc", "v2", "v4"] {
        let expected = [("put/get-put", ViolationKind::PutFailed)];
        assert_eq!(found(spec, &[Scope::FourK]), expected, "{spec}");
    }
}

#[test]
fn pairs_that_go_too_early_are_found() {
    let early = found("v3-07", &[Scope::FourK]);
    assert!(early.contains(&("get/get", ViolationKind::EarlyRelease)), "{early:?}");
    let early = found("kick-lock", &[Scope::FourK]);
    assert!(early.contains(&("get/get", ViolationKind::MissingPair)), "{early:?}");
}

#[test]
fn busy_through_foreign_backing_pages_is_found() {
    let busy = found("per-2m[retries=0]", &[Scope::FourK]);
    assert!(
        busy.contains(&("backing in each other: get/put", ViolationKind::PutFailed)),
        "{busy:?}"
    );
}

#[test]
fn a_demote_makes_a_put_of_upstream_busy() {
    for spec in ["v6", "simple"] {
        let busy = found(spec, &[Scope::Split]);
        assert!(
            busy.contains(&("DEMOTE with its pair in B: put", ViolationKind::PutFailed)),
            "{spec}: {busy:?}"
        );
    }
}

#[test]
fn sound_strategies_pass_and_parked_passes_with_splits_too() {
    for spec in ["v6", "simple", "three-region", "global-rw", "domain", "static"] {
        assert_eq!(found(spec, &[Scope::FourK]), [], "{spec}");
    }
    for spec in ["parked", "parked:0"] {
        assert_eq!(found(spec, &[Scope::FourK, Scope::Split]), [], "{spec}");
    }
}

#[test]
fn a_failing_schedule_fails_again() {
    let spec = StrategySpec::parse("v4").expect("known");
    let all = checked("v4", &[Scope::FourK], 300);
    let failed = all.iter().find(|c| c.failure.is_some()).expect("v4 is unsound");
    let first = failed.failure.as_ref().expect("it failed");
    let again = replay(&spec, failed.scenario, &first.schedule).expect("it fails again");
    assert_eq!(again.story.events, first.story.events);
    // Replayed, it can be looked at: locks, SEAMCALLs and the region's history by name.
    let trace = again.write_trace(Vec::new()).expect("memory");
    let trace = String::from_utf8_lossy(&trace);
    for name in ["CPU 1", "pamt_lock", "TDH.PHYMEM.PAMT.REMOVE"] {
        assert!(trace.contains(name), "no {name} in the trace");
    }
}

#[test]
fn under_weak_memory_sound_strategies_pass_and_a_lost_race_is_found() {
    let scenario =
        |name: &str| SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a scenario");
    for spec in ["v6", "parked"] {
        let spec = StrategySpec::parse(spec).expect("known");
        for (name, preemptions) in [("get/get", 3), ("get/put", 3), ("put/get/get", 2)] {
            let (coverage, failure) = explore_weak(&spec, scenario(name), 100);
            assert!(failure.is_none(), "{name}: {failure:#?}");
            assert_eq!(coverage.preemptions, preemptions, "{name}");
            assert!(coverage.executions == 100 || coverage.complete, "{name}: {coverage:?}");
        }
    }
    let spec = StrategySpec::parse("v3-07").expect("known");
    let (_, failure) = explore_weak(&spec, scenario("get/get"), 300);
    assert!(failure.is_some(), "v3-07 removes a pair that another CPU has just counted on");
}

#[test]
fn a_violation_is_printed_with_the_schedule_that_replays_it_and_exits_110() {
    let asked = ["check", "--strategy", "v3-07", "--schedules", "500"];
    let mut command = assert_cmd::Command::cargo_bin("pamt-bench").expect("built");
    let output = command.args(asked).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(110), "{said}");
    assert!(said.contains("FAIL ") && said.contains("schedule: 0*"), "{said}");
}

#[test]
fn one_scenario_can_be_asked_for() {
    let asked = ["check", "--strategy", "v6", "--schedules", "20", "--scenario", "put/put"];
    let mut command = assert_cmd::Command::cargo_bin("pamt-bench").expect("built");
    let output = command.args(asked).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("[4k] put/put"), "{said}");
}
