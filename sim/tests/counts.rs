//! The engine's work, as counts: they are equal on every host, so that a change that makes the engine do
//! more is seen without a clock. `counts.txt` holds what it does now, for the benchmark's scenarios.

#[path = "../benches/engine/scenarios.rs"]
mod scenarios;

use std::fmt::Write as _;

use pamt_sim::machine::Switch;
use scenarios::{SCENARIOS, prepare, profile};

/// Operations of a run, roughly.
const OPERATIONS: usize = 20_000;

#[test]
fn the_engine_does_no_more_than_the_checked_in_counts_say() {
    let profile = profile();
    let mut counts = String::from("scenario cpus operations events switches\n");
    for (name, scenario, per_round) in SCENARIOS {
        for cpus in [2, 16, 128] {
            let rounds = OPERATIONS / per_round / cpus;
            let run = |switch| prepare(&profile, scenario, cpus, rounds, switch).run().engine;
            let (did, row) = (run(Switch::default()), &mut counts);
            assert_eq!(
                did,
                run(Switch::ByLoop),
                "{name}, {cpus} CPUs: no count depends on the switch"
            );
            writeln!(row, "{name} {cpus} {} {} {}", did.operations, did.events, did.switches)
                .expect("a string takes any text");
        }
    }
    let expected = include_str!("counts.txt");
    assert_eq!(counts, expected, "if the change is meant, this is the new sim/tests/counts.txt");
}
