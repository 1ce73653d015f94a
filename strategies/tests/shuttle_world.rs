//! The shuttle world: random and PCT schedules of a lock and of a strategy.
mod common;

use std::sync::Arc;

use common::{ToyHost, ToyModule};
use pamt_strategies::locks::{AnyLock, LOCKS, Lock, LockKindId, LockPlan, LockShared};
use pamt_strategies::measure::{Observation, Violation};
use pamt_strategies::pamt::{Env, Strategy};
use pamt_strategies::platform::explore::{ExploreBuild, ExploreCpu, Observer, Shuttle, run};
use pamt_strategies::platform::{Actor, Home, Ordering, Place, Platform, Words};
use pamt_strategies::registry::{StrategyParams, StrategySpec, build};
use pamt_strategies::units::{CpuId, NodeId, PAGES_PER_REGION, Pfn, Region};

const SCHEDULES: usize = 300;

/// Fails the execution at the first violation.
struct Strict;

impl Observer for Strict {
    fn observe(&self, cpu: CpuId, observation: Observation) {
        if let Observation::Violation(Violation { detail, .. }) = observation {
            panic!("CPU {cpu}: {detail}");
        }
    }
}

fn actors(
    threads: usize,
    body: impl Fn(&ExploreCpu<Shuttle>) + Send + Sync + 'static,
) -> Vec<Actor<Shuttle>> {
    let body = Arc::new(body);
    (0..threads)
        .map(|n| {
            let body = Arc::clone(&body);
            Actor {
                cpu: CpuId(n as u16),
                name: format!("cpu{n}"),
                body: Box::new(move |cpu: &ExploreCpu<Shuttle>| body(cpu)),
            }
        })
        .collect()
}

fn count_under(kind: LockKindId, cpus: usize, rounds: u64) {
    let mut build = ExploreBuild::<Shuttle>::new(cpus, 2, Arc::new(Strict));
    let shared = LockShared::<Shuttle>::new(&mut build);
    let lock = AnyLock::new(kind, &mut build, &LockPlan::new("lock", 1), &shared);
    let counter = Shuttle::words::<u64>(&mut build, Place::packed("counter", 1));
    let seen = counter.clone();
    let cpu = run(
        build,
        actors(cpus, move |cpu| {
            for _ in 0..rounds {
                let held = lock.acquire(cpu, 0, Region(0));
                let value = counter.load(cpu, 0, Ordering::Relaxed);
                counter.store(cpu, 0, value + 1, Ordering::Relaxed);
                lock.release(cpu, held);
            }
        }),
    );
    assert_eq!(seen.peek(&cpu, 0), cpus as u64 * rounds, "{}", kind.info().name);
}

#[test]
fn every_lock_excludes_under_random_and_pct_schedules() {
    for lock in LOCKS.iter().filter(|lock| lock.exclusive) {
        shuttle::check_random(move || count_under(lock.id, 3, 2), SCHEDULES);
        shuttle::check_pct(move || count_under(lock.id, 3, 2), SCHEDULES, 3);
    }
}

#[test]
fn a_long_queue_over_two_nodes_serves_everybody() {
    for kind in [LockKindId::QSpinLock, LockKindId::Cna, LockKindId::Cohort, LockKindId::Clh] {
        shuttle::check_random(move || count_under(kind, 8, 12), SCHEDULES);
    }
}

/// Three CPUs map and unmap pages of two regions; the backing pages of each lie in the other.
fn cross_region(spec: &StrategySpec) {
    let mut setup = ExploreBuild::<Shuttle>::new(3, 1, Arc::new(Strict));
    let locks = LockShared::<Shuttle>::new(&mut setup);
    let params = StrategyParams { regions: 2, home: Home::Node(NodeId(0)), locks: &locks };
    let strategy: Arc<dyn Strategy<Shuttle>> = Arc::from(build(spec, &mut setup, &params));
    let module = Arc::new(ToyModule::<Shuttle>::new(&mut setup, 2));
    let host = Arc::new(ToyHost::new(vec![Region(1), Region(0)]));
    let (s, m, h) = (Arc::clone(&strategy), Arc::clone(&module), Arc::clone(&host));
    let cpu = run(
        setup,
        actors(3, move |cpu| {
            let env = Env { ops: &*m, host: &*h };
            for round in 0..2 {
                let me = u64::from(Shuttle::cpu(cpu).0);
                let pfn = Pfn((me + round) % 2 * PAGES_PER_REGION + 100 + me);
                s.get(cpu, &env, pfn, None).unwrap_or_else(|error| panic!("get: {error}"));
                // The region may be held shared for an ADD that lies in it: the host would retry.
                while m.aug(cpu, pfn).status().is_error() {
                    Shuttle::pause(cpu);
                }
                m.page_remove(cpu, pfn);
                s.put(cpu, &env, pfn).unwrap_or_else(|error| panic!("put: {error}"));
            }
        }),
    );
    assert_eq!((module.present(&cpu), host.pairs_out()), (0, 0));
}

#[test]
fn strategies_that_exclude_busy_pass_with_backing_pages_in_each_others_regions() {
    for spec in
        ["global", "simple", "striped:2[cover=all,retries=0]", "per-2m[cover=all,retries=0]"]
    {
        let spec = StrategySpec::parse(spec).expect("known");
        shuttle::check_random(move || cross_region(&spec), SCHEDULES);
    }
}

#[test]
#[should_panic(expected = "OPERAND_BUSY")]
fn a_lock_of_the_target_alone_meets_busy() {
    let spec = StrategySpec::parse("per-2m[retries=0]").expect("known");
    shuttle::check_random(move || cross_region(&spec), 20 * SCHEDULES);
}
