//! Ticket lock: draw a number, wait until it is served.
//!
//! Both counters lie in one 32-bit word, as in Linux before 4.2: the low half is the number that is
//! served, the high half the next number to draw. One XADD draws and shows whether the wait is over.
//! FIFO. All waiters read the one line, so that a release costs a refill for each of them.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Until, Words};

const DRAW: u32 = 1 << 16;
const SERVED: u32 = 0xffff;

/// The ticket lock.
pub struct Ticket<P: Platform> {
    slots: Slots<P, u32>,
}

impl<P: Platform> Ticket<P> {
    /// Draws a number; that number and the one that is served.
    pub(super) fn draw(&self, cpu: &P::Cpu, i: usize) -> (u32, u32) {
        let seen = self.slots.words.fetch_add(cpu, self.slots.at(i), DRAW, Ordering::Acquire);
        (seen >> 16, seen & SERVED)
    }

    /// The number that is served.
    pub(super) fn served(&self, cpu: &P::Cpu, i: usize) -> u32 {
        self.slots.words.load(cpu, self.slots.at(i), Ordering::Acquire) & SERVED
    }
}

impl<P: Platform> Algorithm<P> for Ticket<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        Self { slots: plan.slots(build, 1) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let (mine, served) = self.draw(cpu, i);
        if served != mine {
            attempt.contended(false);
            let mine = Until::bits_eq(u64::from(SERVED), u64::from(mine));
            self.slots.words.spin_until(cpu, self.slots.at(i), mine, Ordering::Acquire);
        }
        mine
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        let seen = words.load(cpu, at, Ordering::Relaxed);
        let mine = seen >> 16;
        let drawn = seen.wrapping_add(DRAW);
        let free = seen & SERVED == mine;
        let won = free
            && words
                .compare_exchange(cpu, at, seen, drawn, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        won.then_some(mine)
    }

    /// A plain store: only the holder writes the low half.
    fn unlock(&self, cpu: &P::Cpu, i: usize, mine: u32) {
        let next = (mine as u16).wrapping_add(1);
        self.slots.words.store_u16_at(cpu, self.slots.at(i), 0, next, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}
