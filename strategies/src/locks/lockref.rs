//! Linux' lockref (`lib/lockref.c`), the lockless part: a count in the upper half of a 64-bit word
//! whose lower half is a spin lock that nobody takes; get and put are a load and a CAS loop each
//! (lockhammer's `cas_lockref`). It excludes nobody. Failed CASes make it several times slower than
//! LOCK XADD once CPUs compete for the line.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Words};

const ONE: u64 = 1 << 32;

/// The CAS-loop reference count.
pub struct Lockref<P: Platform> {
    slots: Slots<P, u64>,
}

impl<P: Platform> Lockref<P> {
    /// Adds `by`; whether the first CAS failed is told to `lost` once.
    fn change(&self, cpu: &P::Cpu, i: usize, by: u64, lost: impl FnOnce()) {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        let mut lost = Some(lost);
        let mut seen = words.load(cpu, at, Ordering::Relaxed);
        loop {
            let new = seen.wrapping_add(by);
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            match words.compare_exchange(cpu, at, seen, new, order.0, order.1) {
                Ok(_) => return,
                Err(found) => seen = found,
            }
            if let Some(lost) = lost.take() {
                lost();
            }
        }
    }
}

impl<P: Platform> Algorithm<P> for Lockref<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        Self { slots: plan.slots(build, 1) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        self.change(cpu, i, ONE, || attempt.contended(false));
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        self.change(cpu, i, ONE, || {});
        Some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.change(cpu, i, ONE.wrapping_neg(), || {});
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}
