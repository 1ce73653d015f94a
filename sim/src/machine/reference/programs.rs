//! Programs that run in both worlds.

use std::sync::{Arc, Mutex};

use pamt_strategies::locks::{
    AnyLock, Lock, LockKindId, LockPlan, LockShared, QRwLock, RwLock as _,
};
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{
    Actor, Home, Ordering::SeqCst, Place, Platform, Stream, Until, Words,
};
use pamt_strategies::units::{CpuId, Cycles, Region};
use proptest::prelude::*;

/// What each CPU saw: values and times, in its own order.
pub(super) type Seen = Arc<Mutex<Vec<Vec<u64>>>>;

/// Actors on words of any world.
pub(super) trait Program {
    fn actors<P: Platform>(&self, build: &mut P::Build, seen: &Seen) -> Vec<Actor<P>>;
}

fn actor<P: Platform>(cpu: u16, body: impl FnOnce(&P::Cpu) + Send + 'static) -> Actor<P> {
    Actor { cpu: CpuId(cpu), name: format!("cpu{cpu}"), body: Box::new(body) }
}

fn saw<P: Platform>(seen: &Seen, cpu: &P::Cpu, value: u64) {
    let mut seen = seen.lock().expect("one host thread");
    seen[usize::from(P::cpu(cpu).0)].extend([value, P::now(cpu).0]);
}

/// Every CPU takes a lock and counts under it.
pub(super) struct LockLoop {
    pub(super) lock: LockKindId,
    pub(super) cpus: Vec<u16>,
    pub(super) rounds: u32,
    pub(super) critical: u64,
    pub(super) parallel: u64,
}

impl Program for LockLoop {
    fn actors<P: Platform>(&self, build: &mut P::Build, seen: &Seen) -> Vec<Actor<P>> {
        let shared = LockShared::new(build);
        let plan = LockPlan::new("lock", 1);
        let lock = Arc::new(AnyLock::<P>::new(self.lock, build, &plan, &shared));
        let count: P::Words<u64> = P::words(build, Place::padded("count", 1));
        let (rounds, critical, parallel) = (self.rounds, self.critical, self.parallel);
        let body = |cpu: &u16| {
            let (lock, count, seen) = (lock.clone(), count.clone(), seen.clone());
            actor::<P>(*cpu, move |cpu| {
                for _ in 0..rounds {
                    P::observe(cpu, Observation::Begin(Op::LockAcquire));
                    let held = lock.acquire(cpu, 0, Region(0));
                    let value = count.load(cpu, 0, SeqCst);
                    P::work(cpu, Cycles(critical));
                    count.store(cpu, 0, value + 1, SeqCst);
                    lock.release(cpu, held);
                    P::observe(cpu, Observation::End(Op::LockAcquire));
                    saw::<P>(&seen, cpu, value);
                    P::work(cpu, Cycles(P::random(cpu, Stream::Load) % (2 * parallel + 1)));
                }
            })
        };
        self.cpus.iter().map(body).collect()
    }
}

/// Readers and, each fourth time, writers of Linux' read-write lock.
pub(super) struct RwLoop {
    pub(super) cpus: Vec<u16>,
    pub(super) rounds: u32,
}

impl Program for RwLoop {
    fn actors<P: Platform>(&self, build: &mut P::Build, seen: &Seen) -> Vec<Actor<P>> {
        let shared = LockShared::new(build);
        let lock = Arc::new(QRwLock::<P>::new(build, &LockPlan::new("rwlock", 1), &shared));
        let rounds = self.rounds;
        let body = |cpu: &u16| {
            let (lock, seen) = (lock.clone(), seen.clone());
            actor::<P>(*cpu, move |cpu| {
                for _ in 0..rounds {
                    let draw = P::random(cpu, Stream::Load);
                    if draw % 4 == 0 {
                        let held = lock.write(cpu, 0, Region(0));
                        P::work(cpu, Cycles(draw % 500));
                        lock.write_unlock(cpu, held);
                    } else {
                        let held = lock.read(cpu, 0, Region(0));
                        P::work(cpu, Cycles(draw % 500));
                        lock.read_unlock(cpu, held);
                    }
                    saw::<P>(&seen, cpu, draw);
                }
            })
        };
        self.cpus.iter().map(body).collect()
    }
}

/// One step of a random program; words are those of three shared lines.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Load(usize),
    Store(usize, u64),
    StoreByte(usize, u32),
    Add(usize),
    Cas(usize, u64),
    SwapHalf(usize, u32),
    Touch(usize),
    Prefetch(usize),
    /// Until the word is not this, for so many reads.
    Spin(usize, u64, u32),
    OwnLoad,
    OwnStore,
    OwnAdd,
    Work(u64),
    Pause,
    Sleep(u64),
    /// Kicks the n-th actor's CPU.
    Kick(usize),
}

const WORDS: usize = 24;

/// Any step.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let word = || 0..WORDS;
    prop_oneof![
        4 => word().prop_map(Step::Load),
        3 => (word(), 0..4u64).prop_map(|(w, v)| Step::Store(w, v)),
        1 => (word(), 0..8u32).prop_map(|(w, b)| Step::StoreByte(w, b)),
        3 => word().prop_map(Step::Add),
        2 => (word(), 0..4u64).prop_map(|(w, v)| Step::Cas(w, v)),
        1 => (word(), 0..4u32).prop_map(|(w, h)| Step::SwapHalf(w, h)),
        1 => word().prop_map(Step::Touch),
        1 => word().prop_map(Step::Prefetch),
        3 => (word(), 0..3u64, 1..60u32).prop_map(|(w, v, r)| Step::Spin(w, v, r)),
        1 => Just(Step::OwnLoad),
        1 => Just(Step::OwnStore),
        1 => Just(Step::OwnAdd),
        3 => (0..2000u64).prop_map(Step::Work),
        1 => Just(Step::Pause),
        1 => (0..5000u64).prop_map(Step::Sleep),
        1 => (0..8usize).prop_map(Step::Kick),
    ]
}

/// Each CPU with its steps.
#[derive(Clone, Debug)]
pub(super) struct Steps(pub(super) Vec<(u16, Vec<Step>)>);

impl Program for Steps {
    fn actors<P: Platform>(&self, build: &mut P::Build, seen: &Seen) -> Vec<Actor<P>> {
        let shared: P::Words<u64> = P::words(build, Place::packed("w", WORDS).home(Home::Split));
        let cpus = P::cpu_count(build);
        let own: P::Words<u64> = P::words(build, Place::padded("own", cpus).private());
        shared.poke(build, 0, 2);
        let first = shared.clone();
        P::prepare(build, Box::new(move |cpu| first.store(cpu, 1, 1, SeqCst)));
        let ids: Vec<u16> = self.0.iter().map(|(cpu, _)| *cpu).collect();
        let body = |(cpu, steps): &(u16, Vec<Step>)| {
            let (shared, own, seen) = (shared.clone(), own.clone(), seen.clone());
            let (ids, steps) = (ids.clone(), steps.clone());
            actor::<P>(*cpu, move |cpu| {
                for step in steps {
                    let value = perform::<P>(cpu, step, &shared, &own, &ids);
                    saw::<P>(&seen, cpu, value);
                }
            })
        };
        self.0.iter().map(body).collect()
    }
}

fn perform<P: Platform>(
    cpu: &P::Cpu,
    step: Step,
    shared: &P::Words<u64>,
    own: &P::Words<u64>,
    ids: &[u16],
) -> u64 {
    let me = usize::from(P::cpu(cpu).0);
    match step {
        Step::Load(w) => return shared.load(cpu, w, SeqCst),
        Step::Store(w, value) => shared.store(cpu, w, value, SeqCst),
        Step::StoreByte(w, byte) => shared.store_u8_at(cpu, w, byte, 1, SeqCst),
        Step::Add(w) => return shared.fetch_add(cpu, w, 1, SeqCst),
        Step::Cas(w, old) => {
            let (Ok(found) | Err(found)) =
                shared.compare_exchange(cpu, w, old, old + 1, SeqCst, SeqCst);
            return found;
        }
        Step::SwapHalf(w, half) => return shared.swap_u16_at(cpu, w, half, 3, SeqCst).into(),
        Step::Touch(w) => shared.touch_16b(cpu, w),
        Step::Prefetch(w) => shared.prefetchw(cpu, w),
        Step::Spin(w, value, reads) => {
            let (Ok(found) | Err(found)) =
                shared.spin_until_for(cpu, w, Until::ne(value), reads, SeqCst);
            return found;
        }
        Step::OwnLoad => return own.load(cpu, me, SeqCst),
        Step::OwnStore => own.store(cpu, me, 7, SeqCst),
        Step::OwnAdd => return own.fetch_add(cpu, me, 1, SeqCst),
        Step::Work(length) => P::work(cpu, Cycles(length)),
        Step::Pause => P::pause(cpu),
        Step::Sleep(length) => {
            return P::sleep_until(cpu, P::now(cpu) + Cycles(length)) as u64;
        }
        Step::Kick(n) => P::kick(cpu, CpuId(ids[n % ids.len()])),
    }
    0
}
