//! Which pairs of CPUs are measured, and for how long.
//!
//! All pairs, if the time allows a few windows for each: 128 CPUs have 8,128. On larger hosts as many as the time
//! allows. They are drawn at random under a fixed seed, the distances in turn, so that what is measured when time
//! runs out is a fair sample, too: every nth pair of a list in order would meet some CPUs of far sockets only.

use std::collections::BTreeMap;
use std::time::Duration;

use pamt_strategies::platform::native::HostCpu;
use rand_core::Rng;
use rand_pcg::Pcg64;

/// How far apart two CPUs are, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Threads of one core.
    Siblings,
    /// Cores under one last-level cache.
    Llc,
    /// Last-level caches of one socket.
    Socket,
    /// Sockets.
    Near,
}

/// Pairs to measure, each with its distance.
#[derive(Clone, Debug)]
pub(super) struct PairPlan {
    /// CPUs by the kernel's numbers, in its order.
    pub(super) cpus: Vec<usize>,
    /// In the order in which they are measured.
    pub(super) pairs: Vec<(Class, [usize; 2])>,
    /// Windows of each pair.
    pub(super) windows: usize,
}

/// Time for all pairs together.
const BUDGET: Duration = Duration::from_secs(40);
/// What a window takes at most, between sockets.
pub(super) const WINDOW: Duration = Duration::from_micros(60);
/// Two threads are started and pinned for each pair.
pub(super) const START: Duration = Duration::from_micros(400);
/// Windows that a median needs.
const WINDOWS_LEAST: usize = 9;
/// More do not make it better.
const WINDOWS_MOST: usize = 60;
/// Pairs of each distance that every kind of transfer is measured on.
const SAMPLES: usize = 3;

impl Class {
    pub(super) fn of(a: &HostCpu, b: &HostCpu) -> Self {
        match (a.place, b.place) {
            (x, y) if x.core == y.core => Self::Siblings,
            (x, y) if x.llc == y.llc => Self::Llc,
            _ if a.socket == b.socket => Self::Socket,
            _ => Self::Near,
        }
    }

    /// As keys of a profile name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Siblings => "smt",
            Self::Llc => "llc",
            Self::Socket => "socket",
            Self::Near => "near",
        }
    }
}

pub(super) fn plan(cpus: &[HostCpu]) -> PairPlan {
    let mut all = Vec::new();
    for (i, a) in cpus.iter().enumerate() {
        for b in &cpus[i + 1..] {
            all.push((Class::of(a, b), [a.number, b.number]));
        }
    }
    let most = BUDGET.as_nanos() / (START + WINDOW * WINDOWS_LEAST as u32).as_nanos();
    let mut pairs = drawn(&all);
    pairs.truncate(most as usize);
    let each = BUDGET / pairs.len().max(1) as u32;
    let windows = (each.saturating_sub(START).as_nanos() / WINDOW.as_nanos()) as usize;
    let windows = windows.clamp(WINDOWS_LEAST, WINDOWS_MOST);
    PairPlan { cpus: cpus.iter().map(|cpu| cpu.number).collect(), pairs, windows }
}

/// The pairs of each distance in an order drawn at random, and the distances in turn.
fn drawn(all: &[(Class, [usize; 2])]) -> Vec<(Class, [usize; 2])> {
    let mut classes: BTreeMap<Class, Vec<[usize; 2]>> = BTreeMap::new();
    for (class, pair) in all {
        classes.entry(*class).or_default().push(*pair);
    }
    let mut random = Pcg64::new(1, 1);
    for pairs in classes.values_mut() {
        for i in (1..pairs.len()).rev() {
            pairs.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
        }
    }
    let most = classes.values().map(Vec::len).max().unwrap_or(0);
    let turn = |i: usize| {
        let classes = classes.iter();
        classes.filter_map(move |(class, pairs)| Some((*class, *pairs.get(i)?)))
    };
    (0..most).flat_map(turn).collect()
}

impl PairPlan {
    /// Some pairs of each distance; nearest distance first.
    pub(super) fn samples(&self) -> impl Iterator<Item = (Class, [usize; 2])> + '_ {
        let mut classes: BTreeMap<Class, Vec<[usize; 2]>> = BTreeMap::new();
        for (class, pair) in &self.pairs {
            classes.entry(*class).or_default().push(*pair);
        }
        classes.into_iter().flat_map(|(class, pairs)| {
            let step = pairs.len().div_ceil(SAMPLES);
            pairs.into_iter().step_by(step).map(move |pair| (class, pair)).collect::<Vec<_>>()
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use pamt_strategies::measure::CpuPlace;

    use super::*;

    /// `sockets` x `llcs` caches of `cores` cores of two threads.
    pub(in crate::calibrate) fn host(sockets: u16, llcs: u16, cores: u16) -> Vec<HostCpu> {
        let all = sockets * llcs * cores;
        (0..2 * all)
            .map(|number| {
                let core = number % all;
                let socket = core / (llcs * cores);
                let place = CpuPlace { core, llc: core / cores * cores, node: socket as u8 };
                HostCpu { number: usize::from(number), place, socket }
            })
            .collect()
    }

    /// What the pairs should take at most.
    pub(in crate::calibrate) fn expected(plan: &PairPlan) -> Duration {
        (START + WINDOW * plan.windows as u32) * plan.pairs.len() as u32
    }

    fn classes(plan: &PairPlan) -> BTreeSet<Class> {
        plan.pairs.iter().map(|(class, _)| *class).collect()
    }

    #[test]
    fn a_host_of_128_cpus_is_measured_pair_by_pair_within_the_budget() {
        let plan = plan(&host(2, 4, 8));
        assert_eq!((plan.cpus.len(), plan.pairs.len()), (128, 128 * 127 / 2));
        assert!(plan.windows >= WINDOWS_LEAST);
        assert!(expected(&plan) <= BUDGET, "{:?}", expected(&plan));
        assert_eq!(classes(&plan).len(), 4);
    }

    #[test]
    fn a_host_of_1024_cpus_is_sampled_and_each_distance_and_cpu_is_there() {
        let plan = plan(&host(4, 8, 16));
        assert!(expected(&plan) <= BUDGET, "{:?}", expected(&plan));
        assert_eq!(classes(&plan).len(), 4);
        let far = plan.pairs.iter().filter(|(class, _)| *class == Class::Near);
        let seen: BTreeSet<usize> = far.flat_map(|(_, pair)| *pair).collect();
        assert_eq!(seen.len(), 1024, "each CPU with some of another socket");
        let once: BTreeSet<_> = plan.pairs.iter().collect();
        assert_eq!(once.len(), plan.pairs.len());
        assert_eq!(plan.pairs, self::plan(&host(4, 8, 16)).pairs, "drawn alike each time");
    }

    #[test]
    fn two_cpus_are_one_pair_with_many_windows() {
        let two = &host(1, 1, 2)[..2];
        let plan = plan(two);
        assert_eq!((plan.pairs.clone(), plan.windows), (vec![(Class::Llc, [0, 1])], WINDOWS_MOST));
        assert_eq!(plan.samples().count(), 1);
    }
}
