//! Linux' queued spin lock (`kernel/locking/qspinlock.c`, `arch/x86/include/asm/qspinlock.h`).
//!
//! A 32-bit word: byte 0 *locked*, byte 1 *pending*, bits 16-17 the node and bits 18-31 the CPU + 1
//! at the tail of an MCS queue. Each CPU has four 16-byte nodes in one line, shared by all queued
//! spin locks of the machine: a node is in use only while its owner waits.
//!
//! 1. CAS 0 to *locked*.
//! 2. If the word is *pending* alone, a hand-over is under way: read it up to 512 times.
//! 3. If anything but *locked* is set, queue (6).
//! 4. LOCK BTS of *pending*, then a read of the word (x86: not one atomic step). If a tail or another
//!    pending waiter shows up, clear the bit if it is mine, and queue.
//! 5. As the pending waiter, wait until *locked* is 0, then write *locked*, not *pending* with one
//!    16-bit store.
//! 6. Take the next node of this CPU, try the lock once more (the node's line may have been cold),
//!    XCHG the 16-bit tail. Behind another node: link, and wait for my flag.
//! 7. At the head wait until *locked* and *pending* are 0. Still the tail: CAS the word to *locked*.
//!    Else set the byte and the flag of the next node.
//!
//! Unlock stores 0 to byte 0. FIFO but for the pending waiter and the try in step 6. The contention
//! tracepoint sits in step 6, so that a pending waiter is contended but not *queued*.

use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Field, Home, Ordering, Place, Platform, Until, Words};

pub(super) const LOCKED: u32 = 1;
const LOCKED_MASK: u32 = 0xff;
const PENDING: u32 = 1 << 8;
const PENDING_BIT: u32 = 8;
pub(super) const LOCKED_PENDING_MASK: u64 = 0xffff;
pub(super) const TAIL_MASK: u32 = 0xffff_0000;
/// Reads before a waiter stops hoping for the hand-over (`_Q_PENDING_LOOPS` on x86).
const PENDING_LOOPS: u32 = 512;

const NODES_PER_CPU: u32 = 4;
const NODE_WORDS: usize = 4;
const CPU_WORDS: usize = NODES_PER_CPU as usize * NODE_WORDS;
const NEXT: usize = 0;
const GRANTED: usize = 2;
const COUNT: usize = 3;

static QNODE_FIELDS: [Field; 9] = [
    Field { name: "0.next", offset: 0, bytes: 8 },
    Field { name: "0.locked", offset: 8, bytes: 4 },
    Field { name: "0.count", offset: 12, bytes: 4 },
    Field { name: "1.next", offset: 16, bytes: 8 },
    Field { name: "1.locked", offset: 24, bytes: 4 },
    Field { name: "2.next", offset: 32, bytes: 8 },
    Field { name: "2.locked", offset: 40, bytes: 4 },
    Field { name: "3.next", offset: 48, bytes: 8 },
    Field { name: "3.locked", offset: 56, bytes: 4 },
];

/// The per-CPU nodes of a machine.
pub(super) fn qnodes<P: Platform>(build: &mut P::Build) -> P::Words<u32> {
    let cpus = P::cpu_count(build);
    let place = Place::packed("qnodes", cpus * CPU_WORDS)
        .record(CPU_WORDS as u32 * 4, &QNODE_FIELDS)
        .home(Home::PerCpu);
    P::words(build, place)
}

/// The queued spin lock.
pub struct QSpinLock<P: Platform> {
    slots: Slots<P, u32>,
    core: QCore<P>,
}

impl<P: Platform> Algorithm<P> for QSpinLock<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self {
        let slots: Slots<P, u32> = plan.slots(build, 1);
        let core = QCore { words: slots.words.clone(), nodes: shared.qnodes.clone() };
        Self { slots, core }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        self.core.lock(cpu, self.slots.at(i), attempt);
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        self.core.try_lock(cpu, self.slots.at(i)).then_some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.core.unlock(cpu, self.slots.at(i));
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }
}

/// What is left to do for the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Nothing: it is held.
    Over,
    /// The queue.
    MustQueue,
}

/// The algorithm on a word of any array, for locks that contain a queued spin lock.
pub(super) struct QCore<P: Platform> {
    pub(super) words: P::Words<u32>,
    pub(super) nodes: P::Words<u32>,
}

impl<P: Platform> QCore<P> {
    pub(super) fn lock(&self, cpu: &P::Cpu, at: usize, attempt: &Attempt<'_, P>) {
        if self.lock_or_queue(cpu, at, attempt) == Waiting::MustQueue {
            self.queue(cpu, at, attempt);
        }
    }

    /// Steps 1 to 5.
    pub(super) fn lock_or_queue(
        &self,
        cpu: &P::Cpu,
        at: usize,
        attempt: &Attempt<'_, P>,
    ) -> Waiting {
        let order = (Ordering::Acquire, Ordering::Relaxed);
        match self.words.compare_exchange(cpu, at, 0, LOCKED, order.0, order.1) {
            Ok(_) => Waiting::Over,
            Err(seen) => {
                attempt.contended(false);
                self.pend(cpu, at, seen)
            }
        }
    }

    pub(super) fn try_lock(&self, cpu: &P::Cpu, at: usize) -> bool {
        let (words, order) = (&self.words, (Ordering::Acquire, Ordering::Relaxed));
        words.load(cpu, at, Ordering::Relaxed) == 0
            && words.compare_exchange(cpu, at, 0, LOCKED, order.0, order.1).is_ok()
    }

    pub(super) fn unlock(&self, cpu: &P::Cpu, at: usize) {
        self.words.store_u8_at(cpu, at, 0, 0, Ordering::Release);
    }

    fn pend(&self, cpu: &P::Cpu, at: usize, seen: u32) -> Waiting {
        let words = &self.words;
        let mut seen = seen;
        if seen == PENDING {
            let handed_over = Until::ne(u64::from(PENDING));
            seen = words
                .spin_until_for(cpu, at, handed_over, PENDING_LOOPS, Ordering::Relaxed)
                .unwrap_or_else(|last| last);
        }
        if seen & !LOCKED_MASK != 0 {
            return Waiting::MustQueue;
        }
        let was_pending = words.bts(cpu, at, PENDING_BIT, Ordering::Acquire);
        let rest = words.load(cpu, at, Ordering::Acquire) & !PENDING;
        if was_pending || rest & !LOCKED_MASK != 0 {
            if !was_pending {
                words.store_u8_at(cpu, at, 1, 0, Ordering::Relaxed);
            }
            return Waiting::MustQueue;
        }
        if rest & LOCKED_MASK != 0 {
            let released = Until::bits_eq(u64::from(LOCKED_MASK), 0);
            words.spin_until(cpu, at, released, Ordering::Acquire);
        }
        words.store_u16_at(cpu, at, 0, LOCKED as u16, Ordering::Relaxed);
        Waiting::Over
    }

    fn queue(&self, cpu: &P::Cpu, at: usize, attempt: &Attempt<'_, P>) {
        attempt.contended(true);
        let first = usize::from(P::cpu(cpu).0) * CPU_WORDS;
        let depth = self.nodes.load(cpu, first + COUNT, Ordering::Relaxed);
        self.nodes.store(cpu, first + COUNT, depth + 1, Ordering::Relaxed);
        if depth < NODES_PER_CPU {
            self.wait_in_line(cpu, at, first + depth as usize * NODE_WORDS, depth);
        } else {
            // More nested waits than nodes: the kernel falls back to trying, too.
            while !self.try_lock(cpu, at) {
                P::pause(cpu);
            }
        }
        self.nodes.store(cpu, first + COUNT, depth, Ordering::Relaxed);
    }

    fn wait_in_line(&self, cpu: &P::Cpu, at: usize, node: usize, depth: u32) {
        let (words, nodes) = (&self.words, &self.nodes);
        nodes.store(cpu, node + GRANTED, 0, Ordering::Relaxed);
        nodes.store(cpu, node + NEXT, 0, Ordering::Relaxed);
        if self.try_lock(cpu, at) {
            return;
        }
        let me = (u32::from(P::cpu(cpu).0) + 1) << 2 | depth;
        let before = words.swap_u16_at(cpu, at, 1, me as u16, Ordering::AcqRel);
        let mut next = 0;
        if before != 0 {
            let before = node_of(u32::from(before));
            nodes.store(cpu, before + NEXT, me, Ordering::Release);
            nodes.spin_until(cpu, node + GRANTED, Until::ne(0), Ordering::Acquire);
            next = nodes.load(cpu, node + NEXT, Ordering::Acquire);
            if next != 0 {
                nodes.prefetchw(cpu, node_of(next));
            }
        }
        let free = Until::bits_eq(LOCKED_PENDING_MASK, 0);
        let seen = words.spin_until(cpu, at, free, Ordering::Acquire);
        let order = (Ordering::Acquire, Ordering::Relaxed);
        if seen & TAIL_MASK == me << 16
            && words.compare_exchange(cpu, at, seen, LOCKED, order.0, order.1).is_ok()
        {
            return;
        }
        words.store_u8_at(cpu, at, 0, LOCKED as u8, Ordering::Relaxed);
        if next == 0 {
            next = nodes.spin_until(cpu, node + NEXT, Until::ne(0), Ordering::Acquire);
        }
        nodes.store(cpu, node_of(next) + GRANTED, 1, Ordering::Release);
    }
}

/// Index of the first word of the node that a tail or a link names.
fn node_of(code: u32) -> usize {
    ((code >> 2) as usize - 1) * CPU_WORDS + (code & 3) as usize * NODE_WORDS
}
