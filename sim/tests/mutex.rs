//! Linux' mutex, as KVM's global ones are: one holder at a time, waiters in the order of their arrival.

use std::sync::{Arc, Mutex as Shared};

use pamt_sim::machine::{End, Profile};
use pamt_sim::{Sim, SimBuild, SimCpu, SimOptions, run};
use pamt_strategies::locks::{LockPlan, LockShared, Mutex};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::{CpuId, Cycles, Region};

const CPUS: u16 = 12;
const ROUNDS: usize = 20;
/// Longer than a transfer of the lock, shorter than a round of all CPUs.
const HOLD: u64 = 5_000;

#[test]
fn a_mutex_has_one_holder_and_its_spinners_take_turns() {
    let profile = Profile::builtin("spr-2s").expect("built in");
    let mut build = SimBuild::new(&profile, SimOptions::default()).expect("complete profile");
    let shared = LockShared::new(&mut build);
    let mutex = Arc::new(Mutex::<Sim>::new(&mut build, &LockPlan::new("mutex", 1), &shared));
    let holds: Arc<Shared<Vec<(u64, u64, u16)>>> = Arc::default();
    let actor = |id: u16| {
        let (mutex, holds) = (Arc::clone(&mutex), Arc::clone(&holds));
        let body = move |cpu: &SimCpu| {
            for _ in 0..ROUNDS {
                let held = mutex.acquire(cpu, 0, Region(0));
                let from = Sim::now(cpu).0;
                Sim::work(cpu, Cycles(HOLD));
                let to = Sim::now(cpu).0;
                mutex.release(cpu, held);
                holds.lock().expect("one host thread").push((from, to, id));
                // Who asks again at once takes it before the head of the queue has seen it free.
                Sim::work(cpu, Cycles(HOLD));
            }
        };
        Actor { cpu: CpuId(id), name: format!("cpu{id}"), body: Box::new(body) }
    };
    let out = run(build, (0..CPUS).map(actor).collect());
    assert_eq!(out.end, End::Finished);
    let mut holds = holds.lock().expect("ended").clone();
    holds.sort_unstable();
    assert_eq!(holds.len(), usize::from(CPUS) * ROUNDS);
    assert!(holds.windows(2).all(|pair| pair[0].1 <= pair[1].0), "two holders at a time");
    let turns = |id| holds.iter().take(holds.len() / 2).filter(|hold| hold.2 == id).count();
    let most = (0..CPUS).map(turns).max().expect("CPUs");
    let least = (0..CPUS).map(turns).min().expect("CPUs");
    assert!(most - least <= 1, "{least} to {most} turns");
}
