//! Ticket lock with proportional backoff (libslock `src/ticket.c`, `include/ticket.h`).
//!
//! As [`Ticket`](super::Ticket), but a waiter does not watch the line: it reads it, waits in
//! proportion to its distance from the head (512 units a place, 128 when it is next), and reads
//! again. A unit is one turn of libslock's delay loop; here it is one cycle. Its `sched_yield` at a
//! distance above 20 has no counterpart in a kernel with preemption off.

use super::plan::{LockPlan, LockShared};
use super::spin::{Algorithm, Attempt};
use super::ticket::Ticket;
use crate::platform::Platform;
use crate::units::Cycles;

const WAIT_A_PLACE: u64 = 512;
const WAIT_NEXT: u64 = 128;

/// The ticket lock with proportional backoff.
pub struct TicketProp<P: Platform> {
    ticket: Ticket<P>,
}

impl<P: Platform> Algorithm<P> for TicketProp<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self {
        Self { ticket: Ticket::new(build, plan, shared) }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let (mine, mut served) = self.ticket.draw(cpu, i);
        if served != mine {
            attempt.contended(false);
        }
        while served != mine {
            let distance = u64::from((mine as u16).wrapping_sub(served as u16));
            let wait = if distance == 1 { WAIT_NEXT } else { distance * WAIT_A_PLACE };
            P::work(cpu, Cycles(wait));
            P::pause(cpu);
            served = self.ticket.served(cpu, i);
        }
        mine
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        self.ticket.try_lock(cpu, i)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, mine: u32) {
        self.ticket.unlock(cpu, i, mine);
    }

    fn memory_bytes(&self) -> u64 {
        self.ticket.memory_bytes()
    }
}
