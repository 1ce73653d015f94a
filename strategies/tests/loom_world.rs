//! The loom world: every execution of a lock and of a strategy, weak memory included.
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as HostOrdering};

use common::{ToyHost, ToyModule};
use pamt_strategies::locks::{AnyLock, LOCKS, Layout, Lock, LockKindId, LockPlan, LockShared};
use pamt_strategies::measure::{Observation, Violation};
use pamt_strategies::pamt::{Env, Strategy};
use pamt_strategies::platform::explore::{
    ExploreBuild, ExploreCpu, Loom, LoomWords, Observer, run,
};
use pamt_strategies::platform::{Actor, Home, Ordering, Place, Platform, Word, Words};
use pamt_strategies::registry::{StrategyParams, StrategySpec, build};
use pamt_strategies::units::{CpuId, NodeId, Pfn, Region};

/// Fails the execution at the first violation.
struct Strict;

impl Observer for Strict {
    fn observe(&self, cpu: CpuId, observation: Observation) {
        if let Observation::Violation(Violation { detail, .. }) = observation {
            panic!("CPU {cpu}: {detail}");
        }
    }
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) -> usize {
    let executions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        count.fetch_add(1, HostOrdering::Relaxed);
        model();
    });
    executions.load(HostOrdering::Relaxed)
}

type Body = Arc<dyn Fn(&ExploreCpu<Loom>) + Send + Sync>;

fn actors(threads: usize, body: Body) -> Vec<Actor<Loom>> {
    (0..threads)
        .map(|n| {
            let body = Arc::clone(&body);
            Actor {
                cpu: CpuId(n as u16),
                name: format!("cpu{n}"),
                body: Box::new(move |cpu| body(cpu)),
            }
        })
        .collect()
}

/// Plain read and write under the lock: a missing ordering loses an update.
fn count_under(kind: LockKindId, threads: usize) {
    let mut build = ExploreBuild::<Loom>::new(threads, 1, Arc::new(Strict));
    let shared = LockShared::<Loom>::new(&mut build);
    let plan = LockPlan::new("lock", 1).layout(Layout::Packed);
    let lock = AnyLock::new(kind, &mut build, &plan, &shared);
    let counter = Loom::words::<u64>(&mut build, Place::packed("counter", 1));
    let seen = counter.clone();
    let cpu = run(
        build,
        actors(
            threads,
            Arc::new(move |cpu| {
                let held = lock.acquire(cpu, 0, Region(0));
                let value = counter.load(cpu, 0, Ordering::Relaxed);
                counter.store(cpu, 0, value + 1, Ordering::Relaxed);
                lock.release(cpu, held);
            }),
        ),
    );
    assert_eq!(seen.peek(&cpu, 0), threads as u64);
}

#[test]
fn every_lock_orders_two_critical_sections() {
    for lock in LOCKS.iter().filter(|lock| lock.exclusive) {
        if matches!(lock.id, LockKindId::Tas | LockKindId::Ttas | LockKindId::Osq) {
            // Who waits in them (in osq, for a successor) writes, and loom explores ever more futile
            // exchanges before the release, because switching back to a thread that yielded is no
            // preemption to it. The shuttle world covers them.
            continue;
        }
        let executions = explore(2, move || count_under(lock.id, 2));
        assert!(executions > 1, "{}: nothing was explored", lock.name);
    }
}

#[test]
fn the_queue_of_qspinlock_orders_three_critical_sections() {
    explore(1, || count_under(LockKindId::QSpinLock, 3));
}

#[test]
#[should_panic(expected = "assertion")]
fn a_lock_without_orderings_is_found() {
    explore(2, || {
        let mut build = ExploreBuild::<Loom>::new(2, 1, Arc::new(Strict));
        let flag = Loom::words::<u32>(&mut build, Place::packed("flag", 1));
        let counter = Loom::words::<u64>(&mut build, Place::packed("counter", 1));
        let seen = counter.clone();
        let body = move |cpu: &ExploreCpu<Loom>| {
            // Everything relaxed: mutual exclusion holds, but the sections are not ordered.
            while flag.swap(cpu, 0, 1, Ordering::Relaxed) == 1 {
                Loom::pause(cpu);
            }
            let value = counter.load(cpu, 0, Ordering::Relaxed);
            counter.store(cpu, 0, value + 1, Ordering::Relaxed);
            flag.store(cpu, 0, 0, Ordering::Relaxed);
        };
        let cpu = run(build, actors(2, Arc::new(body)));
        assert_eq!(seen.peek(&cpu, 0), 2);
    });
}

/// Two CPUs add 1 each to what a CPU alone has left there, and it then finds the sum.
fn add_before_during_and_after<W: Word>(len: usize) {
    let mut build = ExploreBuild::<Loom>::new(2, 1, Arc::new(Strict));
    let words = Loom::words::<W>(&mut build, Place::packed("words", len));
    let (early, racing, late) = (words.clone(), words.clone(), words);
    let add = move |words: &LoomWords<W>, cpu: &_, n| {
        words.fetch_add(cpu, len - 1, W::from_u64(n), Ordering::Relaxed);
    };
    Loom::prepare(&mut build, Box::new(move |cpu| add(&early, cpu, 10)));
    let cpu = run(build, actors(2, Arc::new(move |cpu| add(&racing, cpu, 1))));
    assert_eq!(late.peek(&cpu, len - 1).to_u64(), 12);
    add(&late, &cpu, 10);
    assert_eq!(late.load(&cpu, len - 1, Ordering::Relaxed).to_u64(), 22);
}

#[test]
fn a_word_keeps_its_value_when_a_race_begins_and_ends() {
    explore(2, || add_before_during_and_after::<u16>(3));
    explore(2, || add_before_during_and_after::<u32>(3));
    explore(2, || add_before_during_and_after::<u64>(3));
    explore(2, || add_before_during_and_after::<u64>(300));
}

fn get_and_put(spec: &StrategySpec) {
    let mut setup = ExploreBuild::<Loom>::new(2, 1, Arc::new(Strict));
    let locks = LockShared::<Loom>::new(&mut setup);
    let params = StrategyParams { regions: 2, home: Home::Node(NodeId(0)), locks: &locks };
    let strategy: Arc<dyn Strategy<Loom>> = Arc::from(build(spec, &mut setup, &params));
    let module = Arc::new(ToyModule::<Loom>::new(&mut setup, 2));
    let host = Arc::new(ToyHost::new(vec![Region(1)]));
    let (s, m, h) = (Arc::clone(&strategy), Arc::clone(&module), Arc::clone(&host));
    let cpu = run(
        setup,
        actors(
            2,
            Arc::new(move |cpu| {
                let env = Env { ops: &*m, host: &*h };
                s.get(cpu, &env, Pfn(1), None).expect("a get does not fail");
                assert!(!m.aug(cpu, Pfn(1)).status().is_error(), "a page without its pair");
                m.page_remove(cpu, Pfn(1));
                s.put(cpu, &env, Pfn(1)).expect("a put does not fail");
            }),
        ),
    );
    strategy.quiesce(&cpu, &Env { ops: &*module, host: &*host }).expect("nothing is in use");
    assert_eq!((module.present(&cpu), host.pairs_out()), (0, 0));
    assert_eq!(strategy.peek_refcount(&cpu, Region(0)), Some(0));
}

#[test]
fn the_pair_stays_while_it_is_used_in_every_execution() {
    for spec in ["global[lock=ticket]", "simple[lock=ticket]", "per-2m", "state", "parked:1"] {
        let spec = StrategySpec::parse(spec).expect("known");
        let text = spec.text().to_owned();
        let executions = explore(2, move || get_and_put(&spec));
        println!("{text}: {executions} executions");
        assert!(executions > 100, "{text}: only {executions} executions");
    }
}
