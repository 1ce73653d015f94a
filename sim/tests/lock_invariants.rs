//! What any run of any lock must satisfy, on machines of any shape (locks.md, section 3).

use std::sync::{Arc, Mutex};

use pamt_sim::machine::{End, LineCounters, Profile, Topology};
use pamt_sim::{Sim, SimBuild, SimCpu, SimOptions, SimOutcome, run};
use pamt_strategies::locks::{AnyLock, LOCKS, Lock, LockInfo, LockKindId, LockPlan, LockShared};
use pamt_strategies::platform::{Actor, Platform, Stream};
use pamt_strategies::units::{CpuId, Cycles, Region};
use proptest::prelude::*;

/// One passage through the lock, in cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passage {
    cpu: u16,
    arrived: u64,
    acquired: u64,
    released: u64,
}

/// What each CPU does until `deadline`.
#[derive(Clone, Copy, Debug)]
struct Program {
    lock: LockKindId,
    critical: u64,
    parallel: u64,
    /// Both lengths are means of exponential draws.
    random: bool,
    deadline: u64,
    seed: u64,
}

fn length(cpu: &SimCpu, mean: u64, random: bool) -> Cycles {
    let u = ((Sim::random(cpu, Stream::Load) >> 11) + 1) as f64 / (1u64 << 53) as f64;
    Cycles(if random { (-u.ln() * mean as f64).round() as u64 } else { mean })
}

fn passages(profile: &Profile, cpus: u16, program: Program) -> (Vec<Passage>, SimOutcome) {
    let options = SimOptions { seed: program.seed, ..SimOptions::default() };
    let mut build = SimBuild::new(profile, options).expect("complete profile");
    let shared = LockShared::new(&mut build);
    let plan = LockPlan::new("lock", 1);
    let lock = Arc::new(AnyLock::<Sim>::new(program.lock, &mut build, &plan, &shared));
    let all: Arc<Mutex<Vec<Passage>>> = Arc::default();
    let actor = |id: u16| {
        let (lock, all) = (lock.clone(), all.clone());
        let Program { critical, parallel, random, deadline, .. } = program;
        let body = move |cpu: &SimCpu| {
            while Sim::now(cpu).0 < deadline {
                Sim::work(cpu, length(cpu, parallel, random));
                let arrived = Sim::now(cpu).0;
                let held = lock.acquire(cpu, 0, Region(0));
                let acquired = Sim::now(cpu).0;
                Sim::work(cpu, length(cpu, critical, random));
                let released = Sim::now(cpu).0;
                lock.release(cpu, held);
                let passage = Passage { cpu: id, arrived, acquired, released };
                all.lock().expect("one host thread").push(passage);
            }
        };
        Actor { cpu: CpuId(id), name: format!("cpu{id}"), body: Box::new(body) }
    };
    let out = run(build, (0..cpus).map(actor).collect());
    assert_eq!(out.end, End::Finished);
    let mut all = all.lock().expect("ended").clone();
    all.sort_by_key(|passage| (passage.acquired, passage.cpu));
    (all, out)
}

/// A machine of one of three kinds: two sockets, many last-level caches, eight sockets.
fn machine() -> impl Strategy<Value = Profile> {
    let kinds = prop_oneof![Just("spr-2s"), Just("milan-2s"), Just("skx-8s")];
    (kinds, 1..6u16, 1..3u16).prop_map(|(name, cores_per_llc, threads_per_core)| {
        let profile = Profile::builtin(name).expect("built in");
        let kind = profile.topology().clone();
        let topology = Topology { cores_per_llc, threads_per_core, ..kind };
        profile.with_topology(topology).expect("within the limits")
    })
}

fn locks(wanted: fn(&&LockInfo) -> bool) -> impl Strategy<Value = LockKindId> {
    let locks: Vec<LockKindId> = LOCKS.iter().filter(wanted).map(|lock| lock.id).collect();
    prop::sample::select(locks)
}

fn program(lock: impl Strategy<Value = LockKindId>) -> impl Strategy<Value = Program> {
    let lengths = (0..3000u64, 0..6000u64, any::<bool>());
    (lock, lengths, any::<u64>()).prop_map(|(lock, (critical, parallel, random), seed)| Program {
        lock,
        critical,
        parallel,
        random,
        deadline: 40_000,
        seed,
    })
}

/// CPUs of a machine that take part: at most 16, and less than asked for where there are fewer.
fn some(profile: &Profile, asked: u16) -> u16 {
    asked.min(profile.topology().cpus() as u16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn an_exclusive_lock_has_one_holder_at_a_time(
        profile in machine(), n in 1..16u16, program in program(locks(|lock| lock.exclusive))
    ) {
        let (all, _) = passages(&profile, some(&profile, n), program);
        for pair in all.windows(2) {
            prop_assert!(pair[0].released <= pair[1].acquired, "{pair:?}");
        }
    }

    #[test]
    fn throughput_stays_below_both_asymptotes(
        profile in machine(), n in 1..16u16, program in program(locks(|lock| lock.exclusive))
    ) {
        let program = Program { random: false, ..program };
        let n = some(&profile, n);
        let (all, out) = passages(&profile, n, program);
        let (passages, elapsed) = (all.len() as u64, out.elapsed.0);
        prop_assert!(passages * program.critical <= elapsed, "1/S");
        let cycle = program.critical + program.parallel;
        prop_assert!(passages * cycle <= u64::from(n) * elapsed, "N/(Z+S)");
    }

    /// N = X (R + Z), with the mean number at the lock taken from the order of arrivals and releases and
    /// not from the sojourn times.
    #[test]
    fn littles_law_holds_exactly(
        profile in machine(), n in 1..16u16, program in program(locks(|lock| lock.exclusive))
    ) {
        let n = some(&profile, n);
        let (all, _) = passages(&profile, n, program);
        let mut steps: Vec<(u64, i64)> =
            all.iter().flat_map(|p| [(p.arrived, 1), (p.released, -1)]).collect();
        steps.sort_unstable();
        let (mut present, mut area, mut last) = (0i64, 0u64, 0);
        for (at, step) in steps {
            area += present as u64 * (at - last);
            (present, last) = (present + step, at);
            prop_assert!((-1..=i64::from(n)).contains(&present), "{present} of {n} at the lock");
        }
        let sojourn: u64 = all.iter().map(|p| p.released - p.arrived).sum();
        prop_assert_eq!((present, area), (0, sojourn));
    }

    /// Arrivals closer together than a queue of read-modify-writes may be swapped by the coherence order.
    #[test]
    fn a_fifo_lock_serves_in_order_of_arrival(
        profile in machine(), n in 2..16u16, program in program(locks(|lock| lock.fifo))
    ) {
        const CLOSE: u64 = 12_000;
        let program = Program { critical: program.critical + 3_000, deadline: 200_000, ..program };
        let (all, _) = passages(&profile, some(&profile, n), program);
        let mut latest = 0;
        for passage in &all {
            prop_assert!(latest <= passage.arrived + CLOSE, "{passage:?} came after {latest}");
            latest = latest.max(passage.arrived);
        }
    }

    #[test]
    fn a_run_again_gives_the_same_bytes(
        profile in machine(), n in 1..16u16, program in program(locks(|_| true))
    ) {
        let n = some(&profile, n);
        let ((once, a), (again, b)) = (passages(&profile, n, program), passages(&profile, n, program));
        prop_assert_eq!(once, again);
        prop_assert_eq!((a.engine, a.elapsed, a.lines), (b.engine, b.elapsed, b.lines));
    }
}

/// As many CPUs as a machine may have, on two sockets.
fn widest() -> Profile {
    let profile = Profile::builtin("spr-2s").expect("built in");
    let topology = Topology { cores_per_llc: 32, ..profile.topology().clone() };
    assert_eq!(topology.cpus(), 512);
    profile.with_topology(topology).expect("within the limits")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, ..ProptestConfig::default() })]

    /// One passage of each CPU: with a lock whose waiters all try at once that is a quarter of a million
    /// operations.
    #[test]
    fn with_512_cpus_every_lock_serves_each_of_them_and_one_at_a_time(
        critical in 0..2000u64, parallel in 0..4000u64, random in any::<bool>(), seed in any::<u64>()
    ) {
        let profile = widest();
        for lock in LOCKS {
            let program = Program { lock: lock.id, critical, parallel, random, deadline: 1, seed };
            let (all, _) = passages(&profile, 512, program);
            let mut served: Vec<u16> = all.iter().map(|passage| passage.cpu).collect();
            served.sort_unstable();
            prop_assert!(served.into_iter().eq(0..512), "{}", lock.name);
            let alone = |pair: &[Passage]| pair[0].released <= pair[1].acquired;
            prop_assert!(!lock.exclusive || all.windows(2).all(alone), "{}", lock.name);
        }
    }
}

/// Transfers between cores and from the last-level cache.
fn transfers_per_passage(lock: LockKindId, cpus: u16) -> f64 {
    let profile = Profile::builtin("spr-2s").expect("built in");
    let (critical, parallel, random) = (600, 0, false);
    let program = Program { lock, critical, parallel, random, deadline: 400_000, seed: 1 };
    let (all, out) = passages(&profile, cpus, program);
    let moved = |counters: &LineCounters| counters.transfers() + counters.llc_hits;
    let transfers: u64 = out.lines.objects.iter().map(|object| moved(&object.counters)).sum();
    transfers as f64 / all.len() as f64
}

#[test]
fn a_queue_lock_moves_as_many_lines_a_hand_over_with_forty_waiters_as_with_four() {
    for lock in [LockKindId::Mcs, LockKindId::Clh, LockKindId::QSpinLock] {
        let (few, many) = (transfers_per_passage(lock, 4), transfers_per_passage(lock, 40));
        assert!((many / few - 1.0).abs() < 0.25, "{lock:?}: {few} then {many}");
    }
    let (few, many) = (
        transfers_per_passage(LockKindId::Ticket, 4),
        transfers_per_passage(LockKindId::Ticket, 40),
    );
    assert!(many > 4.0 * few, "ticket waiters all read each hand-over: {few} then {many}");
}

/// Throughput of the machine repairman: exponential work and service, no cost of coherence.
fn mva(n: u16, parallel: f64, critical: f64) -> f64 {
    let mut queue = 0.0;
    let mut throughput = 0.0;
    for customers in 1..=n {
        let response = critical * (1.0 + queue);
        throughput = f64::from(customers) / (response + parallel);
        queue = throughput * response;
    }
    throughput
}

#[test]
fn where_coherence_costs_little_throughput_is_that_of_the_machine_repairman() {
    assert!((mva(8, 1000.0, 200.0) - 4.6498e-3).abs() < 1e-7, "published vector");
    let profile = Profile::builtin("spr-2s").expect("built in");
    for (n, parallel) in [(1, 500_000), (4, 500_000), (16, 500_000), (16, 2_000_000)] {
        // A hand-over costs a few hundred cycles, so 0.3 per cent of this.
        let critical = 100_000;
        let (lock, random) = (LockKindId::Mcs, true);
        let deadline = 150_000_000;
        let program = Program { lock, critical, parallel, random, deadline, seed: 3 };
        let (all, out) = passages(&profile, n, program);
        let measured = all.len() as f64 / out.elapsed.0 as f64;
        let predicted = mva(n, parallel as f64, critical as f64);
        // Three standard deviations of a count of exponential intervals, and the hand-over.
        let allowed = 3.0 / (all.len() as f64).sqrt() + 0.005;
        assert!((measured / predicted - 1.0).abs() < allowed, "{n}: {measured} for {predicted}");
    }
}
