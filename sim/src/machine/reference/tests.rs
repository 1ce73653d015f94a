//! The engine gives what the reference gives.

use std::sync::{Arc, Mutex};

use pamt_strategies::locks::LOCKS;
use proptest::prelude::*;

use super::super::build::{End, SimBuild, SimOptions};
use super::super::fiber::Switch;
use super::super::profile::Profile;
use super::super::topology::Topology;
use super::programs::{LockLoop, Program, RwLoop, Seen, Steps, step};
use super::{Build, Outcome};

const LINE_ROWS: usize = 32;

/// A profile and a small topology of its kind.
fn machine(name: &str, cores_per_llc: u16) -> Profile {
    let profile = Profile::builtin(name).expect("built in");
    let topology = Topology { cores_per_llc, ..profile.topology().clone() };
    profile.with_topology(topology).expect("within the limits")
}

/// One last-level cache a socket, several, and eight sockets in two groups.
fn machines() -> [Profile; 4] {
    [machine("spr-2s", 3), machine("milan-2s", 2), machine("skx-8s", 2), machine("icx-2s", 5)]
}

fn seen(profile: &Profile) -> Seen {
    Arc::new(Mutex::new(vec![Vec::new(); profile.topology().cpus()]))
}

/// Runs a program in both worlds and compares all that came out.
fn check(profile: &Profile, seed: u64, program: &impl Program) -> Outcome {
    check_with(profile, seed, program, Switch::ByLoop);
    check_with(profile, seed, program, Switch::default())
}

fn check_with(profile: &Profile, seed: u64, program: &impl Program, switch: Switch) -> Outcome {
    let (theirs, mine) = (seen(profile), seen(profile));
    let mut build = Build::new(profile, seed);
    let actors = program.actors(&mut build, &theirs);
    let reference = super::run(build, actors, LINE_ROWS);
    let options = SimOptions { seed, line_rows: LINE_ROWS, ..SimOptions::default() };
    let mut build = SimBuild::new(profile, options).expect("complete profile");
    build.switch_by(switch);
    let actors = program.actors(&mut build, &mine);
    let engine = super::super::build::run(build, actors);
    let (theirs, mine) = (theirs.lock().expect("ended"), mine.lock().expect("ended"));
    for (cpu, (theirs, mine)) in theirs.iter().zip(mine.iter()).enumerate() {
        assert_eq!(theirs, mine, "values and times on CPU {cpu}");
    }
    assert_eq!(reference.elapsed, engine.elapsed.0, "elapsed");
    assert_eq!(reference.finished, engine.end == End::Finished, "all actors ended");
    assert_eq!(reference.operations, engine.engine.operations, "operations");
    assert_eq!(reference.objects, engine.lines.objects, "sums by object");
    assert_eq!(reference.lines, engine.lines.lines, "rows by line");
    let [theirs, mine] = [&reference.measurement, &engine.measurement].map(|m| format!("{m:?}"));
    assert_eq!(theirs, mine, "measurement");
    reference
}

/// CPUs apart by a step that no CPU count here divides, so that some cores run both threads and some one.
fn some_cpus(profile: &Profile, count: usize) -> Vec<u16> {
    let cpus = profile.topology().cpus();
    (0..count.min(cpus)).map(|i| (i * 7 % cpus) as u16).collect()
}

#[test]
fn every_lock_runs_as_in_the_reference_on_every_kind_of_machine() {
    for profile in machines() {
        let cpus = some_cpus(&profile, 9);
        for lock in LOCKS {
            for (seed, critical, parallel) in [(1, 0, 0), (2, 300, 900)] {
                let (cpus, rounds) = (cpus.clone(), 12);
                let program = LockLoop { lock: lock.id, cpus, rounds, critical, parallel };
                let outcome = check(&profile, seed, &program);
                assert!(outcome.finished, "{} on {}", lock.name, profile.name());
            }
        }
        check(&profile, 3, &RwLoop { cpus, rounds: 12 });
    }
}

fn programs() -> impl Strategy<Value = (usize, u64, Vec<Vec<super::programs::Step>>)> {
    let steps = proptest::collection::vec(step(), 1..40);
    (0..4usize, any::<u64>(), proptest::collection::vec(steps, 1..8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn every_program_runs_as_in_the_reference((which, seed, steps) in programs()) {
        let profile = &machines()[which];
        let cpus = some_cpus(profile, steps.len());
        check(profile, seed, &Steps(cpus.into_iter().zip(steps).collect()));
    }
}
