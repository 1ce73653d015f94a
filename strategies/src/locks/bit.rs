//! Bit spin lock (`include/linux/bit_spinlock.h`): one bit of a word whose other bits are data.
//!
//! LOCK BTS; on failure PAUSE while the bit is set and try again; unlock with LOCK BTR, because others
//! change the data bits meanwhile. No memory of its own, and false sharing with the data built in. The
//! kernel's own comment: an ordinary spin lock is significantly faster.

use super::plan::{DebugCost, LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt, SpinLock};
use crate::platform::{Ordering, Platform, Until, Words};

/// The bit that is the lock: the sign bit of an `atomic_t`.
pub(crate) const LOCK_BIT: u32 = 31;

/// The bit spin lock.
pub struct BitLock<P: Platform> {
    words: P::Words<u32>,
    stride: usize,
    own_bytes: u64,
}

impl<P: Platform> BitLock<P> {
    /// A class whose instance `i` is bit 31 of word `i` of an array that exists for its own sake.
    pub fn within(build: &mut P::Build, plan: &LockPlan, words: P::Words<u32>) -> SpinLock<Self> {
        // lockdep does not know bit spin locks.
        let algorithm = Self { words, stride: 1, own_bytes: 0 };
        SpinLock::wrap::<P>(build, plan, algorithm, DebugCost::default())
    }
}

impl<P: Platform> Algorithm<P> for BitLock<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        let slots: Slots<P, u32> = plan.slots(build, 1);
        Self { words: slots.words.clone(), stride: slots.at(1), own_bytes: slots.bytes() }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        if self.try_lock(cpu, i).is_none() {
            attempt.contended(false);
            let clear = Until::bits_eq(1 << LOCK_BIT, 0);
            loop {
                self.words.spin_until(cpu, i * self.stride, clear, Ordering::Relaxed);
                if self.try_lock(cpu, i).is_some() {
                    break;
                }
            }
        }
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let taken = self.words.bts(cpu, i * self.stride, LOCK_BIT, Ordering::Acquire);
        (!taken).then_some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.words.btr(cpu, i * self.stride, LOCK_BIT, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.own_bytes
    }
}
