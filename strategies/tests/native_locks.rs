//! Every lock on real threads: nobody shares a critical section, nobody is left waiting.

use std::sync::Arc;

use pamt_strategies::locks::{
    AnyLock, LOCKS, Layout, Lock, LockKindId, LockPlan, LockShared, QRwLock, RwLock,
};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeError, NativeOptions};
use pamt_strategies::platform::{Actor, Ordering, Place, Platform, Wake, Words};
use pamt_strategies::units::{CpuId, Region};

const ROUNDS: u32 = 400;

fn build(threads: usize) -> NativeBuild {
    NativeBuild::new(NativeOptions::new(threads, 1)).expect("no pinning asked for")
}

fn actors(
    threads: usize,
    body: impl Fn(&<Native as Platform>::Cpu) + Send + Sync + 'static,
) -> Vec<Actor<Native>> {
    let body = Arc::new(body);
    (0..threads)
        .map(|cpu| {
            let body = Arc::clone(&body);
            let name = format!("thread{cpu}");
            Actor { cpu: CpuId(cpu as u16), name, body: Box::new(move |cpu| body(cpu)) }
        })
        .collect()
}

/// Plain read, then plain write, of two words in turn: any second holder loses an update.
fn count_under(kind: LockKindId, threads: usize, layout: Layout) {
    let mut build = build(threads);
    let shared = LockShared::<Native>::new(&mut build);
    let plan = LockPlan::new("lock", 2).layout(layout);
    let lock = AnyLock::new(kind, &mut build, &plan, &shared);
    let counters = Native::words::<u64>(&mut build, Place::padded("counter", 2));
    let seen = counters.clone();
    let out = native::run(
        build,
        actors(threads, move |cpu| {
            for round in 0..ROUNDS {
                let i = (round % 2) as usize;
                let held = lock.acquire(cpu, i, Region(round));
                let value = counters.load(cpu, i, Ordering::Relaxed);
                counters.store(cpu, i, value + 1, Ordering::Relaxed);
                lock.release(cpu, held);
            }
        }),
    )
    .expect("no thread panics");
    let sum = sum_of(&seen);
    assert_eq!(sum, u64::from(ROUNDS) * threads as u64, "{}", kind.info().name);
    let stats = &out.measurement.locks[0];
    assert_eq!(stats.acquisitions, sum, "{}", kind.info().name);
    assert_eq!(stats.hold.histogram.len(), sum);
}

fn sum_of(words: &<Native as Platform>::Words<u64>) -> u64 {
    let (sum, words) = (Arc::new(std::sync::Mutex::new(0)), words.clone());
    let out = Arc::clone(&sum);
    native::run(
        build(1),
        actors(1, move |cpu| {
            *out.lock().expect("one thread") = (0..words.len()).map(|i| words.peek(cpu, i)).sum();
        }),
    )
    .expect("reading does not panic");
    *sum.lock().expect("one thread")
}

#[test]
fn no_lock_loses_an_update_on_as_many_threads_as_cpus() {
    let threads = native::host_cpus().len().min(4);
    for lock in LOCKS.iter().filter(|lock| lock.exclusive) {
        count_under(lock.id, threads, Layout::Packed);
        count_under(lock.id, threads, Layout::Padded);
    }
}

#[test]
fn no_lock_loses_an_update_or_hangs_on_more_threads_than_cpus() {
    let threads = native::host_cpus().len() * 2 + 1;
    for lock in LOCKS.iter().filter(|lock| lock.exclusive) {
        count_under(lock.id, threads, Layout::Padded);
    }
}

#[test]
fn a_reader_never_sees_half_a_write_and_writers_exclude_each_other() {
    let threads = native::host_cpus().len() * 2;
    let mut build = build(threads);
    let shared = LockShared::<Native>::new(&mut build);
    let lock = QRwLock::new(&mut build, &LockPlan::new("mmu_lock", 1), &shared);
    let words = Native::words::<u64>(&mut build, Place::padded("pair", 2));
    let seen = words.clone();
    native::run(
        build,
        actors(threads, move |cpu| {
            for round in 0..ROUNDS {
                if round % 4 == 0 {
                    let held = lock.write(cpu, 0, Region(0));
                    for i in 0..2 {
                        let value = words.load(cpu, i, Ordering::Relaxed);
                        words.store(cpu, i, value + 1, Ordering::Relaxed);
                    }
                    lock.write_unlock(cpu, held);
                } else {
                    let held = lock.read(cpu, 0, Region(0));
                    let pair = [0, 1].map(|i| words.load(cpu, i, Ordering::Relaxed));
                    assert_eq!(pair[0], pair[1], "a reader saw half a write");
                    lock.read_unlock(cpu, held);
                }
            }
        }),
    )
    .expect("no thread panics");
    assert_eq!(sum_of(&seen), 2 * u64::from(ROUNDS / 4) * threads as u64);
}

#[test]
fn a_panic_under_a_lock_ends_the_run_and_is_named() {
    for lock in LOCKS.iter().filter(|lock| lock.exclusive) {
        let mut build = build(2);
        let shared = LockShared::<Native>::new(&mut build);
        let class = AnyLock::new(lock.id, &mut build, &LockPlan::new("lock", 1), &shared);
        let error = native::run(
            build,
            actors(2, move |cpu| {
                let held = class.acquire(cpu, 0, Region(0));
                assert!(Native::cpu(cpu) != CpuId(1), "planted");
                class.release(cpu, held);
                // CPU 0 may have come first: then it waits for the lock that is never released.
                let held = class.acquire(cpu, 0, Region(0));
                class.release(cpu, held);
            }),
        );
        match error {
            Err(NativeError::Panicked { actor, message }) => {
                assert_eq!((actor.as_str(), message.as_str()), ("thread1", "planted"));
            }
            other => panic!("{}: {other:?}", lock.name),
        }
    }
}

#[test]
fn a_kick_ends_a_sleep_and_a_deadline_ends_it_without() {
    let mut build = build(2);
    let clock = Native::clock(&build);
    let flag = Native::words::<u32>(&mut build, Place::packed("flag", 1));
    native::run(
        build,
        actors(2, move |cpu| {
            if Native::cpu(cpu) == CpuId(1) {
                Native::kick(cpu, CpuId(0));
                return;
            }
            let far = Native::now(cpu) + clock.cycles(60e9);
            assert_eq!(Native::sleep_until(cpu, far), Wake::Kicked);
            flag.store(cpu, 0, 1, Ordering::Release);
            let near = Native::now(cpu) + clock.cycles(200e3);
            assert_eq!(Native::sleep_until(cpu, near), Wake::Deadline);
            assert!(Native::now(cpu) >= near);
        }),
    )
    .expect("no thread panics");
}
