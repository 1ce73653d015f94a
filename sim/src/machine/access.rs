//! Loads, stores and LOCK operations of a CPU.
//!
//! An access is *issued* in the order of local clocks, which is also the order in which its line serves
//! it, and takes *effect* when the line is there: a LOCK operation on a line with forty others queued
//! before it sees what they leave. Between the two the CPU waits for its turn a second time. A plain
//! store waits in the CPU's store buffer instead: stores take effect in program order, the CPU's own
//! loads see them at once (forwarding), LOCK operations wait until the buffer is empty.

use pamt_strategies::units::{CpuId, LINE_BYTES};

use super::coherence::{Access, Request, Want};
use super::cpu::At;
use super::engine::Machine;
use super::line::{LineWord, NO_RECORD};
use super::store_buffer::{Forward, PendingStore};
use super::tally::Met;

impl Machine {
    #[inline]
    pub(super) fn access(&self, cpu: CpuId, at: &At) -> Access {
        Access { addr: at.addr, object: at.object, cpu, core: self.cpu(cpu).core }
    }

    /// A value of a line has changed at `now`: makes those look again whom no transaction has told.
    #[inline(always)]
    fn changed(&mut self, line: LineWord, now: u64) {
        if let Some(record) = self.coherence.left_waiting(line) {
            self.wake(record, now, None);
        }
    }

    /// Issues a load or a LOCK operation; returns when it takes effect.
    #[inline(always)]
    pub(super) fn issue(&mut self, cpu: CpuId, at: &At, want: Want, now: u64) -> u64 {
        if want == Want::Load {
            self.issue_load(cpu, at, now)
        } else {
            self.issue_locked(cpu, at, now)
        }
    }

    // What an access wants decides most branches on its way, so each of the three has a way of its own.

    #[inline(never)]
    pub(super) fn issue_load(&mut self, cpu: CpuId, at: &At, now: u64) -> u64 {
        if !self.cpu(cpu).stores.is_empty() {
            match self.cpu(cpu).stores.forward(at) {
                Forward::Value(_) => return now,
                Forward::Part(done) => return now.max(done),
                Forward::Nothing => {}
            }
        }
        self.request(cpu, at, Want::Load, now, 0)
    }

    /// A LOCK operation takes the line for ownership, as x86 does whether or not the value will change.
    #[inline(never)]
    pub(super) fn issue_locked(&mut self, cpu: CpuId, at: &At, now: u64) -> u64 {
        self.request(cpu, at, Want::Locked, now, 0)
    }

    #[inline(never)]
    fn issue_store(&mut self, cpu: CpuId, at: &At, now: u64, not_before: u64) -> u64 {
        self.request(cpu, at, Want::Store, now, not_before)
    }

    /// Performs an access and wakes those who lose their copies; returns when it takes effect.
    #[inline(always)]
    fn request(&mut self, cpu: CpuId, at: &At, want: Want, now: u64, not_before: u64) -> u64 {
        self.coherence.tidy(now);
        let a = self.access(cpu, at);
        let served = self.coherence.access(Request { a, want, now, not_before });
        if served.wakes != NO_RECORD {
            let lost_at = self.coherence.records.get(served.wakes).lost_at;
            self.wake(served.wakes, lost_at, Some(a.core));
        }
        served.done
    }

    /// The value of a load that takes effect now.
    #[inline]
    pub(super) fn finish_load(&mut self, cpu: CpuId, at: &At) -> u64 {
        if self.preparing {
            return self.coherence.memory.read(at.addr, at.bytes.into());
        }
        self.cpu_mut(cpu).time += self.coherence.costs.load;
        self.visible(cpu, at)
    }

    /// What a CPU sees in a word: its own buffered store, else memory.
    #[inline]
    pub(super) fn visible(&self, cpu: CpuId, at: &At) -> u64 {
        if !self.cpu(cpu).stores.is_empty()
            && let Forward::Value(value) = self.cpu(cpu).stores.forward(at)
        {
            return value;
        }
        self.coherence.memory.read(at.addr, at.bytes.into())
    }

    /// What a word will hold once all stores that have been issued have taken effect, for checkers: a
    /// CPU that has ended may have left some in its buffer.
    pub(super) fn settled(&self, at: &At) -> u64 {
        let value = self.coherence.memory.read(at.addr, at.bytes.into());
        if !self.any_buffers() {
            return value;
        }
        let stores = |cpu| self.cpu(cpu).stores.to(*at);
        let mut pending: Vec<&PendingStore> = self.buffering().flat_map(stores).collect();
        pending.sort_by_key(|store| store.done);
        pending.into_iter().fold(value, |value, store| store.over(at, value))
    }

    /// Stores a word.
    pub(super) fn store(&mut self, cpu: CpuId, at: &At, value: u64) {
        if self.preparing {
            self.coherence.memory.write(at.addr, at.bytes.into(), value);
            return;
        }
        let state = self.cpu(cpu);
        let (now, not_before, first) = (state.time, state.store_done, state.stores.is_empty());
        let done = self.issue_store(cpu, at, now, not_before);
        let cost = self.coherence.costs.store;
        let state = self.cpu_mut(cpu);
        state.time += cost;
        if first && done <= now {
            let line = self.coherence.memory.write(at.addr, at.bytes.into(), value);
            self.changed(line, now);
            return;
        }
        state.store_done = done;
        state.stores.push(PendingStore { at: *at, value, done });
        if first {
            self.buffers(cpu, true);
            self.queue.push(self.drain_key(cpu, done));
        }
    }

    /// The oldest buffered store of a CPU takes effect; returns the key of the next.
    pub(super) fn drain(&mut self, cpu: CpuId, now: u64) -> Option<u64> {
        let (PendingStore { at, value, .. }, next) = self.cpu_mut(cpu).stores.pop()?;
        let line = self.coherence.memory.write(at.addr, at.bytes.into(), value);
        self.changed(line, now);
        if next.is_none() {
            self.buffers(cpu, false);
        }
        next.map(|next| self.drain_key(cpu, next))
    }

    /// PREFETCHW: asks for the line without waiting for it.
    pub(super) fn prefetchw(&mut self, cpu: CpuId, at: &At) {
        if self.preparing || at.private {
            return;
        }
        // A record remembers when the line will have arrived; a cold line's word does not.
        let access = self.access(cpu, at);
        self.coherence.promote(access);
        let now = self.now(cpu);
        self.issue_store(cpu, at, now, 0);
        self.cpu_mut(cpu).time += self.coherence.costs.store;
    }

    /// A LOCK operation takes effect: `change` maps the old value to the new one, or to none to leave
    /// it. Returns the old value.
    #[inline]
    pub(super) fn finish_locked(
        &mut self,
        cpu: CpuId,
        at: &At,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> u64 {
        let (old, line) = self.coherence.memory.change(at.addr, at.bytes.into(), change);
        if self.preparing {
            return old;
        }
        if at.private {
            self.charge_private(cpu, at, Want::Locked);
            return old;
        }
        self.changed(line, self.now(cpu));
        self.cpu_mut(cpu).time += self.coherence.costs.lock;
        old
    }

    /// Loads a private word.
    #[inline(never)]
    pub(super) fn load_private(&mut self, cpu: CpuId, at: &At) -> u64 {
        self.charge_private(cpu, at, Want::Load);
        self.coherence.memory.read(at.addr, at.bytes.into())
    }

    /// Stores a private word.
    #[inline(never)]
    pub(super) fn store_private(&mut self, cpu: CpuId, at: &At, value: u64) {
        self.charge_private(cpu, at, Want::Store);
        self.coherence.memory.write(at.addr, at.bytes.into(), value);
    }

    /// An access to a private word costs what a hit costs; in set-up code, nothing.
    #[inline(always)]
    fn charge_private(&mut self, cpu: CpuId, at: &At, want: Want) {
        if self.preparing {
            return;
        }
        self.counts.operations += 1;
        self.coherence.cold[at.object as usize].count(want, Met::L1);
        let costs = &self.coherence.costs;
        let cost = match want {
            Want::Load => costs.load,
            Want::Store => costs.store,
            Want::Locked => costs.lock,
        };
        self.cpu_mut(cpu).time += cost;
    }
}

/// Line of an address.
pub(super) const fn line_of(addr: u64) -> u64 {
    addr & !(LINE_BYTES - 1)
}
