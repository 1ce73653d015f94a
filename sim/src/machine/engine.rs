//! The event engine: which CPU acts next, and what waiting costs.
//!
//! # Order
//! Each CPU has a local clock. Work only moves that clock (*lazy delays*); an operation on shared memory
//! is the only point where CPUs meet. Operations happen in the order of *(time, rank)*, where ranks are
//! a permutation of the CPUs by seed, so that no CPU is favoured. A CPU goes on without a switch while
//! its own key is below every pending one (*exact run-ahead*): the result is bit-identical to switching
//! at every operation.
//!
//! # Parts
//! `access` (loads, stores, LOCK operations), `spin` and `bulk` are the operations; here are the order
//! of events, local time, sleeping and kicks.

use std::collections::VecDeque;

use pamt_strategies::measure::{Observation, Recorder};
use pamt_strategies::platform::{Until, Wake};
use pamt_strategies::units::{CpuId, Cycles, NodeId};
use rand_core::Rng;
use rand_pcg::Pcg64;

use super::access::{PendingStore, STORE_BUFFER};
use super::coherence::{Coherence, Want};
use super::line::NONE;
use super::queue::{self, Queue};
use super::seeds;
use super::spin::Spin;

/// What the engine did; equal for equal runs, so that a gate can compare it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineCounts {
    /// Operations on modelled memory, and waits.
    pub operations: u64,
    /// Keys taken from the event queue.
    pub events: u64,
    /// Switches between CPUs.
    pub switches: u64,
}

/// A word in simulated memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) addr: u64,
    pub(super) bytes: u32,
    pub(super) object: u32,
    /// Private words are neither ordered nor queued.
    pub(super) private: bool,
}

/// What a CPU that has not ended waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) at: At,
    pub(super) until: Until,
    pub(super) since: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Status {
    /// Runs, or waits for its turn.
    Ready,
    /// Waits for its line to change.
    Quiet(Spin),
    /// Its line was taken: it reads at its key's time.
    Polling(Spin),
    /// Its read takes effect at its key's time.
    Reading(Spin),
    /// Until a deadline or a kick.
    Sleeping { since: u64 },
    /// Its body has ended, or it never had one.
    Done,
}

/// One CPU.
pub(super) struct Cpu {
    pub(super) time: u64,
    /// Its buffered stores, oldest first.
    pub(super) stores: VecDeque<PendingStore>,
    /// When the last of them takes effect.
    pub(super) store_done: u64,
    /// The key that stands for it in the queue.
    pub(super) key: u64,
    pub(super) status: Status,
    pub(super) core: u16,
    rank: u16,
    node: NodeId,
    /// Neighbours in its line's list of waiters.
    pub(super) next: u16,
    pub(super) prev: u16,
    /// Delivery time of a kick that has not ended a sleep yet.
    kicked: Option<u64>,
    wake: Wake,
    /// Last value that a spin read, and whether it satisfied the predicate.
    pub(super) read: Result<u64, u64>,
    /// Factor on core-bound work: the sibling thread runs too.
    stretch: f64,
}

/// All of a run's state.
pub(super) struct Machine {
    pub(super) coherence: Coherence,
    cpus: Vec<Cpu>,
    rngs: Vec<Pcg64>,
    by_rank: Vec<u16>,
    queue: Queue,
    /// Until when the memory of each node is busy with writes, in cycles.
    pub(super) node_writes: Vec<f64>,
    pub(super) recorder: Option<Recorder>,
    /// Set-up code runs: operations change values and nothing else.
    pub(super) preparing: bool,
    pub(super) counts: EngineCounts,
    /// The CPU to run after the present one has suspended.
    pub(super) next: Option<u16>,
}

impl Machine {
    pub(super) fn new(coherence: Coherence, seed: u64) -> Self {
        let topology = coherence.topology().clone();
        let count = topology.cpus();
        let by_rank = seeds::by_rank(seed, count);
        let mut rank = vec![0u16; count];
        for (place, cpu) in by_rank.iter().enumerate() {
            rank[usize::from(*cpu)] = place as u16;
        }
        let cpus = (0..count).map(|id| {
            let core = topology.core_of(CpuId(id as u16));
            Cpu {
                time: 0,
                store_done: 0,
                stores: VecDeque::new(),
                key: u64::MAX,
                status: Status::Done,
                core,
                // Ranks below the number of CPUs are their store buffers'.
                rank: rank[id] + count as u16,
                node: topology.node_of(core),
                next: NONE,
                prev: NONE,
                kicked: None,
                wake: Wake::Deadline,
                read: Ok(0),
                stretch: 1.0,
            }
        });
        Self {
            rngs: (0..count).map(|id| seeds::of_cpu(seed, id)).collect(),
            cpus: cpus.collect(),
            by_rank,
            queue: Queue::default(),
            node_writes: vec![0.0; topology.nodes()],
            recorder: None,
            preparing: false,
            counts: EngineCounts::default(),
            next: None,
            coherence,
        }
    }

    pub(super) fn cpu(&self, cpu: CpuId) -> &Cpu {
        &self.cpus[usize::from(cpu.0)]
    }

    pub(super) fn cpu_mut(&mut self, cpu: CpuId) -> &mut Cpu {
        &mut self.cpus[usize::from(cpu.0)]
    }

    pub(super) fn now(&self, cpu: CpuId) -> u64 {
        self.cpu(cpu).time
    }

    pub(super) fn node(&self, cpu: CpuId) -> NodeId {
        self.cpu(cpu).node
    }

    pub(super) fn random(&mut self, cpu: CpuId) -> u64 {
        self.rngs[usize::from(cpu.0)].next_u64()
    }

    // ---- life of a run -------------------------------------------------------------------------

    /// Makes `cpus` ready at time 0.
    pub(super) fn start(&mut self, cpus: &[CpuId]) {
        let mut threads = vec![0u32; self.coherence.topology().cores()];
        for cpu in cpus {
            threads[usize::from(self.cpu(*cpu).core)] += 1;
        }
        self.coherence.set_active_cores(threads.iter().filter(|n| **n > 0).count());
        let factor = self.coherence.costs.smt_factor;
        for cpu in cpus {
            let shared = threads[usize::from(self.cpu(*cpu).core)] > 1;
            let state = self.cpu_mut(*cpu);
            state.stretch = if shared { factor } else { 1.0 };
            state.status = Status::Ready;
            state.key = queue::key(0, state.rank);
            let key = state.key;
            self.queue.push(key);
        }
    }

    /// The body of `cpu` has ended.
    pub(super) fn finish(&mut self, cpu: CpuId) {
        self.cpu_mut(cpu).status = Status::Done;
    }

    /// CPUs that have not ended, with what they wait for.
    pub(super) fn stuck(&self) -> Vec<(CpuId, Option<Waits>)> {
        let waits = |status: &Status| match status {
            Status::Quiet(spin) | Status::Polling(spin) | Status::Reading(spin) => {
                Some(Waits { at: spin.at, until: spin.until, since: spin.since })
            }
            _ => None,
        };
        let alive = |cpu: &&Cpu| !matches!(cpu.status, Status::Done);
        let mut stuck: Vec<_> = self
            .cpus
            .iter()
            .filter(alive)
            .map(|cpu| {
                (
                    CpuId(self.by_rank[usize::from(cpu.rank) - self.by_rank.len()]),
                    waits(&cpu.status),
                )
            })
            .collect();
        stuck.sort_by_key(|(cpu, _)| *cpu);
        stuck
    }

    /// The latest local clock.
    pub(super) fn end(&self) -> u64 {
        self.cpus.iter().map(|cpu| cpu.time).max().unwrap_or(0)
    }

    // ---- order ---------------------------------------------------------------------------------

    /// Called before `cpu` issues an operation on shared memory. Returns true when other CPUs must act
    /// first; then `next` says which, and the caller suspends. A LOCK operation waits until the store
    /// buffer is empty, a store until it has room.
    pub(super) fn yields(&mut self, cpu: CpuId, want: Want) -> bool {
        if self.preparing {
            return false;
        }
        self.counts.operations += 1;
        let state = &mut self.cpus[usize::from(cpu.0)];
        if want == Want::Locked {
            state.time = state.time.max(state.store_done);
        } else if want == Want::Store && state.stores.len() >= STORE_BUFFER {
            state.time = state.time.max(state.stores[0].done);
        }
        self.passes(cpu)
    }

    /// Lets the CPUs act that come before `cpu` at its local time. Returns true when the caller must
    /// suspend.
    pub(super) fn passes(&mut self, cpu: CpuId) -> bool {
        let state = &mut self.cpus[usize::from(cpu.0)];
        let key = queue::key(state.time, state.rank);
        if key <= self.queue.min() {
            return false;
        }
        (state.key, state.status) = (key, Status::Ready);
        let first = self.queue.push_pop(key);
        self.select(Some(first));
        self.next != Some(cpu.0)
    }

    /// Suspends `cpu` whose status says what it waits for; returns true when the caller must switch.
    pub(super) fn suspends(&mut self, cpu: CpuId) -> bool {
        let first = self.queue.pop();
        self.select(first);
        self.next != Some(cpu.0)
    }

    /// Chooses the CPU to run, after one has ended.
    pub(super) fn dispatch(&mut self) -> Option<u16> {
        let first = self.queue.pop();
        self.select(first);
        self.next
    }

    /// Handles events from `event` on until one makes a CPU run, and leaves it in `next`.
    fn select(&mut self, event: Option<u64>) {
        let mut event = event;
        while let Some(key) = event {
            self.counts.events += 1;
            let (rank, time) = (usize::from(queue::rank_of(key)), queue::time_of(key));
            if let Some(rank) = rank.checked_sub(self.by_rank.len()) {
                let id = CpuId(self.by_rank[rank]);
                if self.cpu(id).key == key && self.due(id, time) {
                    self.cpu_mut(id).key = u64::MAX;
                    self.counts.switches += u64::from(self.next != Some(id.0));
                    self.next = Some(id.0);
                    return;
                }
            } else {
                self.drain(CpuId(self.by_rank[rank]), time);
            }
            event = self.queue.pop();
        }
        self.next = None;
    }

    /// The event of `cpu` at `time` has come: true when the CPU runs now.
    fn due(&mut self, cpu: CpuId, time: u64) -> bool {
        match self.cpu(cpu).status {
            Status::Ready => true,
            Status::Sleeping { .. } => {
                let state = self.cpu_mut(cpu);
                (state.time, state.status) = (time, Status::Ready);
                true
            }
            Status::Polling(spin) => {
                self.poll(cpu, spin, time);
                false
            }
            Status::Reading(spin) => {
                self.read(cpu, spin, time);
                false
            }
            Status::Quiet(spin) => {
                self.unlink(cpu, spin.record);
                let state = self.cpu_mut(cpu);
                (state.time, state.status) = (time, Status::Ready);
                true
            }
            Status::Done => false,
        }
    }

    pub(super) fn file(&mut self, cpu: CpuId, time: u64) {
        let state = self.cpu_mut(cpu);
        state.key = queue::key(time, state.rank);
        let key = state.key;
        self.queue.push(key);
    }

    /// Files the time at which the oldest buffered store of a CPU takes effect: before any CPU acts at
    /// that time.
    pub(super) fn file_drain(&mut self, cpu: CpuId, time: u64) {
        let rank = self.cpu(cpu).rank - self.by_rank.len() as u16;
        self.queue.push(queue::key(time, rank));
    }

    // ---- time ----------------------------------------------------------------------------------

    /// Core-bound work.
    pub(super) fn work(&mut self, cpu: CpuId, length: Cycles) {
        if self.preparing {
            return;
        }
        let state = self.cpu_mut(cpu);
        state.time += if state.stretch == 1.0 {
            length.0
        } else {
            (length.0 as f64 * state.stretch).round() as u64
        };
    }

    /// One PAUSE.
    pub(super) fn pause(&mut self, cpu: CpuId) {
        if !self.preparing {
            self.cpus[usize::from(cpu.0)].time += self.coherence.costs.pause;
        }
    }

    /// Starts to sleep; true when the caller must switch. The outcome is in [`Machine::woken`].
    pub(super) fn sleep(&mut self, cpu: CpuId, deadline: u64) -> bool {
        if self.preparing {
            return false;
        }
        self.counts.operations += 1;
        let state = self.cpu_mut(cpu);
        let since = state.time;
        let deadline = deadline.max(since);
        state.wake = Wake::Deadline;
        if let Some(kick) = state.kicked.filter(|kick| *kick <= deadline) {
            (state.kicked, state.wake) = (None, Wake::Kicked);
            state.time = since.max(kick);
            return false;
        }
        let key = queue::key(deadline, state.rank);
        if key <= self.queue.min() {
            // Nobody can act, so nobody can kick, before the deadline.
            self.cpu_mut(cpu).time = deadline;
            return false;
        }
        self.cpu_mut(cpu).status = Status::Sleeping { since };
        if deadline < u64::MAX >> 16 {
            self.file(cpu, deadline);
        } else {
            self.cpu_mut(cpu).key = u64::MAX;
        }
        self.suspends(cpu)
    }

    /// How the last sleep ended.
    pub(super) fn woken(&self, cpu: CpuId) -> Wake {
        self.cpu(cpu).wake
    }

    /// Sends an interrupt that ends the target's sleep, or its next one.
    pub(super) fn kick(&mut self, cpu: CpuId, target: CpuId) {
        if self.preparing {
            return;
        }
        let at = self.cpu(cpu).time + self.coherence.costs.ipi;
        self.cpu_mut(cpu).time += self.coherence.costs.ipi_send;
        let state = self.cpu_mut(target);
        match state.status {
            Status::Sleeping { since } => {
                let at = at.max(since);
                if queue::key(at, state.rank) < state.key {
                    state.wake = Wake::Kicked;
                    self.file(target, at);
                } else if state.wake == Wake::Deadline {
                    state.kicked = Some(at);
                }
            }
            Status::Done => {}
            _ => state.kicked = Some(state.kicked.map_or(at, |earlier| earlier.min(at))),
        }
    }
    /// Reports something; set-up code reports only what outlasts it.
    pub(super) fn observe(&mut self, cpu: CpuId, observation: Observation) {
        let outlasts = matches!(observation, Observation::Pair { .. } | Observation::Violation(_));
        if self.preparing && !outlasts {
            return;
        }
        let now = Cycles(self.now(cpu));
        if let Some(recorder) = &mut self.recorder {
            if recorder.is_traced() {
                self.coherence.report_moves(recorder);
            }
            recorder.observe(cpu, now, observation);
        }
    }
}
