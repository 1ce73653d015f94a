//! What a spin lock is in a guest without paravirtual spin locks: `virt_spin_lock()`
//! (`arch/x86/include/asm/qspinlock.h`), reached from the slow path of qspinlock.
//!
//! CAS 0 to 1; on failure read, PAUSE and try again whenever the word reads 0. No queue and no
//! fairness, because a queue behind a vCPU that is not running would stop everybody. A TDX guest and
//! its host do not run the same algorithm.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Until, Words};

/// The guest's spin lock.
pub struct VirtSpin<P: Platform> {
    slots: Slots<P, u32>,
}

impl<P: Platform> Algorithm<P> for VirtSpin<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        Self { slots: plan.slots(build, 1) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        if self.try_lock(cpu, i).is_none() {
            attempt.contended(false);
            loop {
                let free = Until::eq(0);
                self.slots.words.spin_until(cpu, self.slots.at(i), free, Ordering::Relaxed);
                if self.try_lock(cpu, i).is_some() {
                    break;
                }
                P::pause(cpu);
            }
        }
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let order = (Ordering::Acquire, Ordering::Relaxed);
        let at = self.slots.at(i);
        self.slots.words.compare_exchange(cpu, at, 0, 1, order.0, order.1).ok()
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.slots.words.store_u8_at(cpu, self.slots.at(i), 0, 0, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}
