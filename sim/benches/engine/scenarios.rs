//! What the engine's speed is measured on, and its work counted on.

use pamt_sim::machine::{
    Profile, Sim, SimBuild, SimCpu, SimOptions, SimOutcome, SimWords, Switch, Topology, run,
};
use pamt_strategies::platform::{Actor, Ordering, Place, Platform, Until, Words};
use pamt_strategies::units::{CpuId, Cycles};

type Body = Box<dyn FnOnce(&SimCpu) + Send>;
/// Makes the bodies for so many CPUs and rounds.
pub(crate) type Scenario = fn(&mut SimBuild, usize, usize) -> Vec<Body>;

/// Name, scenario, and operations of a round, roughly.
pub(crate) const SCENARIOS: [(&str, Scenario, usize); 3] =
    [("mcs", mcs, 6), ("fetch_add", fetch_add, 1), ("private", private, 2)];

/// Sapphire Rapids with enough cores for 512 hardware threads.
pub(crate) fn profile() -> Profile {
    let profile = Profile::builtin("spr-2s").expect("built in");
    let topology = Topology { cores_per_llc: 32, ..profile.topology().clone() };
    profile.with_topology(topology).expect("within the limits")
}

/// MCS by hand: swap of the tail, link, wait on the own node, CAS of the tail, grant.
fn mcs(build: &mut SimBuild, cpus: usize, rounds: usize) -> Vec<Body> {
    let tail: SimWords<u32> = Sim::words(build, Place::packed("tail", 1));
    let nodes: SimWords<u32> = Sim::words(build, Place::packed("nodes", cpus * 16));
    let body = |me: usize| -> Body {
        Box::new(move |cpu| {
            let (next, granted) = (me * 16, me * 16 + 1);
            for _ in 0..rounds {
                nodes.store(cpu, next, 0, Ordering::Relaxed);
                nodes.store(cpu, granted, 0, Ordering::Relaxed);
                let before = tail.swap(cpu, 0, me as u32 + 1, Ordering::AcqRel) as usize;
                if before != 0 {
                    nodes.store(cpu, (before - 1) * 16, me as u32 + 1, Ordering::Release);
                    nodes.spin_until(cpu, granted, Until::ne(0), Ordering::Acquire);
                }
                Sim::work(cpu, Cycles(3000));
                if nodes.load(cpu, next, Ordering::Acquire) == 0 {
                    let (done, other) = (Ordering::Release, Ordering::Relaxed);
                    if tail.compare_exchange(cpu, 0, me as u32 + 1, 0, done, other).is_ok() {
                        continue;
                    }
                    nodes.spin_until(cpu, next, Until::ne(0), Ordering::Acquire);
                }
                let after = nodes.load(cpu, next, Ordering::Relaxed) as usize;
                nodes.store(cpu, (after - 1) * 16 + 1, 1, Ordering::Release);
            }
        })
    };
    (0..cpus).map(body).collect()
}

/// LOCK XADD of all CPUs on one word: each one misses.
fn fetch_add(build: &mut SimBuild, cpus: usize, rounds: usize) -> Vec<Body> {
    let word: SimWords<u64> = Sim::words(build, Place::packed("word", 1));
    let body = |_| -> Body {
        Box::new(move |cpu| {
            for _ in 0..rounds {
                word.fetch_add(cpu, 0, 1, Ordering::Relaxed);
            }
        })
    };
    (0..cpus).map(body).collect()
}

/// Re-reads of a word that nobody else uses, declared private, with some work between.
fn private(build: &mut SimBuild, cpus: usize, rounds: usize) -> Vec<Body> {
    let all = Sim::cpu_count(build);
    let words: SimWords<u64> = Sim::words(build, Place::padded("own", all).private());
    let body = |me: usize| -> Body {
        Box::new(move |cpu| {
            for round in 0..rounds {
                words.load(cpu, me, Ordering::Relaxed);
                words.store(cpu, me, round as u64, Ordering::Relaxed);
                Sim::work(cpu, Cycles(20));
            }
        })
    };
    (0..cpus).map(body).collect()
}

/// A scenario on a machine, ready to run.
pub(crate) fn prepare(
    profile: &Profile,
    scenario: Scenario,
    cpus: usize,
    rounds: usize,
    switch: Switch,
) -> Prepared {
    let mut build = SimBuild::new(profile, SimOptions::default()).expect("complete profile");
    build.switch_by(switch);
    let bodies = scenario(&mut build, cpus, rounds);
    let actor = |(id, body)| Actor { cpu: CpuId(id as u16), name: format!("cpu {id}"), body };
    Prepared { build, actors: bodies.into_iter().enumerate().map(actor).collect() }
}

/// See [`prepare`].
pub(crate) struct Prepared {
    build: SimBuild,
    actors: Vec<Actor<Sim>>,
}

impl Prepared {
    pub(crate) fn run(self) -> SimOutcome {
        run(self.build, self.actors)
    }
}
