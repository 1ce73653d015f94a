//! The event engine: which CPU acts next, and what waiting costs.
//!
//! # Order
//! Each CPU has a local clock. Work only moves that clock (*lazy delays*); an operation on shared memory
//! is the only point where CPUs meet. Operations happen in the order of *(time, rank)*, where ranks are
//! a permutation of the CPUs by seed, so that no CPU is favoured. A CPU goes on without a switch while
//! its own key is below every pending one (*exact run-ahead*): the result is bit-identical to switching
//! at every operation.
//!
//! # Waiting
//! A CPU that spins has registered its predicate ([`Until`]) with its line and costs nothing. A write to
//! the line by anybody makes it poll again at its next poll time (its reads are a PAUSE apart); the
//! engine performs that read and tests the predicate without switching to the CPU's stack.

use pamt_strategies::measure::{Observation, Recorder};
use pamt_strategies::platform::{BulkKind, Until, Wake};
use pamt_strategies::units::{CpuId, Cycles, LINE_BYTES, NodeId};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::coherence::{Access, Coherence, Wakes, Want};
use super::line::NONE;
use super::queue::{self, Queue};

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

/// A wait for a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spin {
    at: At,
    until: Until,
    record: u32,
    /// Time of the poll that follows the last one, if nothing changes.
    next_poll: u64,
    /// No poll happens after this time.
    last_poll: u64,
    since: u64,
}

impl Spin {
    const NONE: Self = Self {
        at: At { addr: 0, bytes: 1, object: 0, private: false },
        until: Until::eq(0),
        record: 0,
        next_poll: 0,
        last_poll: 0,
        since: 0,
    };
}

/// What a CPU that has not ended waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) at: At,
    pub(super) until: Until,
    pub(super) since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Runs, or waits for its turn.
    Ready,
    /// Waits for its line to change; see its [`Spin`].
    Quiet,
    /// Its line has changed: it polls at its key's time.
    Polling,
    /// Until a deadline or a kick.
    Sleeping,
    /// Its body has ended, or it never had one.
    Done,
}

/// One CPU.
struct Cpu {
    time: u64,
    /// When its buffered store is done.
    store_done: u64,
    /// Line of that store: its own loads are forwarded from it.
    store_line: u64,
    /// The key that stands for it in the queue.
    key: u64,
    status: Status,
    core: u16,
    rank: u16,
    node: NodeId,
    /// Neighbours in its line's list of waiters.
    next: u16,
    prev: u16,
    /// Delivery time of a kick that has not ended a sleep yet.
    kicked: Option<u64>,
    wake: Wake,
    /// Last value that a spin read, and whether it satisfied the predicate.
    read: Result<u64, u64>,
    /// Factor on core-bound work: the sibling thread runs too.
    stretch: f64,
}

/// All of a run's state.
pub(super) struct Machine {
    pub(super) coherence: Coherence,
    cpus: Vec<Cpu>,
    /// Of each CPU; meaningful while it spins.
    spins: Vec<Spin>,
    rngs: Vec<Pcg64>,
    by_rank: Vec<u16>,
    queue: Queue,
    /// Until when the memory of each node is busy with writes, in cycles.
    node_writes: Vec<f64>,
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
        let mut by_rank: Vec<u16> = (0..count as u16).collect();
        let mut shuffle = Pcg64::seed_from_u64(seed);
        for i in (1..count).rev() {
            by_rank.swap(i, (shuffle.next_u64() % (i as u64 + 1)) as usize);
        }
        let mut rank = vec![0u16; count];
        for (place, cpu) in by_rank.iter().enumerate() {
            rank[usize::from(*cpu)] = place as u16;
        }
        let cpus = (0..count).map(|id| {
            let core = topology.core_of(CpuId(id as u16));
            Cpu {
                time: 0,
                store_done: 0,
                store_line: u64::MAX,
                key: u64::MAX,
                status: Status::Done,
                core,
                rank: rank[id],
                node: topology.node_of(core),
                next: NONE,
                prev: NONE,
                kicked: None,
                wake: Wake::Deadline,
                read: Ok(0),
                stretch: 1.0,
            }
        });
        let rng = |id| Pcg64::new(u128::from(seed) << 64 | 0x5eed, id as u128);
        Self {
            spins: vec![Spin::NONE; count],
            rngs: (0..count).map(rng).collect(),
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

    fn cpu(&self, cpu: CpuId) -> &Cpu {
        &self.cpus[usize::from(cpu.0)]
    }

    fn cpu_mut(&mut self, cpu: CpuId) -> &mut Cpu {
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
        let waits = |(cpu, spin): (&Cpu, &Spin)| match cpu.status {
            Status::Quiet | Status::Polling => {
                Some(Waits { at: spin.at, until: spin.until, since: spin.since })
            }
            _ => None,
        };
        let all = self.cpus.iter().zip(&self.spins).enumerate();
        all.filter(|(_, (cpu, _))| cpu.status != Status::Done)
            .map(|(id, pair)| (CpuId(id as u16), waits(pair)))
            .collect()
    }

    /// The latest local clock.
    pub(super) fn end(&self) -> u64 {
        self.cpus.iter().map(|cpu| cpu.time).max().unwrap_or(0)
    }

    // ---- order ---------------------------------------------------------------------------------

    /// Called before an operation of `cpu` on shared memory. Returns true when other CPUs must act
    /// first; then `next` says which, and the caller suspends. `drain`: the operation waits for the
    /// CPU's buffered store first.
    pub(super) fn yields(&mut self, cpu: CpuId, drain: bool) -> bool {
        if self.preparing {
            return false;
        }
        self.counts.operations += 1;
        let state = &mut self.cpus[usize::from(cpu.0)];
        if drain {
            state.time = state.time.max(state.store_done);
        }
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
    fn suspends(&mut self, cpu: CpuId) -> bool {
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
            let id = CpuId(self.by_rank[usize::from(queue::rank_of(key))]);
            if self.cpu(id).key == key && self.due(id, queue::time_of(key)) {
                self.cpu_mut(id).key = u64::MAX;
                self.counts.switches += u64::from(self.next != Some(id.0));
                self.next = Some(id.0);
                return;
            }
            event = self.queue.pop();
        }
        self.next = None;
    }

    /// The event of `cpu` at `time` has come: true when the CPU runs now.
    fn due(&mut self, cpu: CpuId, time: u64) -> bool {
        match self.cpu(cpu).status {
            Status::Ready => true,
            Status::Sleeping => {
                let state = self.cpu_mut(cpu);
                (state.time, state.status) = (time, Status::Ready);
                true
            }
            Status::Polling => self.poll(cpu, time),
            Status::Quiet => {
                self.unlink(cpu, self.spins[usize::from(cpu.0)].record);
                let state = self.cpu_mut(cpu);
                (state.time, state.status) = (time, Status::Ready);
                true
            }
            Status::Done => false,
        }
    }

    fn file(&mut self, cpu: CpuId, time: u64) {
        let state = self.cpu_mut(cpu);
        state.key = queue::key(time, state.rank);
        let key = state.key;
        self.queue.push(key);
    }

    // ---- memory --------------------------------------------------------------------------------

    fn access(&self, cpu: CpuId, at: At) -> Access {
        Access { addr: at.addr, object: at.object, cpu, core: self.cpu(cpu).core }
    }

    /// Loads a word.
    pub(super) fn load(&mut self, cpu: CpuId, at: At) -> u64 {
        let value = self.coherence.memory.read(at.addr, at.bytes);
        if self.preparing {
            return value;
        }
        if at.private {
            self.private(cpu, at, Want::Load);
            return value;
        }
        let done = self.fetch(cpu, at);
        self.cpu_mut(cpu).time = done + self.coherence.costs.load;
        value
    }

    /// When a load has its line.
    fn fetch(&mut self, cpu: CpuId, at: At) -> u64 {
        let state = self.cpu(cpu);
        let (now, forwarded) = (state.time, state.store_line == at.addr / LINE_BYTES);
        let access = self.access(cpu, at);
        self.coherence.tidy(now);
        let served = self.coherence.access(access, now, Want::Load);
        if served.hit && forwarded { now } else { served.done }
    }

    /// Stores a word: the CPU goes on while its store buffer waits for the line.
    pub(super) fn store(&mut self, cpu: CpuId, at: At, value: u64) {
        self.coherence.memory.write(at.addr, at.bytes, value);
        if self.preparing {
            return;
        }
        if at.private {
            return self.private(cpu, at, Want::Store);
        }
        self.own(cpu, at, Want::Store);
        self.cpu_mut(cpu).time += self.coherence.costs.store;
    }

    /// Asks for ownership of a line without waiting for it: plain stores and PREFETCHW.
    fn own(&mut self, cpu: CpuId, at: At, want: Want) {
        let now = self.cpu(cpu).time;
        let access = self.access(cpu, at);
        self.coherence.tidy(now);
        let served = self.coherence.access(access, now, want);
        let state = self.cpu_mut(cpu);
        (state.store_done, state.store_line) = (served.done, at.addr / LINE_BYTES);
        self.wake(served.wakes, access.core);
    }

    /// PREFETCHW.
    pub(super) fn prefetchw(&mut self, cpu: CpuId, at: At) {
        if self.preparing || at.private {
            return;
        }
        // A record remembers when the line will have arrived; a cold line's word does not.
        let access = self.access(cpu, at);
        self.coherence.promote(access);
        let now = self.cpu(cpu).time;
        let served = self.coherence.access(access, now, Want::Store);
        self.wake(served.wakes, access.core);
        self.cpu_mut(cpu).time += self.coherence.costs.store;
    }

    /// A LOCK operation: `change` maps the old value to the new one, or to none to leave it. Returns
    /// the old value. The line is taken for ownership in either case, as x86 does.
    pub(super) fn locked(
        &mut self,
        cpu: CpuId,
        at: At,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> u64 {
        let old = self.coherence.memory.read(at.addr, at.bytes);
        if let Some(new) = change(old) {
            self.coherence.memory.write(at.addr, at.bytes, new);
        }
        if self.preparing {
            return old;
        }
        if at.private {
            self.private(cpu, at, Want::Locked);
            return old;
        }
        let now = self.cpu(cpu).time;
        let access = self.access(cpu, at);
        self.coherence.tidy(now);
        let served = self.coherence.access(access, now, Want::Locked);
        self.cpu_mut(cpu).time = served.done + self.coherence.costs.lock;
        self.wake(served.wakes, access.core);
        old
    }

    fn private(&mut self, cpu: CpuId, at: At, want: Want) {
        self.counts.operations += 1;
        let costs = &self.coherence.costs;
        let counters = &mut self.coherence.cold[at.object as usize];
        counters.l1_hits += 1;
        let cost = match want {
            Want::Load => {
                counters.loads += 1;
                costs.load
            }
            Want::Store => {
                counters.stores += 1;
                costs.store
            }
            Want::Locked => {
                counters.locked += 1;
                costs.lock
            }
        };
        self.cpus[usize::from(cpu.0)].time += cost;
    }

    // ---- spinning ------------------------------------------------------------------------------

    /// Starts to spin; the first read happens now. Returns true when the caller must switch; the
    /// outcome is then in [`Machine::spun`].
    pub(super) fn spin(&mut self, cpu: CpuId, at: At, until: Until, reads: Option<u32>) -> bool {
        let value = self.coherence.memory.read(at.addr, at.bytes);
        let holds = until.holds(value);
        self.cpu_mut(cpu).read = if holds { Ok(value) } else { Err(value) };
        if self.preparing {
            assert!(
                holds || reads.is_some(),
                "set-up code waits for {until} on {}, and nothing can change it",
                self.coherence.memory.object(at.object).name
            );
            return false;
        }
        let since = self.cpu(cpu).time;
        let done = self.fetch(cpu, at) + self.coherence.costs.load;
        self.cpu_mut(cpu).time = done;
        if holds || reads.is_some_and(|reads| reads <= 1) {
            return false;
        }
        let next_poll = done + self.coherence.costs.pause;
        let last_poll = match reads {
            Some(reads) => next_poll + u64::from(reads - 2) * self.poll_period(),
            None => u64::MAX,
        };
        let record = self.coherence.promote(self.access(cpu, at));
        self.spins[usize::from(cpu.0)] = Spin { at, until, record, next_poll, last_poll, since };
        self.watch(cpu);
        self.suspends(cpu)
    }

    /// The last value that a spin read: `Ok` when it satisfied the predicate.
    pub(super) fn spun(&self, cpu: CpuId) -> Result<u64, u64> {
        self.cpu(cpu).read
    }

    fn poll_period(&self) -> u64 {
        (self.coherence.costs.pause + self.coherence.costs.load).max(1)
    }

    /// Waits for a change of the line; a bounded spin ends after its last read at the latest.
    fn watch(&mut self, cpu: CpuId) {
        let Spin { record, last_poll, .. } = self.spins[usize::from(cpu.0)];
        self.link(cpu, record);
        self.cpu_mut(cpu).status = Status::Quiet;
        if last_poll == u64::MAX {
            self.cpu_mut(cpu).key = u64::MAX;
        } else {
            self.file(cpu, last_poll + self.coherence.costs.load);
        }
    }

    /// Makes the waiters of a line poll after it has changed.
    fn wake(&mut self, wakes: Option<Wakes>, writer: u16) {
        let Some(Wakes { record, at }) = wakes else {
            return;
        };
        let period = self.poll_period();
        let mut id = std::mem::replace(&mut self.coherence.records.get_mut(record).waiters, NONE);
        let ready = self.coherence.records.get(record).ready_at;
        let mut polls = 0;
        while id != NONE {
            let cpu = CpuId(id);
            let state = &mut self.cpus[usize::from(cpu.0)];
            id = state.next;
            if state.status == Status::Quiet {
                let spin = &mut self.spins[usize::from(cpu.0)];
                // A sibling of the writer keeps its copy until the core itself has the line.
                let seen = if state.core == writer { ready } else { at };
                let missed = seen.saturating_sub(spin.next_poll).div_ceil(period);
                spin.next_poll += missed * period;
                polls += missed;
                if spin.next_poll > spin.last_poll {
                    // Its reads run out before it could see the change.
                    self.link(cpu, record);
                    continue;
                }
                state.status = Status::Polling;
                let next_poll = spin.next_poll;
                self.file(cpu, next_poll);
            }
        }
        let counters = &mut self.coherence.records.get_mut(record).counters;
        counters.loads += polls;
        counters.l1_hits += polls;
    }

    /// A read of a spinner whose line has changed. True when the CPU runs on at once.
    fn poll(&mut self, cpu: CpuId, time: u64) -> bool {
        self.counts.operations += 1;
        self.cpu_mut(cpu).time = time;
        let Spin { at, until, last_poll, .. } = self.spins[usize::from(cpu.0)];
        let done = self.fetch(cpu, at) + self.coherence.costs.load;
        let value = self.coherence.memory.read(at.addr, at.bytes);
        let holds = until.holds(value);
        let state = self.cpu_mut(cpu);
        state.time = done;
        state.read = if holds { Ok(value) } else { Err(value) };
        let next_poll = done + self.coherence.costs.pause;
        if holds || next_poll > last_poll {
            self.cpu_mut(cpu).status = Status::Ready;
            self.file(cpu, done);
        } else {
            let record = self.coherence.promote(self.access(cpu, at));
            let spin = &mut self.spins[usize::from(cpu.0)];
            (spin.record, spin.next_poll) = (record, next_poll);
            self.watch(cpu);
        }
        false
    }

    fn link(&mut self, cpu: CpuId, record: u32) {
        let first = std::mem::replace(&mut self.coherence.records.get_mut(record).waiters, cpu.0);
        let state = self.cpu_mut(cpu);
        (state.next, state.prev) = (first, NONE);
        if first != NONE {
            self.cpus[usize::from(first)].prev = cpu.0;
        }
    }

    fn unlink(&mut self, cpu: CpuId, record: u32) {
        let Cpu { next, prev, .. } = *self.cpu(cpu);
        if prev == NONE {
            self.coherence.records.get_mut(record).waiters = next;
        } else {
            self.cpus[usize::from(prev)].next = next;
        }
        if next != NONE {
            self.cpus[usize::from(next)].prev = prev;
        }
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
        self.cpu_mut(cpu).status = Status::Sleeping;
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
            Status::Sleeping => {
                // Its clock stands where it went to sleep.
                let at = at.max(state.time);
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

    // ---- bulk work -----------------------------------------------------------------------------

    /// Work on `bytes` of memory homed on `home`. The core has a rate of its own, and the writes of all
    /// CPUs share what the node's memory can take: a server that is busy until it has written them.
    pub(super) fn bulk(&mut self, cpu: CpuId, kind: BulkKind, bytes: u64, home: NodeId) {
        if self.preparing {
            return;
        }
        let lines = bytes.div_ceil(LINE_BYTES);
        let costs = self.coherence.costs.bulk;
        let (a_line, writes) = match kind {
            BulkKind::DirectStore => (costs.direct_store, true),
            BulkKind::Store => (costs.store, true),
            BulkKind::Scan => (costs.scan, false),
            BulkKind::Copy => (costs.scan + costs.direct_store, true),
            BulkKind::Flush => (costs.flush, true),
        };
        let state = self.cpu(cpu);
        let (core, now) = (state.core, state.time as f64);
        let mut done = now + lines as f64 * a_line;
        if matches!(kind, BulkKind::Scan | BulkKind::Copy) {
            done += self.dram_latency(core, home) as f64;
        }
        if writes {
            let busy = &mut self.node_writes[usize::from(home.0)];
            *busy = busy.max(now) + lines as f64 * costs.node_write;
            done = done.max(*busy);
        }
        if matches!(kind, BulkKind::Store | BulkKind::Scan | BulkKind::Copy) {
            self.coherence.pollute(core, lines);
        }
        self.cpu_mut(cpu).time = done.round() as u64;
    }

    fn dram_latency(&self, core: u16, home: NodeId) -> u64 {
        let topology = self.coherence.topology();
        let distance =
            topology.socket_distance(topology.socket_of(core), topology.socket_of_node(home));
        self.coherence.costs.dram[distance as usize].latency()
    }

    /// Writes `value` to words of `stride` bytes over `lines` lines from `at`, then charges it as bulk
    /// work of `kind`: a direct store leaves the lines in memory, an ordinary one in the core's caches.
    pub(super) fn fill(&mut self, cpu: CpuId, range: FillRange, value: u64, kind: BulkKind) {
        for i in 0..range.words {
            let addr = range.at.addr + i * range.stride;
            self.coherence.memory.write(addr, range.at.bytes, value);
        }
        let first = range.at.addr & !(LINE_BYTES - 1);
        let end = range.at.addr + range.words * range.stride;
        let (now, core) = (self.cpu(cpu).time, self.cpu(cpu).core);
        for addr in (first..end).step_by(LINE_BYTES as usize) {
            let wakes = self.coherence.evict(addr, now, range.home);
            self.wake(wakes, core);
            if kind == BulkKind::Store && !self.preparing {
                let access = Access { addr, object: range.at.object, cpu, core };
                self.coherence.take_silently(access);
            }
        }
        let home = self.coherence.home_of(range.at.object, first);
        self.bulk(cpu, kind, end - first, home);
    }

    /// Loads every line of a range, several at a time, and returns the first word (of those `step`
    /// apart) that satisfies `until`. Lines that are cached cost their own latency; the others stream.
    pub(super) fn scan(
        &mut self,
        cpu: CpuId,
        range: FillRange,
        step: u64,
        until: Until,
    ) -> Option<u64> {
        let found = (0..range.words).step_by(step.max(1) as usize).find(|i| {
            let addr = range.at.addr + i * range.stride;
            until.holds(self.coherence.memory.read(addr, range.at.bytes))
        });
        if self.preparing {
            return found;
        }
        let words = found.map_or(range.words, |i| i + 1);
        let first = range.at.addr & !(LINE_BYTES - 1);
        let end = range.at.addr + words * range.stride;
        let now = self.cpu(cpu).time;
        let mut longest = 0;
        let mut lines = 0u64;
        for addr in (first..end).step_by(LINE_BYTES as usize) {
            let access = self.access(cpu, At { addr, ..range.at });
            let served = self.coherence.access(access, now, Want::Load);
            longest = longest.max(served.done - now);
            lines += u64::from(!served.hit);
        }
        let hits = end.saturating_sub(first).div_ceil(LINE_BYTES) - lines;
        let streamed = lines as f64 * self.coherence.costs.bulk.scan;
        let time = now + longest + hits * self.coherence.costs.load + streamed.round() as u64;
        self.cpu_mut(cpu).time = time;
        found
    }
}

/// Words of a bulk operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct FillRange {
    pub(super) at: At,
    pub(super) stride: u64,
    pub(super) words: u64,
    pub(super) home: Option<NodeId>,
}

impl Machine {
    /// Reports something; set-up code reports only what outlasts it.
    pub(super) fn observe(&mut self, cpu: CpuId, observation: Observation) {
        let outlasts = matches!(observation, Observation::Pair { .. } | Observation::Violation(_));
        if self.preparing && !outlasts {
            return;
        }
        let now = Cycles(self.now(cpu));
        if let Some(recorder) = &mut self.recorder {
            recorder.observe(cpu, now, observation);
        }
    }
}
