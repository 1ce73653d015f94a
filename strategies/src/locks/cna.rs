//! CNA, the NUMA-aware qspinlock (Dice and Kogan, EuroSys 2019; Linux patches v13).
//!
//! The word and the way into the queue are those of [`QSpinLock`](super::QSpinLock). A queue node also
//! knows its NUMA node. The head of the queue, before it waits for the lock, looks at the waiter
//! behind it: if that one is of another NUMA node and has a successor, it moves to a secondary queue.
//! That queue is a ring; the head's *locked* field holds the code of its tail (1: there is none), and
//! every hand-over passes it on. When the main queue runs empty the secondary one takes its place.
//!
//! No starvation: once a secondary queue is 10 ms old it goes in front of the main one as a whole.
//! While there is none, the head looks behind itself only once in 128 times.

use super::plan::{LockPlan, LockShared, Slots};
use super::qspinlock::{LOCKED, LOCKED_PENDING_MASK, QCore, TAIL_MASK, Waiting};
use super::spin::{Algorithm, Attempt};
use crate::platform::{Home, Ordering, Place, Platform, Stream, Until, Words};

const NODES_PER_CPU: u64 = 4;
/// 32 bytes a node: two lines a CPU.
const NODE_WORDS: usize = 4;
const CPU_WORDS: usize = NODES_PER_CPU as usize * NODE_WORDS;
const NEXT: usize = 0;
/// 0: wait; 1: granted; else granted, and the code of the tail of the secondary queue.
const GRANTED: usize = 1;
/// The NUMA node whose waiters its holder prefers.
const NUMA: usize = 2;
/// When the secondary queue was made, in cycles + 2; 0: there is none; 1: flush it now.
const SINCE: usize = 3;
const FLUSH: u64 = 1;

const THRESHOLD_NS: f64 = 10e6;
const SKIP_MASK: u64 = 127;

/// The CNA lock.
pub struct Cna<P: Platform> {
    slots: Slots<P, u32>,
    core: QCore<P>,
    queue: CnaQueue<P>,
}

struct CnaQueue<P: Platform> {
    nodes: P::Words<u64>,
    /// How many of its nodes a CPU uses.
    depths: P::Words<u64>,
    threshold_cycles: u64,
}

impl<P: Platform> Algorithm<P> for Cna<P> {
    fn new(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self {
        let cpus = P::cpu_count(build);
        let place = Place::packed(format!("{}.cna_nodes", plan.name), cpus * CPU_WORDS)
            .record(CPU_WORDS as u32 * 8, &[])
            .home(Home::PerCpu);
        let nodes = P::words(build, place);
        let depths = Place::padded(format!("{}.cna_depths", plan.name), cpus);
        let depths = P::words(build, depths.home(Home::PerCpu).private());
        let threshold_cycles = P::clock(build).cycles(THRESHOLD_NS).0;
        let slots: Slots<P, u32> = plan.slots(build, 1);
        let core = QCore { words: slots.words.clone(), nodes: shared.qnodes.clone() };
        Self { slots, core, queue: CnaQueue { nodes, depths, threshold_cycles } }
    }

    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32 {
        let at = self.slots.at(i);
        if self.core.lock_or_queue(cpu, at, attempt) == Waiting::MustQueue {
            attempt.contended(true);
            self.queue.enter(cpu, &self.core, at);
        }
        0
    }

    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32> {
        self.core.try_lock(cpu, self.slots.at(i)).then_some(0)
    }

    fn unlock(&self, cpu: &P::Cpu, i: usize, _node: u32) {
        self.core.unlock(cpu, self.slots.at(i));
    }

    fn memory_bytes(&self) -> u64 {
        self.slots.bytes() + 8 * self.queue.nodes.len() as u64
    }
}

/// Index of the first word of the node that a code names.
fn node_of(code: u64) -> usize {
    ((code >> 2) as usize - 1) * CPU_WORDS + (code & 3) as usize * NODE_WORDS
}

impl<P: Platform> CnaQueue<P> {
    fn get(&self, cpu: &P::Cpu, node: usize, field: usize) -> u64 {
        self.nodes.load(cpu, node + field, Ordering::Acquire)
    }

    fn set(&self, cpu: &P::Cpu, node: usize, field: usize, value: u64) {
        self.nodes.store(cpu, node + field, value, Ordering::Release);
    }

    fn enter(&self, cpu: &P::Cpu, lock: &QCore<P>, at: usize) {
        let mine = usize::from(P::cpu(cpu).0);
        let depth = self.depths.load(cpu, mine, Ordering::Relaxed);
        self.depths.store(cpu, mine, depth + 1, Ordering::Relaxed);
        if depth < NODES_PER_CPU {
            self.wait_in_line(cpu, lock, at, depth);
        } else {
            while !lock.try_lock(cpu, at) {
                P::pause(cpu);
            }
        }
        self.depths.store(cpu, mine, depth, Ordering::Relaxed);
    }

    fn wait_in_line(&self, cpu: &P::Cpu, lock: &QCore<P>, at: usize, depth: u64) {
        let me = (u64::from(P::cpu(cpu).0) + 1) << 2 | depth;
        let node = node_of(me);
        let relaxed = Ordering::Relaxed;
        self.nodes.store(cpu, node + GRANTED, 0, relaxed);
        self.nodes.store(cpu, node + NEXT, 0, relaxed);
        self.nodes.store(cpu, node + SINCE, 0, relaxed);
        self.nodes.store(cpu, node + NUMA, u64::from(P::node(cpu).0), relaxed);
        if lock.try_lock(cpu, at) {
            return;
        }
        let before = lock.words.swap_u16_at(cpu, at, 1, me as u16, Ordering::AcqRel);
        if before != 0 {
            self.set(cpu, node_of(u64::from(before)), NEXT, me);
            self.nodes.spin_until(cpu, node + GRANTED, Until::ne(0), Ordering::Acquire);
        }
        self.reorder(cpu, node);
        let free = Until::bits_eq(LOCKED_PENDING_MASK, 0);
        let seen = lock.words.spin_until(cpu, at, free, Ordering::Acquire);
        if u64::from(seen & TAIL_MASK) == me << 16 && self.last_of_main(cpu, lock, at, seen, node) {
            return;
        }
        lock.words.store_u8_at(cpu, at, 0, LOCKED as u8, relaxed);
        let next = self.nodes.spin_until(cpu, node + NEXT, Until::ne(0), Ordering::Acquire);
        self.hand_over(cpu, node, next);
    }

    /// The head looks at the waiter behind it, once.
    fn reorder(&self, cpu: &P::Cpu, node: usize) {
        let secondary = self.get(cpu, node, GRANTED) > 1;
        if !secondary && P::random(cpu, Stream::Lock) & SKIP_MASK != 0 {
            return;
        }
        let since = self.get(cpu, node, SINCE);
        if since > FLUSH && P::now(cpu).0.saturating_sub(since - 2) > self.threshold_cycles {
            return self.set(cpu, node, SINCE, FLUSH);
        }
        let next = self.get(cpu, node, NEXT);
        if next == 0 || self.get(cpu, node_of(next), NUMA) == self.get(cpu, node, NUMA) {
            return;
        }
        let after = self.get(cpu, node_of(next), NEXT);
        if after != 0 {
            self.move_aside(cpu, node, next, after);
        }
    }

    /// Moves `next` from behind `node` to the end of the secondary queue.
    fn move_aside(&self, cpu: &P::Cpu, node: usize, next: u64, after: u64) {
        self.set(cpu, node, NEXT, after);
        let tail = self.get(cpu, node, GRANTED);
        if tail > 1 {
            let head = self.get(cpu, node_of(tail), NEXT);
            self.set(cpu, node_of(next), NEXT, head);
            self.set(cpu, node_of(tail), NEXT, next);
        } else {
            self.set(cpu, node_of(next), NEXT, next);
            self.set(cpu, node, SINCE, P::now(cpu).0 + 2);
        }
        self.set(cpu, node, GRANTED, next);
    }

    /// Takes the lock as the last waiter of the main queue; false if another one has come.
    fn last_of_main(
        &self,
        cpu: &P::Cpu,
        lock: &QCore<P>,
        at: usize,
        seen: u32,
        node: usize,
    ) -> bool {
        let tail = self.get(cpu, node, GRANTED);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        if tail <= 1 {
            return lock.words.compare_exchange(cpu, at, seen, LOCKED, order.0, order.1).is_ok();
        }
        let head = self.get(cpu, node_of(tail), NEXT);
        let word = (tail as u32) << 16 | LOCKED;
        if lock.words.compare_exchange(cpu, at, seen, word, order.0, order.1).is_err() {
            return false;
        }
        // The ring ends here, unless a new waiter has linked itself behind the tail already.
        let link = node_of(tail) + NEXT;
        let _ = self.nodes.compare_exchange(cpu, link, head, 0, order.0, order.1);
        self.set(cpu, node_of(head), GRANTED, 1);
        true
    }

    fn hand_over(&self, cpu: &P::Cpu, node: usize, next: u64) {
        let tail = self.get(cpu, node, GRANTED);
        let since = self.get(cpu, node, SINCE);
        if since == FLUSH && tail > 1 {
            let head = self.get(cpu, node_of(tail), NEXT);
            self.set(cpu, node_of(tail), NEXT, next);
            return self.set(cpu, node_of(head), GRANTED, 1);
        }
        if tail > 1 {
            self.set(cpu, node_of(next), SINCE, since);
        }
        self.set(cpu, node_of(next), NUMA, self.get(cpu, node, NUMA));
        self.set(cpu, node_of(next), GRANTED, tail.max(1));
    }
}
