//! Simulated memory operations per host second, full statistics on, one host thread.
//!
//! `cargo bench -p pamt-sim --bench engine`; figures and how to read them: docs/performance.md.
//! Set-up (the machine, the stacks) is not timed; everything from the first event to the last is. CPUs are
//! switched between as by default and, in groups `*/by loop`, as on hosts that are not x86-64 (corosensei).

mod scenarios;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pamt_sim::machine::{Profile, Switch};
use scenarios::{SCENARIOS, Scenario, prepare, profile};

const CPUS: [usize; 4] = [2, 16, 128, 512];
/// Operations of one timed run, roughly.
const OPERATIONS: usize = 400_000;

/// Runs once; the time of the run and the operations in it.
fn timed(
    profile: &Profile,
    scenario: Scenario,
    cpus: usize,
    rounds: usize,
    switch: Switch,
) -> (Duration, u64) {
    let prepared = prepare(profile, scenario, cpus, rounds, switch);
    let begun = Instant::now();
    let outcome = prepared.run();
    (begun.elapsed(), outcome.engine.operations)
}

fn engine(c: &mut Criterion) {
    let profile = profile();
    for (name, scenario, per_round) in SCENARIOS {
        for (by, switch) in [("", Switch::default()), ("/by loop", Switch::ByLoop)] {
            let mut group = c.benchmark_group(format!("{name}{by}"));
            group.sample_size(10).measurement_time(Duration::from_secs(2));
            for cpus in CPUS {
                let rounds = OPERATIONS / per_round / cpus;
                let once = || timed(&profile, scenario, cpus, rounds, switch);
                group.throughput(Throughput::Elements(once().1));
                group.bench_function(BenchmarkId::from_parameter(cpus), |b| {
                    b.iter_custom(|runs| (0..runs).map(|_| once().0).sum());
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
