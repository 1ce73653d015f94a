//! ShflLock (Kashyap, Calciu, Cheng, Min and Kim, SOSP 2019; `ulocks/src/aqs.c` of their repository): a
//! test-and-set lock with a queue of waiters, which sort themselves by NUMA node while they wait.
//!
//! Byte 0 of the word is *locked*, byte 1 *no stealing*; the next word names the tail of the queue.
//!
//! 1. CAS the word from 0 to *locked*: anybody may steal the lock while *no stealing* is 0.
//! 2. Else XCHG my node into the tail. The first waiter sets *no stealing*; the others link themselves and
//!    wait until they are the head of the queue.
//! 3. The head waits until the lock is free and CASes *locked* in. If it is the last waiter, it takes
//!    itself off the tail and allows stealing again, else it makes the next one the head. Its node is free
//!    before it holds the lock.
//!
//! Unlock stores 0 to byte 0. *Shuffling* costs neither holder nor hand-over: a head that nobody has
//! grouped walks the queue while it waits, and moves those of its node behind itself. The last of
//! them goes on with that while it waits, from where the walk ended, and so on: one shuffler at a time, so
//! that links change at one place only. It stops when the lock (the head) or its turn (another waiter)
//! comes, and never touches the tail, to which somebody may be linking himself. Once in 1024 times
//! a walk is left out, which ends the group: no node waits for ever.

use super::nodes::Nodes;
use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Ordering, Platform, Stream, Until, Words};

/// Words of an instance: the lock, then the tail.
const TAIL: usize = 1;
const LOCKED: u16 = 1;
const LOCKED_MASK: u64 = 0xff;
const NO_STEALING_BYTE: u32 = 1;

const NEXT: usize = 0;
/// Byte 0: it is the head. Byte 1: it is to shuffle.
const STATUS: usize = 1;
const HEAD_MASK: u64 = 0xff;
const HEAD_BYTE: u32 = 0;
const SHUFFLER_BYTE: u32 = 1;
/// Its waiter's NUMA node.
const NUMA: usize = 2;
/// A shuffler has put it behind another one of its node.
const GROUPED: usize = 3;
/// Where the walk goes on; 0: behind itself.
const VISITED: usize = 4;

const SKIP_MASK: u64 = 1023;

/// The shuffling lock.
pub struct Shfl<P: Platform> {
    slots: Slots<P, u32>,
    nodes: Nodes<P>,
}

impl<P: Platform> Algorithm<P> for Shfl<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, _shared: &LockShared<P>) -> Self {
        let nodes = Nodes::new(build, &plan.name);
        Self { slots: plan.slots(build, 2), nodes }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        if self.try_lock(cpu, i).is_none() {
            attempt.contended(true);
            self.queue(cpu, self.slots.at(i));
        }
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        let (words, at) = (&self.slots.words, self.slots.at(i));
        let taken = Ordering::Acquire;
        words.compare_exchange_u16_at(cpu, at, 0, 0, LOCKED, taken).is_ok().then_some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.slots.words.store_u8_at(cpu, self.slots.at(i), 0, 0, Ordering::Release);
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes() + self.nodes.bytes()
    }
}

impl<P: Platform> Shfl<P> {
    fn get(&self, cpu: &P::Cpu, node: u32, field: usize) -> u32 {
        self.nodes.words.load(cpu, Nodes::<P>::at(node, field), Ordering::Acquire)
    }

    fn set(&self, cpu: &P::Cpu, node: u32, field: usize, value: u32) {
        self.nodes.words.store(cpu, Nodes::<P>::at(node, field), value, Ordering::Release);
    }

    /// Sets a byte of the status of another waiter.
    fn tell(&self, cpu: &P::Cpu, node: u32, byte: u32) {
        let status = Nodes::<P>::at(node, STATUS);
        self.nodes.words.store_u8_at(cpu, status, byte, 1, Ordering::Release);
    }

    fn queue(&self, cpu: &P::Cpu, at: usize) {
        let node = self.nodes.take(cpu);
        for field in [NEXT, STATUS, GROUPED, VISITED] {
            self.set(cpu, node, field, 0);
        }
        self.set(cpu, node, NUMA, P::node(cpu).0.into());
        let words = &self.slots.words;
        let before = words.swap(cpu, at + TAIL, node, Ordering::AcqRel);
        let shuffler = if before == 0 {
            words.store_u8_at(cpu, at, NO_STEALING_BYTE, 1, Ordering::Relaxed);
            true
        } else {
            self.set(cpu, before, NEXT, node);
            self.wait_in_line(cpu, node)
        };
        if shuffler {
            self.shuffle(cpu, node, || u64::from(self.word(cpu, at)) & LOCKED_MASK == 0);
        }
        self.take(cpu, at);
        self.leave(cpu, at, node);
        self.nodes.give_back(cpu, node);
    }

    fn word(&self, cpu: &P::Cpu, at: usize) -> u32 {
        self.slots.words.load(cpu, at, Ordering::Relaxed)
    }

    /// Waits until `node` is the head; whether it shuffles then.
    fn wait_in_line(&self, cpu: &P::Cpu, node: u32) -> bool {
        let status = Nodes::<P>::at(node, STATUS);
        let told = self.nodes.words.spin_until(cpu, status, Until::ne(0), Ordering::Acquire);
        if u64::from(told) & HEAD_MASK != 0 {
            let appointed = told >> (8 * SHUFFLER_BYTE) != 0;
            return appointed || self.get(cpu, node, GROUPED) == 0;
        }
        let turn = || u64::from(self.get(cpu, node, STATUS)) & HEAD_MASK != 0;
        let shuffler = self.shuffle(cpu, node, turn);
        self.nodes.words.spin_until(cpu, status, Until::bits_ne(HEAD_MASK, 0), Ordering::Acquire);
        shuffler
    }

    /// Moves waiters of the NUMA node of `node` behind it, until `stop` or the tail. The last of them
    /// is the shuffler then; returns whether that is still `node` itself.
    fn shuffle(&self, cpu: &P::Cpu, node: u32, stop: impl Fn() -> bool) -> bool {
        if P::random(cpu, Stream::Lock) & SKIP_MASK == 0 {
            return false;
        }
        let numa = self.get(cpu, node, NUMA);
        let visited = self.get(cpu, node, VISITED);
        let (mut last, mut before) = (node, if visited == 0 { node } else { visited });
        while !stop() {
            let waiter = self.get(cpu, before, NEXT);
            let after = if waiter == 0 { 0 } else { self.get(cpu, waiter, NEXT) };
            if after == 0 {
                break;
            }
            if self.get(cpu, waiter, NUMA) != numa {
                before = waiter;
                continue;
            }
            self.set(cpu, waiter, GROUPED, 1);
            if before == last {
                before = waiter;
            } else {
                self.set(cpu, before, NEXT, after);
                self.set(cpu, waiter, NEXT, self.get(cpu, last, NEXT));
                self.set(cpu, last, NEXT, waiter);
            }
            last = waiter;
        }
        if last == node {
            return true;
        }
        self.set(cpu, last, VISITED, if before == last { 0 } else { before });
        self.tell(cpu, last, SHUFFLER_BYTE);
        false
    }

    /// The head takes the lock; a thief may come first while stealing is allowed.
    fn take(&self, cpu: &P::Cpu, at: usize) {
        let words = &self.slots.words;
        let taken = Ordering::Acquire;
        loop {
            let free = Until::bits_eq(LOCKED_MASK, 0);
            let seen = words.spin_until(cpu, at, free, Ordering::Relaxed) as u16;
            if words.compare_exchange_u16_at(cpu, at, 0, seen, seen | LOCKED, taken).is_ok() {
                return;
            }
        }
    }

    /// The head has the lock: the next waiter is the head, or the queue is empty.
    fn leave(&self, cpu: &P::Cpu, at: usize, node: u32) {
        let words = &self.slots.words;
        let mut next = self.get(cpu, node, NEXT);
        if next == 0 {
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            if words.compare_exchange(cpu, at + TAIL, node, 0, order.0, order.1).is_ok() {
                // A waiter who came since keeps his place; he only may be overtaken.
                return words.store_u8_at(cpu, at, NO_STEALING_BYTE, 0, Ordering::Relaxed);
            }
            let link = Nodes::<P>::at(node, NEXT);
            next = self.nodes.words.spin_until(cpu, link, Until::ne(0), Ordering::Acquire);
        }
        self.tell(cpu, next, HEAD_BYTE);
    }
}
