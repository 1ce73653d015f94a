//! Order, values and waiting in the reference: a sorted set of events, and a switch at each of them.

use std::collections::{BTreeMap, BTreeSet};

use pamt_strategies::measure::{Observation, Recorder};
use pamt_strategies::platform::{Draws, Section, Stream, Until, Wake};
use pamt_strategies::units::{CpuId, Cycles};

use super::super::coherence::{Access, Want};
use super::super::cpu::At;
use super::super::memory::Memory;
use super::super::queue;
use super::super::seeds;
use super::super::store_buffer::STORE_BUFFER;
use super::lines::{Lines, Met};

/// A wait for a word.
#[derive(Clone, Copy)]
pub(super) struct Spin {
    at: At,
    until: Until,
    /// Reads that it may do in all.
    reads: Option<u32>,
    /// Before its first read has ended, it has no times yet.
    begun: bool,
    next_poll: u64,
    last_poll: u64,
}

#[derive(Clone, Copy)]
enum Status {
    Ready,
    Quiet(Spin),
    Polling(Spin),
    Reading(Spin),
    Sleeping { since: u64 },
    Done,
}

struct PendingStore {
    at: At,
    value: u64,
    done: u64,
}

struct Cpu {
    time: u64,
    status: Status,
    /// When its event is due, if it has one.
    due: Option<u64>,
    stores: Vec<PendingStore>,
    store_done: u64,
    kicked: Option<u64>,
    wake: Wake,
    read: Result<u64, u64>,
    stretch: f64,
    draws: Draws,
}

/// Buffered stores take effect before any CPU acts at that time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Drain,
    Cpu,
}

/// A section that a CPU is in, since when, and since when it is in any.
struct Open {
    section: Section,
    since: u64,
    first: u64,
}

/// All of a run's state.
pub(super) struct Machine {
    pub(super) lines: Lines,
    pub(super) memory: Memory,
    pub(super) recorder: Recorder,
    /// Open sections of each CPU, in the order of their beginnings.
    sections: BTreeMap<CpuId, Vec<Open>>,
    pub(super) preparing: bool,
    pub(super) operations: u64,
    /// Bytes that were written; the rest are `memory`'s.
    bytes: BTreeMap<u64, u8>,
    cpus: Vec<Cpu>,
    by_rank: Vec<u16>,
    events: BTreeSet<(u64, Act, usize)>,
}

impl Machine {
    pub(super) fn new(lines: Lines, memory: Memory, recorder: Recorder, seed: u64) -> Self {
        let count = lines.topology.cpus();
        let cpu = |id| Cpu {
            time: 0,
            status: Status::Done,
            due: None,
            stores: Vec::new(),
            store_done: 0,
            kicked: None,
            wake: Wake::Deadline,
            read: Ok(0),
            stretch: 1.0,
            draws: Draws::new(seed, CpuId(id as u16)),
        };
        Self {
            cpus: (0..count).map(cpu).collect(),
            by_rank: seeds::by_rank(seed, count),
            lines,
            memory,
            recorder,
            sections: BTreeMap::new(),
            preparing: true,
            operations: 0,
            bytes: BTreeMap::new(),
            events: BTreeSet::new(),
        }
    }

    fn cpu(&mut self, cpu: CpuId) -> &mut Cpu {
        &mut self.cpus[usize::from(cpu.0)]
    }

    pub(super) fn now(&mut self, cpu: CpuId) -> u64 {
        self.cpu(cpu).time
    }

    pub(super) fn random(&mut self, cpu: CpuId, stream: Stream) -> u64 {
        self.cpu(cpu).draws.next(stream)
    }

    fn access_of(&self, cpu: CpuId, at: At) -> Access {
        let core = self.lines.topology.core_of(cpu);
        Access { addr: at.addr, object: at.object, cpu, core }
    }

    // ---- order ---------------------------------------------------------------------------------

    pub(super) fn start(&mut self, cpus: &[CpuId]) {
        self.preparing = false;
        for cpu in cpus {
            let core = |cpu: &CpuId| self.lines.topology.core_of(*cpu);
            let shared = cpus.iter().filter(|other| core(other) == core(cpu)).count() > 1;
            let stretch = if shared { self.lines.costs.smt_factor } else { 1.0 };
            self.cpu(*cpu).stretch = stretch;
            self.ready(*cpu, 0);
        }
    }

    fn rank(&self, cpu: CpuId) -> usize {
        self.by_rank.iter().position(|other| *other == cpu.0).expect("every CPU has a rank")
    }

    /// The CPU acts at `time`, and at no other.
    fn file(&mut self, cpu: CpuId, time: Option<u64>) {
        let rank = self.rank(cpu);
        if let Some(old) = std::mem::replace(&mut self.cpu(cpu).due, time) {
            self.events.remove(&(old, Act::Cpu, rank));
        }
        self.events.extend(time.map(|time| (time, Act::Cpu, rank)));
    }

    fn ready(&mut self, cpu: CpuId, time: u64) {
        self.cpu(cpu).status = Status::Ready;
        self.file(cpu, Some(time));
    }

    /// Takes events until one lets a CPU run.
    pub(super) fn next(&mut self) -> Option<CpuId> {
        while let Some((time, act, rank)) = self.events.pop_first() {
            let cpu = CpuId(self.by_rank[rank]);
            if act == Act::Drain {
                self.drain(cpu, time);
                continue;
            }
            self.cpu(cpu).due = None;
            match self.cpu(cpu).status {
                Status::Ready => return Some(cpu),
                Status::Sleeping { .. } | Status::Quiet(_) => {
                    self.cpu(cpu).status = Status::Ready;
                    self.cpu(cpu).time = time;
                    return Some(cpu);
                }
                Status::Polling(spin) => {
                    self.operations += 1;
                    if self.poll(cpu, spin, time) {
                        self.pass(cpu);
                    }
                }
                Status::Reading(spin) => {
                    if self.read_spin(cpu, spin, time) {
                        self.pass(cpu);
                    }
                }
                Status::Done => {}
            }
        }
        None
    }

    pub(super) fn finish(&mut self, cpu: CpuId) {
        self.cpu(cpu).status = Status::Done;
    }

    pub(super) fn all_done(&self) -> bool {
        self.cpus.iter().all(|cpu| matches!(cpu.status, Status::Done))
    }

    pub(super) fn end(&self) -> u64 {
        self.cpus.iter().map(|cpu| cpu.time).max().unwrap_or(0)
    }

    /// Before an operation on shared memory: the CPU waits for its turn.
    pub(super) fn turn(&mut self, cpu: CpuId, want: Want) {
        self.operations += 1;
        let state = self.cpu(cpu);
        if want == Want::Locked {
            state.time = state.time.max(state.store_done);
        } else if want == Want::Store && state.stores.len() >= STORE_BUFFER {
            state.time = state.time.max(state.stores[0].done);
        }
        self.pass(cpu);
    }

    pub(super) fn pass(&mut self, cpu: CpuId) {
        let time = self.now(cpu);
        self.ready(cpu, time);
    }

    // ---- values --------------------------------------------------------------------------------

    pub(super) fn read(&self, at: At) -> u64 {
        let byte = |addr| match self.bytes.get(&addr) {
            Some(byte) => u64::from(*byte),
            None => self.memory.read(addr, 1),
        };
        (0..u64::from(at.bytes)).map(|i| byte(at.addr + i) << (8 * i)).sum()
    }

    /// What the word will hold once all stores that have been issued have taken effect.
    pub(super) fn settled(&self, at: At) -> u64 {
        let mut pending: Vec<&PendingStore> =
            self.cpus.iter().flat_map(|cpu| &cpu.stores).collect();
        pending.sort_by_key(|store| store.done);
        let byte = |addr| {
            let stores = |store: &&&PendingStore| {
                (store.at.addr..store.at.addr + u64::from(store.at.bytes)).contains(&addr)
            };
            match pending.iter().rev().find(stores) {
                Some(store) => store.value >> (8 * (addr - store.at.addr)) & 0xff,
                None => self.read(At { addr, bytes: 1, ..at }),
            }
        };
        (0..u64::from(at.bytes)).map(|i| byte(at.addr + i) << (8 * i)).sum()
    }

    pub(super) fn write(&mut self, at: At, value: u64) {
        for i in 0..u64::from(at.bytes) {
            self.bytes.insert(at.addr + i, (value >> (8 * i)) as u8);
        }
    }

    fn put(&mut self, at: At, value: u64, now: u64) {
        self.write(at, value);
        self.wake(at.addr, now, None);
    }

    /// Bytes that the CPU has stored and that have not taken effect: all of the word, a part, or none.
    fn forward(&mut self, cpu: CpuId, at: At) -> Option<Result<u64, u64>> {
        let end = at.addr + u64::from(at.bytes);
        let store_end = |store: &PendingStore| store.at.addr + u64::from(store.at.bytes);
        let meets = |store: &&PendingStore| store.at.addr < end && store_end(store) > at.addr;
        let store = self.cpu(cpu).stores.iter().rev().find(meets)?;
        if store.at.addr > at.addr || store_end(store) < end {
            return Some(Err(store.done));
        }
        let mask = u64::MAX >> (64 - 8 * at.bytes);
        Some(Ok(store.value >> (8 * (at.addr - store.at.addr)) & mask))
    }

    pub(super) fn visible(&mut self, cpu: CpuId, at: At) -> u64 {
        match self.forward(cpu, at) {
            Some(Ok(value)) => value,
            _ => self.read(at),
        }
    }

    fn drain(&mut self, cpu: CpuId, now: u64) {
        let store = self.cpu(cpu).stores.remove(0);
        let next = self.cpu(cpu).stores.first().map(|store| store.done);
        self.put(store.at, store.value, now);
        self.file_drain(cpu, next);
    }

    fn file_drain(&mut self, cpu: CpuId, time: Option<u64>) {
        let rank = self.rank(cpu);
        self.events.extend(time.map(|time| (time, Act::Drain, rank)));
    }

    // ---- accesses ------------------------------------------------------------------------------

    /// Charges an access to a word declared private.
    pub(super) fn private(&mut self, cpu: CpuId, at: At, want: Want) {
        self.operations += 1;
        let access = self.access_of(cpu, at);
        self.lines.note(access, want, Met::L1, 0, 0, 0);
        let costs = &self.lines.costs;
        let cost = match want {
            Want::Load => costs.load,
            Want::Store => costs.store,
            Want::Locked => costs.lock,
        };
        self.cpu(cpu).time += cost;
    }

    /// Issues a load. True when it takes effect later, at the CPU's new time.
    pub(super) fn issue_load(&mut self, cpu: CpuId, at: At) -> bool {
        let now = self.now(cpu);
        let done = self.load_done(cpu, at, now);
        self.cpu(cpu).time = done;
        done > now
    }

    fn load_done(&mut self, cpu: CpuId, at: At, now: u64) -> u64 {
        match self.forward(cpu, at) {
            Some(Ok(_)) => now,
            Some(Err(done)) => now.max(done),
            None => {
                let access = self.access_of(cpu, at);
                self.lines.access(&self.memory, access, now, Want::Load, 0).done
            }
        }
    }

    pub(super) fn finish_load(&mut self, cpu: CpuId, at: At) -> u64 {
        self.cpu(cpu).time += self.lines.costs.load;
        self.visible(cpu, at)
    }

    pub(super) fn store(&mut self, cpu: CpuId, at: At, value: u64) {
        let (now, not_before) = (self.now(cpu), self.cpu(cpu).store_done);
        let first = self.cpu(cpu).stores.is_empty();
        let done = self.take(cpu, at, Want::Store, not_before);
        if first && done <= now {
            self.put(at, value, now);
        } else {
            self.cpu(cpu).store_done = done;
            self.cpu(cpu).stores.push(PendingStore { at, value, done });
            self.file_drain(cpu, first.then_some(done));
        }
        self.cpu(cpu).time += self.lines.costs.store;
    }

    /// A transaction for ownership, and those whom it wakes.
    fn take(&mut self, cpu: CpuId, at: At, want: Want, not_before: u64) -> u64 {
        let (access, now) = (self.access_of(cpu, at), self.now(cpu));
        let served = self.lines.access(&self.memory, access, now, want, not_before);
        if let Some(lost) = served.lost {
            self.wake(at.addr, lost, Some(access.core));
        }
        served.done
    }

    pub(super) fn prefetchw(&mut self, cpu: CpuId, at: At) {
        self.lines.track(self.access_of(cpu, at));
        self.take(cpu, at, Want::Store, 0);
        self.cpu(cpu).time += self.lines.costs.store;
    }

    /// Issues a LOCK operation. True when it takes effect later, at the CPU's new time.
    pub(super) fn issue_locked(&mut self, cpu: CpuId, at: At) -> bool {
        let now = self.now(cpu);
        let done = self.take(cpu, at, Want::Locked, 0);
        self.cpu(cpu).time = done;
        done > now
    }

    pub(super) fn finish_locked(&mut self, cpu: CpuId, at: At, new: Option<u64>) {
        let now = self.now(cpu);
        if let Some(new) = new {
            self.put(at, new, now);
        }
        self.cpu(cpu).time += self.lines.costs.lock;
    }

    // ---- waiting -------------------------------------------------------------------------------

    /// Starts to spin. True when the CPU must wait for the end.
    pub(super) fn spin(&mut self, cpu: CpuId, at: At, until: Until, reads: Option<u32>) -> bool {
        let now = self.now(cpu);
        let spin = Spin { at, until, reads, begun: false, next_poll: 0, last_poll: u64::MAX };
        !self.poll(cpu, spin, now)
    }

    pub(super) fn spun(&mut self, cpu: CpuId) -> Result<u64, u64> {
        self.cpu(cpu).read
    }

    fn period(&self) -> u64 {
        (self.lines.costs.pause + self.lines.costs.load).max(1)
    }

    /// A read of a spinner is issued. True when it has ended the spin.
    fn poll(&mut self, cpu: CpuId, spin: Spin, now: u64) -> bool {
        self.cpu(cpu).time = now;
        let done = self.load_done(cpu, spin.at, now);
        if done == now {
            return self.read_spin(cpu, spin, now);
        }
        self.cpu(cpu).status = Status::Reading(spin);
        self.file(cpu, Some(done));
        false
    }

    /// A read of a spinner takes effect. True when it has ended the spin.
    fn read_spin(&mut self, cpu: CpuId, mut spin: Spin, now: u64) -> bool {
        let value = self.visible(cpu, spin.at);
        let holds = spin.until.holds(value);
        let done = now + self.lines.costs.load;
        spin.next_poll = done + self.lines.costs.pause;
        if let (false, Some(reads)) = (spin.begun, spin.reads) {
            let more = u64::from(reads.saturating_sub(2)) * self.period();
            spin.last_poll = if reads < 2 { 0 } else { spin.next_poll + more };
        }
        spin.begun = true;
        self.cpu(cpu).time = done;
        self.cpu(cpu).read = if holds { Ok(value) } else { Err(value) };
        if holds || spin.next_poll > spin.last_poll {
            self.cpu(cpu).status = Status::Ready;
            return true;
        }
        let access = self.access_of(cpu, spin.at);
        self.lines.track(access);
        match self.lines.lost_at(access) {
            Some(lost) => self.poll_after(cpu, spin, lost),
            None => self.quiet(cpu, spin),
        }
        false
    }

    fn quiet(&mut self, cpu: CpuId, spin: Spin) {
        self.cpu(cpu).status = Status::Quiet(spin);
        let last = spin.last_poll;
        let end = (last != u64::MAX).then(|| last + self.lines.costs.load);
        self.file(cpu, end);
    }

    /// The next read that can see anything new is the first at or after `lost`.
    fn poll_after(&mut self, cpu: CpuId, mut spin: Spin, lost: u64) {
        let mut hits = 0;
        while spin.next_poll < lost {
            spin.next_poll += self.period();
            hits += 1;
        }
        if spin.next_poll > spin.last_poll {
            return self.quiet(cpu, spin);
        }
        let access = self.access_of(cpu, spin.at);
        self.lines.parked(access, hits);
        self.cpu(cpu).status = Status::Polling(spin);
        self.file(cpu, Some(spin.next_poll));
    }

    /// The CPUs that wait for the line look again, except on core `taker`.
    fn wake(&mut self, addr: u64, at: u64, taker: Option<u16>) {
        for id in 0..self.cpus.len() as u16 {
            let Status::Quiet(spin) = self.cpu(CpuId(id)).status else { continue };
            let core = self.lines.topology.core_of(CpuId(id));
            if spin.at.addr / 64 == addr / 64 && taker != Some(core) {
                self.poll_after(CpuId(id), spin, at);
            }
        }
    }

    // ---- time ----------------------------------------------------------------------------------

    pub(super) fn work(&mut self, cpu: CpuId, length: u64) {
        let state = self.cpu(cpu);
        state.time += (length as f64 * state.stretch).round() as u64;
    }

    pub(super) fn pause(&mut self, cpu: CpuId) {
        self.cpu(cpu).time += self.lines.costs.pause;
    }

    /// Starts to sleep. True when the CPU must wait for the end.
    pub(super) fn sleep(&mut self, cpu: CpuId, deadline: u64) -> bool {
        self.operations += 1;
        let state = self.cpu(cpu);
        let since = state.time;
        let deadline = deadline.max(since);
        state.wake = Wake::Deadline;
        if let Some(kick) = state.kicked.take_if(|kick| *kick <= deadline) {
            state.wake = Wake::Kicked;
            state.time = since.max(kick);
            return false;
        }
        state.status = Status::Sleeping { since };
        self.file(cpu, (deadline < queue::NEVER).then_some(deadline));
        true
    }

    pub(super) fn woken(&mut self, cpu: CpuId) -> Wake {
        self.cpu(cpu).wake
    }

    pub(super) fn kick(&mut self, cpu: CpuId, target: CpuId) {
        let at = self.now(cpu) + self.lines.costs.ipi;
        self.cpu(cpu).time += self.lines.costs.ipi_send;
        let state = self.cpu(target);
        match state.status {
            Status::Sleeping { since } => {
                let at = at.max(since);
                if state.due.is_none_or(|due| at < due) {
                    state.wake = Wake::Kicked;
                    self.file(target, Some(at));
                } else if state.wake == Wake::Deadline {
                    state.kicked = Some(at);
                }
            }
            Status::Done => {}
            _ => state.kicked = Some(state.kicked.map_or(at, |earlier| earlier.min(at))),
        }
    }

    pub(super) fn enter(&mut self, cpu: CpuId, section: Section) {
        let now = self.now(cpu);
        let open = self.sections.entry(cpu).or_default();
        let first = open.first().map_or(now, |section| section.first);
        open.push(Open { section, since: now, first });
    }

    /// A section of a kind ends when no other of the kind is open; preemption is off in both kinds.
    pub(super) fn leave(&mut self, cpu: CpuId, section: Section) {
        let now = self.now(cpu);
        let open = self.sections.entry(cpu).or_default();
        let at = open.iter().rposition(|open| open.section == section).expect("it was entered");
        let ended = open.remove(at);
        if section == Section::IrqOff && open.iter().all(|open| open.section != section) {
            self.recorder.section(Section::IrqOff, Cycles(now - ended.since));
        }
        if open.is_empty() {
            self.recorder.section(Section::PreemptOff, Cycles(now - ended.first));
        }
    }

    pub(super) fn observe(&mut self, cpu: CpuId, observation: Observation) {
        let now = Cycles(self.now(cpu));
        self.recorder.observe(cpu, now, observation);
    }
}
