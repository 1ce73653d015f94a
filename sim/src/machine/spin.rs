//! Spinning: a CPU that waits for a word costs nothing until its line changes.
//!
//! A spinner reads, PAUSEs, and reads again. While its core has a copy of the line those reads hit and
//! see nothing new, so the engine does not perform them: the spinner is *quiet* and linked to its line.
//! When the copy is taken away, its next read, at the next multiple of its period, misses; the engine
//! performs it and tests the predicate without switching to the spinner's stack.

use pamt_strategies::platform::Until;
use pamt_strategies::units::CpuId;

use super::coherence::Wakes;
use super::engine::{At, Machine, Status};
use super::line::NONE;

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

impl Machine {
    /// Starts to spin; the first read is issued now. Returns true when the caller must switch; the
    /// outcome is then in [`Machine::spun`].
    pub(super) fn spin(&mut self, cpu: CpuId, at: At, until: Until, reads: Option<u32>) -> bool {
        if self.preparing {
            let value = self.coherence.memory.read(at.addr, at.bytes);
            let holds = until.holds(value);
            assert!(
                holds || reads.is_some(),
                "set-up code waits for {until} on {}, and nothing can change it",
                self.coherence.memory.object(at.object).name
            );
            self.cpu_mut(cpu).read = if holds { Ok(value) } else { Err(value) };
            return false;
        }
        let now = self.now(cpu);
        let spin =
            Spin { at, until, record: 0, reads, next_poll: 0, last_poll: u64::MAX, since: now };
        let done = self.issue_load(cpu, at);
        if done == now {
            if self.evaluate(cpu, spin, now) {
                return false;
            }
        } else {
            self.cpu_mut(cpu).status = Status::Reading(spin);
            self.file(cpu, done);
        }
        self.suspends(cpu)
    }

    /// The last value that a spin read: `Ok` when it satisfied the predicate.
    pub(super) fn spun(&self, cpu: CpuId) -> Result<u64, u64> {
        self.cpu(cpu).read
    }

    /// A read of a spinner is issued.
    pub(super) fn poll(&mut self, cpu: CpuId, spin: Spin, now: u64) {
        self.counts.operations += 1;
        self.cpu_mut(cpu).time = now;
        let done = self.issue_load(cpu, spin.at);
        if done == now {
            self.read(cpu, spin, now);
        } else {
            self.cpu_mut(cpu).status = Status::Reading(spin);
            self.file(cpu, done);
        }
    }

    /// A read of a spinner takes effect; it runs on when that was the last.
    pub(super) fn read(&mut self, cpu: CpuId, spin: Spin, now: u64) {
        if self.evaluate(cpu, spin, now) {
            self.file(cpu, self.cpu(cpu).time);
        }
    }

    /// Tests the predicate at `now`. True when the spin has ended, at the CPU's new time.
    fn evaluate(&mut self, cpu: CpuId, mut spin: Spin, now: u64) -> bool {
        let value = self.visible(cpu, spin.at);
        let holds = spin.until.holds(value);
        let done = now + self.coherence.costs.load;
        spin.next_poll = done + self.coherence.costs.pause;
        if let Some(reads) = spin.reads.take() {
            spin.last_poll = match reads.checked_sub(2) {
                Some(more) => spin.next_poll + u64::from(more) * self.poll_period(),
                None => 0,
            };
        }
        let state = self.cpu_mut(cpu);
        state.time = done;
        state.read = if holds { Ok(value) } else { Err(value) };
        if holds || spin.next_poll > spin.last_poll {
            state.status = Status::Ready;
            return true;
        }
        self.watch(cpu, spin);
        false
    }

    fn poll_period(&self) -> u64 {
        (self.coherence.costs.pause + self.coherence.costs.load).max(1)
    }

    /// Waits for the next read that can see anything new.
    fn watch(&mut self, cpu: CpuId, mut spin: Spin) {
        let access = self.access(cpu, spin.at);
        spin.record = self.coherence.promote(access);
        match self.coherence.lost_at(spin.record, access.core) {
            Some(lost) => self.poll_after(cpu, spin, lost),
            None => self.quiet(cpu, spin),
        }
    }

    fn quiet(&mut self, cpu: CpuId, spin: Spin) {
        self.link(cpu, spin.record);
        self.cpu_mut(cpu).status = Status::Quiet(spin);
        if spin.last_poll == u64::MAX {
            self.cpu_mut(cpu).key = u64::MAX;
        } else {
            // A bounded spin ends after its last read at the latest.
            self.file(cpu, spin.last_poll + self.coherence.costs.load);
        }
    }

    /// Polls at the first read at or after `lost`; returns how many reads before it hit.
    fn poll_after(&mut self, cpu: CpuId, mut spin: Spin, lost: u64) {
        let period = self.poll_period();
        let hits = lost.saturating_sub(spin.next_poll).div_ceil(period);
        spin.next_poll += hits * period;
        if spin.next_poll > spin.last_poll {
            return self.quiet(cpu, spin);
        }
        let counters = &mut self.coherence.records.get_mut(spin.record).counters;
        counters.loads += hits;
        counters.l1_hits += hits;
        self.cpu_mut(cpu).status = Status::Polling(spin);
        self.file(cpu, spin.next_poll);
    }

    /// Makes the waiters of a line poll. A transaction of core `taker` takes the copies of the others
    /// away; its own threads keep theirs until the value changes.
    pub(super) fn wake(&mut self, wakes: Option<Wakes>, taker: Option<u16>) {
        let Some(Wakes { record, at }) = wakes else {
            return;
        };
        let mut id = std::mem::replace(&mut self.coherence.records.get_mut(record).waiters, NONE);
        while id != NONE {
            let cpu = CpuId(id);
            let state = self.cpu(cpu);
            id = state.next;
            if taker == Some(state.core) {
                self.link(cpu, record);
            } else if let Status::Quiet(spin) = state.status {
                self.poll_after(cpu, spin, at);
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
