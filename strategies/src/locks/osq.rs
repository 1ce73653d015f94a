//! Linux' optimistic spin queue (`kernel/locking/osq_lock.c`), the queue in front of a mutex.
//!
//! As MCS with small differences: the tail is a CPU number; unlock tries the CAS of the tail *first*
//! and only then looks for a successor, whom it takes with an XCHG, because a waiter may leave the
//! queue at any time. Waiters leave when the scheduler wants their CPU; nothing here does, so that
//! path is not modelled.

use super::nodes::Nodes;
use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Until, Words};

const NEXT: usize = 0;
const LOCKED: usize = 1;

/// The optimistic spin queue.
pub struct Osq<P: Platform> {
    slots: Slots<P, u32>,
    nodes: Nodes<P>,
}

impl<P: Platform> Osq<P> {
    fn prepare(&self, cpu: &P::Cpu) -> u32 {
        let node = self.nodes.take(cpu);
        self.nodes.words.store(cpu, Nodes::<P>::at(node, LOCKED), 0, Ordering::Relaxed);
        self.nodes.words.store(cpu, Nodes::<P>::at(node, NEXT), 0, Ordering::Relaxed);
        node
    }

    /// Hands over to the successor; waits for it to link itself unless the queue empties.
    fn hand_over(&self, cpu: &P::Cpu, i: usize, node: u32) {
        let next_at = Nodes::<P>::at(node, NEXT);
        loop {
            let next = self.nodes.words.swap(cpu, next_at, 0, Ordering::AcqRel);
            if next != 0 {
                let locked = Nodes::<P>::at(next, LOCKED);
                return self.nodes.words.store(cpu, locked, 1, Ordering::Release);
            }
            if self.clear_tail(cpu, i, node) {
                return;
            }
            self.nodes.words.spin_until(cpu, next_at, Until::ne(0), Ordering::Relaxed);
        }
    }

    fn clear_tail(&self, cpu: &P::Cpu, i: usize, node: u32) -> bool {
        let order = (Ordering::Release, Ordering::Relaxed);
        let at = self.slots.at(i);
        self.slots.words.compare_exchange(cpu, at, node, 0, order.0, order.1).is_ok()
    }
}

impl<P: Platform> Algorithm<P> for Osq<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        let nodes = Nodes::new(build, &plan.name);
        Self { slots: plan.slots(build, 1), nodes }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let node = self.prepare(cpu);
        let before = self.slots.words.swap(cpu, self.slots.at(i), node, Ordering::AcqRel);
        if before != 0 {
            attempt.contended(true);
            let link = Nodes::<P>::at(before, NEXT);
            self.nodes.words.store(cpu, link, node, Ordering::Release);
            let locked = Nodes::<P>::at(node, LOCKED);
            self.nodes.words.spin_until(cpu, locked, Until::eq(1), Ordering::Acquire);
        }
        node
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let node = self.prepare(cpu);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        let at = self.slots.at(i);
        if self.slots.words.compare_exchange(cpu, at, 0, node, order.0, order.1).is_err() {
            self.nodes.give_back(cpu, node);
            return None;
        }
        Some(node)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, node: u32) {
        if !self.clear_tail(cpu, i, node) {
            self.hand_over(cpu, i, node);
        }
        self.nodes.give_back(cpu, node);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes() + self.nodes.bytes()
    }
}
