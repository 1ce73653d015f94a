//! Test-and-test-and-set with exponential backoff.
//!
//! Waiters read a shared copy until the word is 0, then XCHG. Who loses that race waits a random
//! number of cycles below a limit that doubles from 100 to 1000, as libslock's `ttas` does (its unit
//! is one turn of a delay loop; here it is one cycle). A release invalidates all copies and draws a
//! burst of reads and XCHGs.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Stream, Until, Words};
use crate::units::Cycles;

const LIMIT_MIN: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// The test-and-test-and-set lock.
pub struct Ttas<P: Platform> {
    slots: Slots<P, u32>,
}

impl<P: Platform> Algorithm<P> for Ttas<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        Self { slots: plan.slots(build, 1) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        if self.try_lock(cpu, i).is_some() {
            return 0;
        }
        attempt.contended(false);
        let mut limit = LIMIT_MIN;
        loop {
            words.spin_until(cpu, at, Until::eq(0), Ordering::Relaxed);
            if words.swap(cpu, at, 1, Ordering::Acquire) == 0 {
                return 0;
            }
            P::work(cpu, Cycles(P::random(cpu, Stream::Lock) % limit));
            limit = (limit * 2).min(LIMIT_MAX);
        }
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        let free = words.load(cpu, at, Ordering::Relaxed) == 0;
        (free && words.swap(cpu, at, 1, Ordering::Acquire) == 0).then_some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.slots.words.store(cpu, self.slots.at(i), 0, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}
