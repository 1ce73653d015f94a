//! CLH queue lock (Craig; Landin and Hagersten): each waiter spins on its *predecessor's* node.
//!
//! The lock word names the last node. Lock: set my node's flag, XCHG it in, spin until the flag of the
//! node that was there is clear. Unlock: clear my flag; my predecessor's node becomes mine. One line a
//! waiter and no CAS on unlock, but nodes wander among CPUs and so away from their memory.
//!
//! A lock starts with a node of its own. The original has no trylock; here it is a CAS of the tail
//! once its node reads clear. If that node was recycled into the same place meanwhile, it waits for it
//! after all, which is safe and vanishingly rare.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Home, Ordering, Place, Platform, Until, Words};

/// Nodes of a CPU: as many as a strategy may hold locks of one class at once.
const PER_CPU: usize = 4;
/// Words of a node or of a CPU's record: one line.
const LINE_WORDS: usize = 16;
const BUSY: usize = 0;
const PREDECESSOR: usize = 1;
const USED: usize = PER_CPU;

/// The CLH lock.
pub struct Clh<P: Platform> {
    slots: Slots<P, u32>,
    nodes: P::Words<u32>,
    /// Of each CPU: the ids of its nodes, and which of them are in use.
    own: P::Words<u32>,
}

impl<P: Platform> Clh<P> {
    fn record(cpu: &P::Cpu) -> usize {
        usize::from(P::cpu(cpu).0) * LINE_WORDS
    }

    fn take(&self, cpu: &P::Cpu) -> (u32, u32) {
        let record = Self::record(cpu);
        let used = self.own.load(cpu, record + USED, Ordering::Relaxed);
        let slot = (!used).trailing_zeros();
        assert!((slot as usize) < PER_CPU, "a CPU holds more than {PER_CPU} CLH locks of a class");
        self.own.store(cpu, record + USED, used | 1 << slot, Ordering::Relaxed);
        let node = self.own.load(cpu, record + slot as usize, Ordering::Relaxed);
        self.nodes.store(cpu, at(node, BUSY), 1, Ordering::Relaxed);
        (slot, node)
    }

    /// Ends the use of a slot, which holds `node` from now on.
    fn give_back(&self, cpu: &P::Cpu, slot: u32, node: u32) {
        let record = Self::record(cpu);
        let used = self.own.load(cpu, record + USED, Ordering::Relaxed);
        self.own.store(cpu, record + slot as usize, node, Ordering::Relaxed);
        self.own.store(cpu, record + USED, used & !(1 << slot), Ordering::Relaxed);
    }

    fn wait_for(&self, cpu: &P::Cpu, node: u32, predecessor: u32) {
        self.nodes.store(cpu, at(node, PREDECESSOR), predecessor, Ordering::Relaxed);
        self.nodes.spin_until(cpu, at(predecessor, BUSY), Until::eq(0), Ordering::Acquire);
    }
}

/// Index of a field of a node.
fn at(node: u32, field: usize) -> usize {
    node as usize * LINE_WORDS + field
}

impl<P: Platform> Algorithm<P> for Clh<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        let cpus = P::cpu_count(build);
        let slots: Slots<P, u32> = plan.slots(build, 1);
        let count = cpus * PER_CPU + plan.instances;
        let nodes = Place::packed(format!("{}.nodes", plan.name), count * LINE_WORDS)
            .record((PER_CPU * LINE_WORDS * 4) as u32, &[])
            .home(Home::PerCpu);
        let own = Place::packed(format!("{}.own_nodes", plan.name), cpus * LINE_WORDS)
            .record(LINE_WORDS as u32 * 4, &[])
            .home(Home::PerCpu)
            .private();
        let (nodes, own) = (P::words(build, nodes), P::words::<u32>(build, own));
        for id in 0..cpus * PER_CPU {
            own.poke(build, id / PER_CPU * LINE_WORDS + id % PER_CPU, id as u32);
        }
        for i in 0..plan.instances {
            slots.words.poke(build, slots.at(i), (cpus * PER_CPU + i) as u32);
        }
        Self { slots, nodes, own }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let (slot, node) = self.take(cpu);
        let before = self.slots.words.swap(cpu, self.slots.at(i), node, Ordering::AcqRel);
        if self.nodes.load(cpu, at(before, BUSY), Ordering::Acquire) != 0 {
            attempt.contended(true);
        }
        self.wait_for(cpu, node, before);
        slot
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let tail = self.slots.words.load(cpu, self.slots.at(i), Ordering::Acquire);
        if self.nodes.load(cpu, at(tail, BUSY), Ordering::Acquire) != 0 {
            return None;
        }
        let (slot, node) = self.take(cpu);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        let word = self.slots.at(i);
        if self.slots.words.compare_exchange(cpu, word, tail, node, order.0, order.1).is_err() {
            self.give_back(cpu, slot, node);
            return None;
        }
        self.wait_for(cpu, node, tail);
        Some(slot)
    }

    fn unlock(&self, cpu: &P::Cpu, _i: usize, slot: u32) {
        let node = self.own.load(cpu, Self::record(cpu) + slot as usize, Ordering::Relaxed);
        let before = self.nodes.load(cpu, at(node, PREDECESSOR), Ordering::Relaxed);
        self.nodes.store(cpu, at(node, BUSY), 0, Ordering::Release);
        self.give_back(cpu, slot, before);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes() + 4 * (self.nodes.len() + self.own.len()) as u64
    }
}
