//! Spinning: a CPU that waits for a word costs nothing until its line changes.
//!
//! A spinner reads, PAUSEs, and reads again. While its core has a copy of the line those reads hit and
//! see nothing new, so the engine does not perform them: the spinner is *quiet* and linked to its line.
//! When the copy is taken away, its next read, at the next multiple of its period, misses; the engine
//! performs it and tests the predicate without switching to the spinner's stack.

use pamt_strategies::platform::Until;
use pamt_strategies::units::CpuId;

use super::cpu::{At, Status};
use super::engine::Machine;
use super::line::NONE;
use super::queue;

/// A wait for a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spin {
    pub(super) at: At,
    pub(super) until: Until,
    pub(super) record: u32,
    /// Reads of a bounded spin that were not accounted for yet: set until the first read has ended.
    reads: Option<u32>,
    /// Time of the read that follows the last one.
    next_poll: u64,
    /// No read happens after this time.
    last_poll: u64,
    pub(super) since: u64,
}

impl Spin {
    /// Of a CPU that does not spin.
    pub(super) const NONE: Self = Self {
        at: At::NOWHERE,
        until: Until::ne(0),
        record: 0,
        reads: None,
        next_poll: 0,
        last_poll: u64::MAX,
        since: 0,
    };
}

/// What a spinner's read led to.
pub(super) enum Read {
    /// The end of the spin, at the CPU's new time.
    Ended,
    /// More waiting, with an event of the spinner's own at this key.
    Waits(Option<u64>),
}

impl Machine {
    /// Starts to spin; the first read is issued in the CPU's turn. Returns true when the caller must
    /// switch; the outcome is then in [`Machine::spun`].
    pub(super) fn spin(&mut self, cpu: CpuId, at: At, until: Until, reads: Option<u32>) -> bool {
        if self.preparing {
            self.spin_in_set_up(cpu, at, until, reads);
            return false;
        }
        let now = self.now(cpu);
        let state = self.cpu_mut(cpu);
        state.spin = Spin { at, until, reads, since: now, ..Spin::NONE };
        let key = queue::key(now, state.rank);
        if key > self.queue.min() {
            return self.suspends(cpu, Status::Starting, key);
        }
        match self.poll(cpu, now) {
            Read::Ended => false,
            Read::Waits(key) => {
                if let Some(key) = key {
                    self.queue.push(key);
                }
                self.waits(cpu)
            }
        }
    }

    fn spin_in_set_up(&mut self, cpu: CpuId, at: At, until: Until, reads: Option<u32>) {
        let value = self.coherence.memory.read(at.addr, at.bytes.into());
        let holds = until.holds(value);
        assert!(
            holds || reads.is_some(),
            "set-up code waits for {until} on {}, and nothing can change it",
            self.coherence.memory.object(at.object).name
        );
        self.cpu_mut(cpu).read = if holds { Ok(value) } else { Err(value) };
    }

    /// The last value that a spin read: `Ok` when it satisfied the predicate.
    pub(super) fn spun(&mut self, cpu: CpuId) -> Result<u64, u64> {
        self.skip_interrupts(cpu);
        self.cpu(cpu).read
    }

    /// A read of a spinner is issued.
    pub(super) fn poll(&mut self, cpu: CpuId, now: u64) -> Read {
        self.counts.operations += 1;
        let at = self.cpu(cpu).spin.at;
        let done = self.issue_load(cpu, &at, now);
        if done == now {
            return self.read(cpu, now);
        }
        let state = self.cpu_mut(cpu);
        (state.time, state.status) = (now, Status::Reading);
        Read::Waits(Some(self.key_at(cpu, done)))
    }

    /// A read of a spinner takes effect: tests the predicate.
    pub(super) fn read(&mut self, cpu: CpuId, now: u64) -> Read {
        let (load, pause) = (self.coherence.costs.load, self.coherence.costs.pause);
        let value = self.visible(cpu, &self.cpu(cpu).spin.at);
        let done = now + load;
        let period = self.poll_period();
        let state = self.cpu_mut(cpu);
        let spin = &mut state.spin;
        let holds = spin.until.holds(value);
        spin.next_poll = done + pause;
        if let Some(reads) = spin.reads.take() {
            spin.last_poll = match reads.checked_sub(2) {
                Some(more) => spin.next_poll + u64::from(more) * period,
                None => 0,
            };
        }
        state.time = done;
        state.read = if holds { Ok(value) } else { Err(value) };
        if holds || spin.next_poll > spin.last_poll {
            state.status = Status::Ready;
            return Read::Ended;
        }
        Read::Waits(self.watch(cpu))
    }

    fn poll_period(&self) -> u64 {
        (self.coherence.costs.pause + self.coherence.costs.load).max(1)
    }

    /// Waits for the next read that can see anything new; returns the key of its event, if any.
    fn watch(&mut self, cpu: CpuId) -> Option<u64> {
        let access = self.access(cpu, &self.cpu(cpu).spin.at);
        let record = self.coherence.promote(access);
        self.cpu_mut(cpu).spin.record = record;
        match self.coherence.lost_at(record, access.core) {
            Some(lost) => self.poll_after(cpu, lost),
            None => self.quiet(cpu),
        }
    }

    fn quiet(&mut self, cpu: CpuId) -> Option<u64> {
        self.link(cpu, self.cpu(cpu).spin.record);
        let load = self.coherence.costs.load;
        let state = self.cpu_mut(cpu);
        (state.status, state.key) = (Status::Quiet, u64::MAX);
        let last = state.spin.last_poll;
        // A bounded spin ends after its last read at the latest.
        (last != u64::MAX).then(|| self.key_at(cpu, last + load))
    }

    /// Polls at the first read at or after `lost`; the reads before it hit.
    fn poll_after(&mut self, cpu: CpuId, lost: u64) -> Option<u64> {
        let period = self.poll_period();
        let state = self.cpu_mut(cpu);
        let spin = &mut state.spin;
        let hits = lost.saturating_sub(spin.next_poll).div_ceil(period);
        spin.next_poll += hits * period;
        let (at, record) = (spin.next_poll, spin.record);
        if at > spin.last_poll {
            return self.quiet(cpu);
        }
        state.status = Status::Polling;
        self.coherence.records.get_mut(record).stats.parked += hits;
        Some(self.key_at(cpu, at))
    }

    /// Makes the waiters of a line poll from `at` on. A transaction of core `taker` takes the copies of the others
    /// away; its own threads keep theirs until the value changes.
    pub(super) fn wake(&mut self, record: u32, at: u64, taker: Option<u16>) {
        let mut id = std::mem::replace(&mut self.coherence.records.get_mut(record).waiters, NONE);
        while id != NONE {
            let cpu = CpuId(id);
            let state = self.cpu(cpu);
            id = state.next;
            if taker == Some(state.core) {
                self.link(cpu, record);
            } else if let Some(key) = self.poll_after(cpu, at) {
                self.queue.push(key);
            }
        }
    }

    fn link(&mut self, cpu: CpuId, record: u32) {
        let first = std::mem::replace(&mut self.coherence.records.get_mut(record).waiters, cpu.0);
        let state = self.cpu_mut(cpu);
        (state.next, state.prev) = (first, NONE);
        if first != NONE {
            self.cpu_mut(CpuId(first)).prev = cpu.0;
        }
    }

    /// Takes a spinner whose reads have run out from its line's list.
    pub(super) fn unlink(&mut self, cpu: CpuId, record: u32) {
        let (next, prev) = (self.cpu(cpu).next, self.cpu(cpu).prev);
        if prev == NONE {
            self.coherence.records.get_mut(record).waiters = next;
        } else {
            self.cpu_mut(CpuId(prev)).next = next;
        }
        if next != NONE {
            self.cpu_mut(CpuId(next)).prev = prev;
        }
    }
}
