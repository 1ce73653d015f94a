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
//! `cpu` is a CPU's state; `access` (loads, stores, LOCK operations), `spin` and `bulk` are the operations;
//! here is the order of events.

use pamt_strategies::measure::{Observation, Recorder};
use pamt_strategies::platform::{Draws, Stream, Until};
use pamt_strategies::units::{CpuId, Cycles, NodeId};

use super::coherence::{Coherence, Want};
use super::cpu::{At, Cpu, Status};
use super::interrupts::{Interrupts, Streams};
use super::line::NONE;
use super::queue::{self, Queue};
use super::seeds;
use super::spin::{Read, Spin};
use super::table::Table;
use super::topology::MAX_CPUS;

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

/// What a CPU that has not ended waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) at: At,
    pub(super) until: Until,
    pub(super) since: u64,
}

/// What an event leads to.
enum Due {
    /// The CPU runs now.
    Runs,
    /// It has another event.
    Again(u64),
    /// Nothing more.
    Nothing,
}

impl Due {
    fn again(key: Option<u64>) -> Self {
        key.map_or(Self::Nothing, Self::Again)
    }
}

/// Ranks below this one are store buffers', in the order of their CPUs.
const CPU_RANKS: u16 = MAX_CPUS as u16;

/// All of a run's state.
pub(super) struct Machine {
    pub(super) coherence: Coherence,
    cpus: Table<Cpu, MAX_CPUS>,
    draws: Vec<Draws>,
    /// The CPU of each rank, of store buffers and then of the CPUs themselves.
    by_rank: Table<u16, MAX_CPUS>,
    pub(super) queue: Queue,
    /// CPUs that have buffered stores, by bit, and how many they are.
    buffering: (Vec<u64>, u32),
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
    pub(super) fn new(coherence: Coherence, seed: u64, interrupts: Option<Interrupts>) -> Self {
        let topology = coherence.topology().clone();
        let count = topology.cpus();
        let by_rank = seeds::by_rank(seed, count);
        let mut rank = vec![0u16; count];
        for (place, cpu) in by_rank.iter().enumerate() {
            rank[usize::from(*cpu)] = place as u16;
        }
        let cpus = Table::new(|id| {
            if id >= count {
                return Cpu::new(0, 0, NodeId(0), None);
            }
            let core = topology.core_of(CpuId(id as u16));
            let streams = interrupts.map(|interrupts| Streams::new(interrupts, seed, id));
            Cpu::new(core, rank[id] + CPU_RANKS, topology.node_of(core), streams)
        });
        Self {
            draws: (0..count).map(|id| Draws::new(seed, CpuId(id as u16))).collect(),
            cpus,
            by_rank: Table::new(|place| by_rank.get(place).copied().unwrap_or(NONE)),
            queue: Queue::default(),
            buffering: (vec![0; count.div_ceil(64)], 0),
            node_writes: vec![0.0; topology.nodes()],
            recorder: None,
            preparing: false,
            counts: EngineCounts::default(),
            next: None,
            coherence,
        }
    }

    pub(super) fn cpu(&self, cpu: CpuId) -> &Cpu {
        &self.cpus[cpu.0]
    }

    pub(super) fn cpu_mut(&mut self, cpu: CpuId) -> &mut Cpu {
        &mut self.cpus[cpu.0]
    }

    pub(super) fn now(&self, cpu: CpuId) -> u64 {
        self.cpu(cpu).time
    }

    pub(super) fn node(&self, cpu: CpuId) -> NodeId {
        self.cpu(cpu).node
    }

    pub(super) fn random(&mut self, cpu: CpuId, stream: Stream) -> u64 {
        self.draws[usize::from(cpu.0)].next(stream)
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
        let waits = |cpu: &Cpu| match cpu.status {
            Status::Starting | Status::Quiet | Status::Polling | Status::Reading => {
                let Spin { at, until, since, .. } = cpu.spin;
                Some(Waits { at, until, since })
            }
            _ => None,
        };
        let alive = |cpu: &&Cpu| !matches!(cpu.status, Status::Done);
        let mut stuck: Vec<_> = self
            .cpus
            .iter()
            .filter(alive)
            .map(|cpu| (CpuId(self.by_rank[cpu.rank]), waits(cpu)))
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
    #[inline]
    pub(super) fn yields(&mut self, cpu: CpuId, want: Want) -> bool {
        if self.preparing {
            return false;
        }
        self.counts.operations += 1;
        self.cpus[cpu.0].drain_for(want);
        self.serve_interrupts(cpu);
        let state = &self.cpus[cpu.0];
        let key = queue::key(state.time, state.rank);
        key > self.queue.min() && self.suspends(cpu, Status::Ready, key)
    }

    /// Issues a load in its turn; see [`Machine::issues`].
    pub(super) fn issues_load(&mut self, cpu: CpuId, at: &At) -> bool {
        self.issues(cpu, at, Want::Load)
    }

    /// Issues a LOCK operation in its turn; see [`Machine::issues`].
    pub(super) fn issues_locked(&mut self, cpu: CpuId, at: &At) -> bool {
        self.issues(cpu, at, Want::Locked)
    }

    /// Issues an operation in its turn, and lets the CPUs act that come before its effect. Returns true
    /// when the caller must suspend until then. In set-up code it has no turn and takes no time.
    #[inline(always)]
    fn issues(&mut self, cpu: CpuId, at: &At, want: Want) -> bool {
        if self.preparing || at.private {
            return false;
        }
        self.counts.operations += 1;
        self.cpus[cpu.0].drain_for(want);
        self.serve_interrupts(cpu);
        let state = &self.cpus[cpu.0];
        let (now, rank) = (state.time, state.rank);
        let key = queue::key(now, rank);
        if key > self.queue.min() {
            self.cpus[cpu.0].issuing = *at;
            let filed = if want == Want::Load { Status::Loading } else { Status::Locking };
            return self.suspends(cpu, filed, key);
        }
        let done = self.issue(cpu, at, want, now);
        if done == now {
            return false;
        }
        self.cpus[cpu.0].time = done;
        let key = queue::key(done, rank);
        key > self.queue.min() && self.suspends(cpu, Status::Ready, key)
    }

    /// Files `cpu` at `key`, before which others come, and lets them act; returns true unless its turn
    /// has come by then.
    #[inline(never)]
    pub(super) fn suspends(&mut self, cpu: CpuId, status: Status, key: u64) -> bool {
        let state = &mut self.cpus[cpu.0];
        (state.key, state.status) = (key, status);
        let first = self.queue.exchange(key);
        self.select(Some(first));
        self.next != Some(cpu.0)
    }

    /// Suspends `cpu`, which waits for what its status says and has filed its own event, if any;
    /// returns true when the caller must switch.
    pub(super) fn waits(&mut self, cpu: CpuId) -> bool {
        self.dispatch() != Some(cpu.0)
    }

    /// Chooses the CPU to run, after one has ended or waits.
    #[inline(never)]
    pub(super) fn dispatch(&mut self) -> Option<u16> {
        let first = self.queue.pop();
        self.select(first);
        self.next
    }

    /// Handles events from `event` on until one makes a CPU run, and leaves it in `next`.
    #[inline(always)]
    fn select(&mut self, event: Option<u64>) {
        let mut event = event;
        while let Some(key) = event {
            self.counts.events += 1;
            let (rank, time) = (queue::rank_of(key), queue::time_of(key));
            let id = self.by_rank[rank];
            let again = if rank < CPU_RANKS {
                self.drain(CpuId(id), time)
            } else {
                match self.due(CpuId(id), key, time) {
                    Due::Runs => {
                        self.counts.switches += u64::from(self.next != Some(id));
                        self.next = Some(id);
                        self.cpus[id].key = u64::MAX;
                        return;
                    }
                    Due::Again(key) => Some(key),
                    Due::Nothing => None,
                }
            };
            event = match again {
                Some(key) => Some(self.queue.push_pop(key)),
                None => self.queue.pop(),
            };
        }
        self.next = None;
    }

    /// The event `key` of `cpu` at `time` has come.
    #[inline(always)]
    fn due(&mut self, cpu: CpuId, key: u64, time: u64) -> Due {
        let state = &mut self.cpus[cpu.0];
        if state.key != key {
            return Due::Nothing;
        }
        match state.status {
            Status::Ready => Due::Runs,
            Status::Loading => {
                let at = state.issuing;
                let done = self.issue_load(cpu, &at, time);
                self.issued(cpu, time, done)
            }
            Status::Locking => {
                let at = state.issuing;
                let done = self.issue_locked(cpu, &at, time);
                self.issued(cpu, time, done)
            }
            Status::Starting => match self.poll(cpu, time) {
                Read::Ended => Due::Runs,
                Read::Waits(key) => Due::again(key),
            },
            Status::Polling => {
                let read = self.poll(cpu, time);
                self.after_read(cpu, read)
            }
            Status::Reading => {
                let read = self.read(cpu, time);
                self.after_read(cpu, read)
            }
            Status::Sleeping => {
                (state.time, state.status) = (time, Status::Ready);
                Due::Runs
            }
            Status::Quiet => {
                let record = state.spin.record;
                (state.time, state.status) = (time, Status::Ready);
                self.unlink(cpu, record);
                Due::Runs
            }
            Status::Done => Due::Nothing,
        }
    }

    /// The operation of `cpu` that was issued at `time` takes effect when it is `done`.
    #[inline(always)]
    fn issued(&mut self, cpu: CpuId, time: u64, done: u64) -> Due {
        let state = &mut self.cpus[cpu.0];
        (state.time, state.status) = (done, Status::Ready);
        if done == time {
            return Due::Runs;
        }
        Due::Again(self.key_at(cpu, done))
    }

    /// A spinner whose read has ended its spin runs on when that read is done.
    fn after_read(&mut self, cpu: CpuId, read: Read) -> Due {
        match read {
            Read::Ended => Due::Again(self.key_at(cpu, self.cpu(cpu).time)),
            Read::Waits(key) => Due::again(key),
        }
    }

    /// The key that stands for `cpu` from now on.
    #[inline]
    pub(super) fn key_at(&mut self, cpu: CpuId, time: u64) -> u64 {
        let state = &mut self.cpus[cpu.0];
        state.key = queue::key(time, state.rank);
        state.key
    }

    /// The key at which the oldest buffered store of a CPU takes effect: before any CPU acts at that
    /// time.
    pub(super) fn drain_key(&self, cpu: CpuId, time: u64) -> u64 {
        queue::key(time, self.cpu(cpu).rank - CPU_RANKS)
    }

    /// A CPU's store buffer has its first store now, or none any more.
    #[inline]
    pub(super) fn buffers(&mut self, cpu: CpuId, stores: bool) {
        let (words, count) = &mut self.buffering;
        words[usize::from(cpu.0 / 64)] ^= 1 << (cpu.0 % 64);
        *count = if stores { *count + 1 } else { *count - 1 };
    }

    /// Whether any CPU has buffered stores.
    #[inline]
    pub(super) fn any_buffers(&self) -> bool {
        self.buffering.1 > 0
    }

    /// The CPUs that have buffered stores.
    pub(super) fn buffering(&self) -> impl Iterator<Item = CpuId> + '_ {
        self.buffering.0.iter().enumerate().flat_map(|(place, word)| {
            let (mut rest, first) = (*word, 64 * place as u32);
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(CpuId((first + bit) as u16))
            })
        })
    }

    /// Reports something; set-up code reports only what outlasts it.
    ///
    /// Inlined, because what is observed is known where it is said.
    #[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::super::store_buffer::{PendingStore, STORE_BUFFER};
    use super::*;

    /// What a CPU costs beside its stack: its state, generator and queue places, and a full store buffer.
    #[test]
    fn the_engines_record_of_a_cpu_takes_less_than_8_kib() {
        let buffer = 2 * STORE_BUFFER.next_power_of_two() * size_of::<PendingStore>();
        let record = size_of::<Cpu>() + size_of::<Draws>() + 2 * size_of::<u64>() + buffer;
        assert!(record <= 8 << 10, "{record} bytes");
    }
}
