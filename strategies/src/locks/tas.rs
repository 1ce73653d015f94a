//! Test-and-set: XCHG until the old value was 0 (lockhammer's `swap_mutex`).
//!
//! Every waiter's XCHG asks for the line in exclusive state, so the line goes round among the waiters
//! and the releaser's store queues behind them. Unfair: a waiter may be passed by without bound.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Words};

/// The test-and-set lock.
pub struct Tas<P: Platform> {
    slots: Slots<P, u32>,
}

impl<P: Platform> Algorithm<P> for Tas<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        Self { slots: plan.slots(build, 1) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        if self.try_lock(cpu, i).is_none() {
            attempt.contended(false);
            while self.try_lock(cpu, i).is_none() {}
        }
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let old = self.slots.words.swap(cpu, self.slots.at(i), 1, Ordering::Acquire);
        (old == 0).then_some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.slots.words.store(cpu, self.slots.at(i), 0, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}
