//! The shuttle world: random and PCT schedules of a lock and of a strategy.
mod common;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use std::sync::Arc;

use common::{ToyHost, ToyModule};
use pamt_strategies::locks::{AnyLock, LOCKS, Lock, LockKindId, LockPlan, LockShared};
use pamt_strategies::measure::{Observation, Violation};
use pamt_strategies::module::StatusName;
use pamt_strategies::pamt::{Env, PamtError, Strategy};
use pamt_strategies::platform::explore::{ExploreBuild, ExploreCpu, Observer, Shuttle, run};
use pamt_strategies::platform::{Actor, Home, Ordering, Place, Platform, Words};
use pamt_strategies::registry::{ModuleMode, STRATEGIES, StrategyParams, StrategySpec, build};
use pamt_strategies::units::{CpuId, NodeId, PAGES_PER_REGION, Pfn, Region};

/// Of the first schedule; the explored ones follow from it, so that a failure comes again.
const SEED: u64 = 1;

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

/// Explores `schedules` random schedules.
fn random(seed: u64, schedules: usize, f: impl Fn() + Send + Sync + 'static) {
    let scheduler = RandomScheduler::new_from_seed(seed, schedules);
    Runner::new(scheduler, Config::default()).run(f);
}

#[test]
fn every_lock_excludes_under_random_and_pct_schedules() {
    for lock in LOCKS.iter().filter(|lock| lock.exclusive) {
        random(SEED, SCHEDULES, move || count_under(lock.id, 3, 2));
        let pct = PctScheduler::new_from_seed(SEED, 3, SCHEDULES);
        Runner::new(pct, Config::default()).run(move || count_under(lock.id, 3, 2));
    }
}

#[test]
fn a_long_queue_over_two_nodes_serves_everybody() {
    use LockKindId::{Clh, Cna, Cohort, QSpinLock, Shfl};
    for kind in [QSpinLock, Cna, Cohort, Clh, Shfl] {
        random(SEED, SCHEDULES, move || count_under(kind, 8, 12));
    }
}

/// A tolerant caller tries again after BUSY, as a host may do with a fault; nobody can with a put.
fn get(
    strategy: &dyn Strategy<Shuttle>,
    cpu: &ExploreCpu<Shuttle>,
    env: &Env<'_, Shuttle>,
    pfn: Pfn,
    tolerant: bool,
) {
    while let Err(error) = strategy.get(cpu, env, pfn, None) {
        let busy = matches!(error, PamtError::Module(s) if s.is(StatusName::OperandBusy));
        assert!(busy && tolerant, "get: {error}");
        Shuttle::pause(cpu);
    }
}

/// Three CPUs map and unmap pages of two regions; the backing pages of each lie in the other.
fn cross_region(spec: &StrategySpec, tolerant: bool) {
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
            s.td_create(cpu, &env).unwrap_or_else(|error| panic!("td_create: {error}"));
            for round in 0..2 {
                let me = u64::from(Shuttle::cpu(cpu).0);
                let pfn = Pfn((me + round) % 2 * PAGES_PER_REGION + 100 + me);
                get(&*s, cpu, &env, pfn, tolerant);
                // The region may be held shared for an ADD that lies in it: the host would retry.
                loop {
                    let status = m.aug(cpu, pfn).status();
                    if !status.is(StatusName::OperandBusy) {
                        assert!(!status.is_error(), "AUG without its pair: {status}");
                        break;
                    }
                    Shuttle::pause(cpu);
                }
                m.page_remove(cpu, pfn);
                s.put(cpu, &env, pfn).unwrap_or_else(|error| panic!("put: {error}"));
            }
            s.td_destroy(cpu, &env).unwrap_or_else(|error| panic!("td_destroy: {error}"));
        }),
    );
    let env = Env { ops: &*module, host: &*host };
    strategy.quiesce(&cpu, &env).unwrap_or_else(|error| panic!("quiesce: {error}"));
    assert_eq!((module.present(&cpu), host.pairs_out()), (0, 0));
}

#[test]
fn strategies_that_exclude_busy_pass_with_backing_pages_in_each_others_regions() {
    let covered = ["striped:2[cover=all,retries=0]", "per-2m[cover=all,retries=0]"];
    let sound = STRATEGIES
        .iter()
        .filter(|info| info.module == ModuleMode::Dynamic && !info.known_unsound())
        .map(|info| info.name);
    for spec in sound.chain(covered) {
        let spec = StrategySpec::parse(spec).expect("known");
        println!("{}", spec.text());
        random(SEED, SCHEDULES, move || cross_region(&spec, false));
    }
}

/// What the first failing schedule from each of eight seeds says.
fn failures(spec: &'static str) -> Vec<String> {
    let first_failure = |seed| {
        let explored = std::panic::catch_unwind(|| {
            let spec = StrategySpec::parse(spec).expect("known");
            random(seed, 10 * SCHEDULES, move || cross_region(&spec, true));
        });
        let payload = explored.err()?;
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    };
    (SEED..SEED + 8).filter_map(first_failure).collect()
}

/// Whether some failure of the strategy says one of these.
fn fails_by(spec: &'static str, signs: &[&str]) {
    let failures = failures(spec);
    let found = failures.iter().any(|failure| signs.iter().any(|sign| failure.contains(sign)));
    assert!(found, "{spec}: none of {signs:?} in {failures:#?}");
}

#[test]
fn a_lock_of_the_target_alone_meets_busy() {
    fails_by("per-2m[retries=0]", &["OPERAND_BUSY"]);
    fails_by("striped:2[retries=0]", &["OPERAND_BUSY"]);
}

#[test]
fn two_puts_that_drop_outside_the_lock_remove_one_pair_twice() {
    for spec in ["rfc", "v2", "v4"] {
        fails_by(spec, &["NO_PAMT_PAGE_PAIR"]);
    }
}

#[test]
fn v3_07_and_kick_lock_release_a_pair_too_early() {
    for spec in ["v3-07", "kick-lock"] {
        fails_by(spec, &["without a pair", "PAMT_PAGE_NOT_EMPTY", "without its pair", "NO_PAMT"]);
    }
}

/// Runs of pages, whose gets and puts are of different lengths and come from different CPUs.
fn runs_of_pages(spec: &StrategySpec) {
    let mut setup = ExploreBuild::<Shuttle>::new(3, 2, Arc::new(Strict));
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
            let me = u64::from(Shuttle::cpu(cpu).0);
            let first = Pfn(me % 2 * PAGES_PER_REGION + 100);
            s.get_many(cpu, &env, first, 3, None).unwrap_or_else(|error| panic!("get: {error}"));
            s.put(cpu, &env, first).unwrap_or_else(|error| panic!("put: {error}"));
            assert_ne!(s.peek_refcount(cpu, first.region()), Some(0), "two pages are left");
            s.put_many(cpu, &env, Pfn(first.0 + 1), 2)
                .unwrap_or_else(|error| panic!("put: {error}"));
        }),
    );
    let env = Env { ops: &*module, host: &*host };
    strategy.quiesce(&cpu, &env).unwrap_or_else(|error| panic!("quiesce: {error}"));
    assert_eq!((module.present(&cpu), host.pairs_out()), (0, 0));
}

#[test]
fn a_run_of_pages_counts_as_its_pages_do() {
    for spec in ["global", "simple", "parked", "parked:1", "parked:0"] {
        let spec = StrategySpec::parse(spec).expect("known");
        random(SEED, SCHEDULES, move || runs_of_pages(&spec));
    }
}
