//! A counter that acquire raises and release lowers, each with one LOCK XADD (lockhammer's
//! `incdec_refcount`). It excludes nobody: it is the floor of what two RMWs on a shared line cost.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Words};

/// The LOCK XADD pair.
pub struct Refcount<P: Platform> {
    slots: Slots<P, u32>,
}

impl<P: Platform> Algorithm<P> for Refcount<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        Self { slots: plan.slots(build, 1) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, _attempt: &Attempt<'_, P>) -> u32 {
        self.slots.words.fetch_add(cpu, self.slots.at(i), 1, Ordering::Acquire);
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        self.slots.words.fetch_add(cpu, self.slots.at(i), 1, Ordering::Acquire);
        Some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.slots.words.fetch_sub(cpu, self.slots.at(i), 1, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}
