//! Leaves a host second: the module's own steps on one thread of this host, and on the simulated
//! machine with all its statistics.
//!
//! `cargo bench -p pamt-sim --bench leaves`; figures and how to read them: docs/performance.md.
//! Natively the delays that stand for what this host cannot do (SEAMCALL, PCONFIG, ...) are left out;
//! zeroing and scanning are done. Set-up is not timed.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Call, build, config, execute, guest_page, guest_run, life, pair, pair_read};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pamt_sim::machine::{self, Profile, Sim, SimBuild, SimOptions};
use pamt_sim::tdx::{CostTable, Module};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeOptions};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::CpuId;

/// Calls of one timed run, roughly.
const CALLS: usize = 20_000;

/// What is timed, and the calls before it.
struct Round {
    name: &'static str,
    before: Vec<Call>,
    calls: Vec<Call>,
}

fn rounds() -> [Round; 5] {
    let round = |name, before, calls| Round { name, before, calls };
    [
        round("pair", vec![], pair()),
        round("read", vec![], pair_read()),
        round("guest_page", build(), guest_page()),
        round("guest_run", build(), guest_run()),
        round("life", vec![], life()),
    ]
}

/// One actor that goes through a round often enough; the time of that, once it has ended.
fn actor<P: Platform>(
    build: &mut P::Build,
    costs: &CostTable,
    round: &Round,
) -> (Actor<P>, Arc<Mutex<Duration>>)
where
    Module<P>: Send + Sync,
{
    let module = Module::<P>::new(build, &config(), costs).expect("a valid configuration");
    let elapsed = Arc::new(Mutex::new(Duration::ZERO));
    let result = Arc::clone(&elapsed);
    let (before, calls) = (round.before.clone(), round.calls.clone());
    let body = Box::new(move |cpu: &P::Cpu| {
        execute(&module, cpu, &before);
        let begun = Instant::now();
        for _ in 0..CALLS / calls.len() {
            execute(&module, cpu, &calls);
        }
        *result.lock().expect("one actor") = begun.elapsed();
    });
    (Actor { cpu: CpuId(0), name: "leaves".into(), body }, elapsed)
}

fn native(round: &Round) -> Duration {
    let options = NativeOptions { record: false, ..NativeOptions::new(1, 1) };
    let mut build = NativeBuild::new(options).expect("a CPU");
    let (actor, elapsed) = actor::<Native>(&mut build, &CostTable::free(), round);
    native::run(build, vec![actor]).expect("a run");
    *elapsed.lock().expect("it has ended")
}

fn simulated(profile: &Profile, round: &Round) -> Duration {
    let mut build = SimBuild::new(profile, SimOptions::default()).expect("complete");
    let costs = CostTable::load(profile).expect("complete");
    let (actor, elapsed) = actor::<Sim>(&mut build, &costs, round);
    let outcome = machine::run(build, vec![actor]);
    assert_eq!(outcome.end, machine::End::Finished);
    *elapsed.lock().expect("it has ended")
}

fn leaves(c: &mut Criterion) {
    let profile = Profile::builtin("spr-2s").expect("built in");
    for round in rounds() {
        let mut group = c.benchmark_group(round.name);
        group.sample_size(10).measurement_time(Duration::from_secs(2));
        let calls = CALLS / round.calls.len() * round.calls.len();
        group.throughput(Throughput::Elements(calls as u64));
        group.bench_function("native", |b| {
            b.iter_custom(|runs| (0..runs).map(|_| native(&round)).sum());
        });
        group.bench_function("simulated", |b| {
            b.iter_custom(|runs| (0..runs).map(|_| simulated(&profile, &round)).sum());
        });
        group.finish();
    }
}

criterion_group!(benches, leaves);
criterion_main!(benches);
