//! MCS queue lock (Mellor-Crummey and Scott 1991): each waiter spins on a line of its own.
//!
//! The lock word names the last node of a queue. Lock: XCHG my node in; if there was one before, link
//! it to mine and wait for my flag. Unlock: if nobody follows, CAS the word back to 0, else set the
//! flag of the next. FIFO; the number of line transfers of a hand-off does not depend on the number
//! of waiters.

use super::nodes::Nodes;
use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Until, Words};

const NEXT: usize = 0;
const GRANTED: usize = 1;

/// The MCS lock.
pub struct Mcs<P: Platform> {
    slots: Slots<P, u32>,
    nodes: Nodes<P>,
}

impl<P: Platform> Mcs<P> {
    fn field(&self, cpu: &P::Cpu, node: u32, field: usize, value: u32, order: Ordering) {
        self.nodes.words.store(cpu, Nodes::<P>::at(node, field), value, order);
    }

    fn prepare(&self, cpu: &P::Cpu) -> u32 {
        let node = self.nodes.take(cpu);
        self.field(cpu, node, NEXT, 0, Ordering::Relaxed);
        self.field(cpu, node, GRANTED, 0, Ordering::Relaxed);
        node
    }
}

impl<P: Platform> Algorithm<P> for Mcs<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        let nodes = Nodes::new(build, &plan.name);
        Self { slots: plan.slots(build, 1), nodes }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let node = self.prepare(cpu);
        let before = self.slots.words.swap(cpu, self.slots.at(i), node, Ordering::AcqRel);
        if before != 0 {
            attempt.contended(true);
            self.field(cpu, before, NEXT, node, Ordering::Release);
            let flag = Nodes::<P>::at(node, GRANTED);
            self.nodes.words.spin_until(cpu, flag, Until::eq(1), Ordering::Acquire);
        }
        node
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        let node = self.prepare(cpu);
        let won = words.compare_exchange(cpu, at, 0, node, Ordering::AcqRel, Ordering::Relaxed);
        if won.is_err() {
            self.nodes.give_back(cpu, node);
            return None;
        }
        Some(node)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, node: u32) {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        let next_at = Nodes::<P>::at(node, NEXT);
        let mut next = self.nodes.words.load(cpu, next_at, Ordering::Acquire);
        let emptied = next == 0
            && words
                .compare_exchange(cpu, at, node, 0, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        if !emptied {
            if next == 0 {
                next = self.nodes.words.spin_until(cpu, next_at, Until::ne(0), Ordering::Acquire);
            }
            self.field(cpu, next, GRANTED, 1, Ordering::Release);
        }
        self.nodes.give_back(cpu, node);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes() + self.nodes.bytes()
    }
}
