//! Queue nodes for locks that keep their node while they are held.
//!
//! Each CPU has four nodes a class, a line each. Which are free is a mask that only the CPU itself
//! touches; it is a set and not a depth, because a holder of two locks may release them in any order.

use crate::platform::{Home, Ordering, Place, Platform, Words};

/// Nodes of a CPU: as many as a strategy may hold locks of one class at once.
const PER_CPU: usize = 4;
/// Words of a node: one line.
const NODE_WORDS: usize = 16;

/// Nodes of a class. A node is named by `id`, from 1; 0 stands for none.
pub(super) struct Nodes<P: Platform> {
    pub(super) words: P::Words<u32>,
    used: P::Words<u32>,
}

impl<P: Platform> Nodes<P> {
    pub(super) fn new(build: &mut P::Build, class: &str) -> Self {
        let cpus = P::cpu_count(build);
        let bytes = (PER_CPU * NODE_WORDS * 4) as u32;
        let nodes = Place::packed(format!("{class}.nodes"), cpus * PER_CPU * NODE_WORDS)
            .record(bytes, &[])
            .home(Home::PerCpu);
        let used = Place::padded(format!("{class}.nodes_used"), cpus).home(Home::PerCpu).private();
        Self { words: P::words(build, nodes), used: P::words(build, used) }
    }

    /// Takes a free node of this CPU.
    ///
    /// # Panics
    /// When the CPU holds four locks of the class already: no strategy does.
    pub(super) fn take(&self, cpu: &P::Cpu) -> u32 {
        let me = usize::from(P::cpu(cpu).0);
        let used = self.used.load(cpu, me, Ordering::Relaxed);
        let slot = (!used).trailing_zeros() as usize;
        assert!(slot < PER_CPU, "a CPU holds more than {PER_CPU} queue locks of one class");
        self.used.store(cpu, me, used | 1 << slot, Ordering::Relaxed);
        (me * PER_CPU + slot + 1) as u32
    }

    pub(super) fn give_back(&self, cpu: &P::Cpu, id: u32) {
        let me = usize::from(P::cpu(cpu).0);
        let slot = (id as usize - 1) % PER_CPU;
        let used = self.used.load(cpu, me, Ordering::Relaxed);
        self.used.store(cpu, me, used & !(1 << slot), Ordering::Relaxed);
    }

    /// Index of word `field` of node `id`.
    pub(super) fn at(id: u32, field: usize) -> usize {
        (id as usize - 1) * NODE_WORDS + field
    }

    pub(super) fn bytes(&self) -> u64 {
        self.words.len() as u64 * 4 + self.used.len() as u64 * 64
    }
}
