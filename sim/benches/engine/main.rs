//! Simulated memory operations per host second, full statistics on, one host thread.
//!
//! `cargo bench -p pamt-sim --bench engine`; figures and how to read them: docs/performance.md.
//! Set-up (the machine, the stacks) is not timed; everything from the first event to the last is.

mod scenarios;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pamt_sim::machine::Profile;
use scenarios::{SCENARIOS, Scenario, prepare, profile};

const CPUS: [usize; 4] = [2, 16, 128, 512];
/// Operations of one timed run, roughly.
const OPERATIONS: usize = 400_000;

/// Runs once; the time of the run and the operations in it.
fn timed(profile: &Profile, scenario: Scenario, cpus: usize, rounds: usize) -> (Duration, u64) {
    let prepared = prepare(profile, scenario, cpus, rounds);
    let begun = Instant::now();
    let outcome = prepared.run();
    (begun.elapsed(), outcome.engine.operations)
}

fn engine(c: &mut Criterion) {
    let profile = profile();
    for (name, scenario, per_round) in SCENARIOS {
        let mut group = c.benchmark_group(name);
        group.sample_size(10).measurement_time(Duration::from_secs(2));
        for cpus in CPUS {
            let rounds = OPERATIONS / per_round / cpus;
            let (_, operations) = timed(&profile, scenario, cpus, rounds);
            group.throughput(Throughput::Elements(operations));
            group.bench_function(BenchmarkId::from_parameter(cpus), |b| {
                b.iter_custom(|runs| {
                    (0..runs).map(|_| timed(&profile, scenario, cpus, rounds).0).sum()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
