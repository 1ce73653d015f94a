//! Cohort lock C-BO-MCS (Dice, Marathe and Shavit 2012; LiTL `include/cbomcs.h`): an MCS queue for
//! each node under one global test-and-set lock with backoff.
//!
//! Lock: the MCS queue of my node; if its last holder passed the global lock on, done; else take the
//! global lock. Unlock: with a waiter of my node, and fewer than 100 hand-overs in a row, pass both
//! on; else release the global lock, then the local one. Unfair among nodes within the batch, FIFO on
//! each.

use super::nodes::Nodes;
use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Home, Ordering, Place, Platform, Until, Words};
use crate::units::Cycles;

/// Local hand-overs in a row.
const BATCH: u32 = 100;
const BACKOFF_MIN: u64 = 512;
const BACKOFF_MAX: u64 = (1 << 20) - 1;

const NEXT: usize = 0;
const GRANTED: usize = 1;

/// Words of a (lock, node) record: one line.
const LINE_WORDS: usize = 16;
const TAIL: usize = 0;
const TOP_GRANT: usize = 1;
const COUNT: usize = 2;

/// The cohort lock.
pub struct Cohort<P: Platform> {
    global: Slots<P, u32>,
    local: P::Words<u32>,
    nodes: Nodes<P>,
    numa_nodes: usize,
}

impl<P: Platform> Cohort<P> {
    /// Index of a field of the record of lock `i` on this CPU's node.
    fn local(&self, cpu: &P::Cpu, i: usize, field: usize) -> usize {
        (usize::from(P::node(cpu).0) * self.instances() + i) * LINE_WORDS + field
    }

    fn instances(&self) -> usize {
        self.local.len() / LINE_WORDS / self.numa_nodes
    }

    fn prepare(&self, cpu: &P::Cpu) -> u32 {
        let node = self.nodes.take(cpu);
        self.nodes.words.store(cpu, Nodes::<P>::at(node, NEXT), 0, Ordering::Relaxed);
        self.nodes.words.store(cpu, Nodes::<P>::at(node, GRANTED), 0, Ordering::Relaxed);
        node
    }

    fn lock_local(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let node = self.prepare(cpu);
        let tail = self.local(cpu, i, TAIL);
        let before = self.local.swap(cpu, tail, node, Ordering::AcqRel);
        if before != 0 {
            attempt.contended(true);
            let link = Nodes::<P>::at(before, NEXT);
            self.nodes.words.store(cpu, link, node, Ordering::Release);
            let flag = Nodes::<P>::at(node, GRANTED);
            self.nodes.words.spin_until(cpu, flag, Until::eq(1), Ordering::Acquire);
        }
        node
    }

    fn unlock_local(&self, cpu: &P::Cpu, i: usize, node: u32) {
        let next_at = Nodes::<P>::at(node, NEXT);
        let mut next = self.nodes.words.load(cpu, next_at, Ordering::Acquire);
        if next == 0 {
            let tail = self.local(cpu, i, TAIL);
            let order = (Ordering::Release, Ordering::Relaxed);
            if self.local.compare_exchange(cpu, tail, node, 0, order.0, order.1).is_ok() {
                return self.nodes.give_back(cpu, node);
            }
            next = self.nodes.words.spin_until(cpu, next_at, Until::ne(0), Ordering::Acquire);
        }
        self.nodes.words.store(cpu, Nodes::<P>::at(next, GRANTED), 1, Ordering::Release);
        self.nodes.give_back(cpu, node);
    }

    fn try_global(&self, cpu: &P::Cpu, i: usize) -> bool {
        self.global.words.swap(cpu, self.global.at(i), 1, Ordering::Acquire) == 0
    }

    fn lock_global(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) {
        let mut backoff = BACKOFF_MIN;
        while !self.try_global(cpu, i) {
            attempt.contended(true);
            P::work(cpu, Cycles(backoff));
            P::pause(cpu);
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Whether the local predecessor passed the global lock on; takes note of it.
    fn take_grant(&self, cpu: &P::Cpu, i: usize) -> bool {
        let grant = self.local(cpu, i, TOP_GRANT);
        let granted = self.local.load(cpu, grant, Ordering::Relaxed) == 1;
        if granted {
            self.local.store(cpu, grant, 0, Ordering::Relaxed);
        }
        granted
    }
}

impl<P: Platform> Algorithm<P> for Cohort<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        let numa_nodes = P::node_count(build);
        let words = numa_nodes * plan.instances * LINE_WORDS;
        let place = Place::packed(format!("{}.cohorts", plan.name), words)
            .record(LINE_WORDS as u32 * 4, &[])
            .home(Home::Split);
        let local = P::words(build, place);
        let nodes = Nodes::new(build, &plan.name);
        Self { global: plan.slots(build, 1), local, nodes, numa_nodes }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let node = self.lock_local(cpu, i, attempt);
        if !self.take_grant(cpu, i) {
            self.lock_global(cpu, i, attempt);
        }
        node
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let node = self.prepare(cpu);
        let tail = self.local(cpu, i, TAIL);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        if self.local.compare_exchange(cpu, tail, 0, node, order.0, order.1).is_err() {
            self.nodes.give_back(cpu, node);
            return None;
        }
        if self.take_grant(cpu, i) || self.try_global(cpu, i) {
            return Some(node);
        }
        self.unlock_local(cpu, i, node);
        None
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, node: u32) {
        let count_at = self.local(cpu, i, COUNT);
        let count = self.local.load(cpu, count_at, Ordering::Relaxed);
        let next = self.nodes.words.load(cpu, Nodes::<P>::at(node, NEXT), Ordering::Acquire);
        if next != 0 && count < BATCH {
            self.local.store(cpu, count_at, count + 1, Ordering::Relaxed);
            self.local.store(cpu, self.local(cpu, i, TOP_GRANT), 1, Ordering::Relaxed);
        } else {
            self.local.store(cpu, count_at, 0, Ordering::Relaxed);
            self.global.words.store(cpu, self.global.at(i), 0, Ordering::Release);
        }
        self.unlock_local(cpu, i, node);
    }

    fn memory_bytes(&self) -> u64 {
        self.global.bytes() + 4 * self.local.len() as u64 + self.nodes.bytes()
    }
}
