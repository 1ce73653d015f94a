//! Loads, stores and LOCK operations of a CPU.
//!
//! An access is *issued* in the order of local clocks, which is also the order in which its line serves
//! it, and takes *effect* when the line is there: a LOCK operation on a line with forty others queued
//! before it sees what they leave. Between the two the CPU waits for its turn a second time. A plain
//! store waits in the CPU's store buffer instead: stores take effect in program order, the CPU's own
//! loads see them at once (forwarding), LOCK operations wait until the buffer is empty.
//!
//! The buffer holds many stores, not one: lockhammer's queued_spinlock hands over in 102 ns at 1000/0,
//! which is one upgrade and one fetch (54 and 47 ns on that generation). A waiter that had to stall on
//! each of its own stores (the locked byte, then the next waiter's node) would need half as much again.

use std::collections::VecDeque;

use pamt_strategies::units::{CpuId, LINE_BYTES};

use super::coherence::{Access, Request, Want};
use super::engine::{At, Machine};
use super::line::NO_RECORD;
use super::tally::Met;

/// Stores that a core buffers (56 on Skylake, 112 on Golden Cove: Intel Optimization Manual); beyond
/// them a store waits for the oldest one.
pub(super) const STORE_BUFFER: usize = 56;

/// A store in its CPU's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingStore {
    addr: u64,
    bytes: u32,
    value: u64,
    /// When it takes effect.
    pub(super) done: u64,
}

/// What a CPU's own store buffer has for a load.
enum Forward {
    /// Nothing.
    Nothing,
    /// The loaded bytes.
    Value(u64),
    /// A part of them: the load waits until this time.
    Part(u64),
}

impl Machine {
    pub(super) fn access(&self, cpu: CpuId, at: At) -> Access {
        Access { addr: at.addr, object: at.object, cpu, core: self.cpu(cpu).core }
    }

    /// Changes a value at `now`, and makes those look again whom no transaction has told.
    fn put(&mut self, addr: u64, bytes: u32, value: u64, now: u64) {
        let line = self.coherence.memory.write(addr, bytes, value);
        if let Some(record) = self.coherence.left_waiting(line) {
            self.wake(record, now, None);
        }
    }

    /// Issues a load or a LOCK operation; returns when it takes effect. A LOCK operation takes the line
    /// for ownership, as x86 does whether or not the value will change.
    pub(super) fn issue(&mut self, cpu: CpuId, at: At, want: Want, now: u64) -> u64 {
        if want == Want::Load {
            match self.forward(cpu, at) {
                Forward::Value(_) => return now,
                Forward::Part(done) => return now.max(done),
                Forward::Nothing => {}
            }
        }
        self.request(cpu, at, want, now, 0)
    }

    /// Performs an access and wakes those who lose their copies; returns when it takes effect.
    #[inline(always)]
    fn request(&mut self, cpu: CpuId, at: At, want: Want, now: u64, not_before: u64) -> u64 {
        self.coherence.tidy(now);
        let a = self.access(cpu, at);
        let served = self.coherence.access(&Request { a, want, now, not_before });
        if served.wakes != NO_RECORD {
            let lost_at = self.coherence.records.get(served.wakes).lost_at;
            self.wake(served.wakes, lost_at, Some(a.core));
        }
        served.done
    }

    /// The value of a load that takes effect now.
    pub(super) fn finish_load(&mut self, cpu: CpuId, at: At) -> u64 {
        if self.preparing {
            return self.coherence.memory.read(at.addr, at.bytes);
        }
        if at.private {
            self.private(cpu, at, Want::Load);
            return self.coherence.memory.read(at.addr, at.bytes);
        }
        self.cpu_mut(cpu).time += self.coherence.costs.load;
        self.visible(cpu, at)
    }

    /// What a CPU sees in a word: its own buffered store, else memory.
    pub(super) fn visible(&self, cpu: CpuId, at: At) -> u64 {
        match self.forward(cpu, at) {
            Forward::Value(value) => value,
            _ => self.coherence.memory.read(at.addr, at.bytes),
        }
    }

    #[inline]
    fn forward(&self, cpu: CpuId, at: At) -> Forward {
        let stores = &self.cpu(cpu).stores;
        if stores.is_empty() { Forward::Nothing } else { forward(stores, at) }
    }

    /// Stores a word.
    pub(super) fn store(&mut self, cpu: CpuId, at: At, value: u64) {
        if self.preparing || at.private {
            self.coherence.memory.write(at.addr, at.bytes, value);
            if !self.preparing {
                self.private(cpu, at, Want::Store);
            }
            return;
        }
        let now = self.now(cpu);
        let (first, not_before) = (self.cpu(cpu).stores.is_empty(), self.cpu(cpu).store_done);
        let done = self.request(cpu, at, Want::Store, now, not_before);
        if first && done <= now {
            self.put(at.addr, at.bytes, value, now);
        } else {
            let state = self.cpu_mut(cpu);
            state.store_done = done;
            state.stores.push_back(PendingStore { addr: at.addr, bytes: at.bytes, value, done });
            if first {
                self.queue.push(self.drain_key(cpu, done));
            }
        }
        self.cpu_mut(cpu).time += self.coherence.costs.store;
    }

    /// The oldest buffered store of a CPU takes effect; returns the key of the next.
    pub(super) fn drain(&mut self, cpu: CpuId, now: u64) -> Option<u64> {
        let state = self.cpu_mut(cpu);
        let store = state.stores.pop_front()?;
        let next = state.stores.front().map(|store| store.done);
        self.put(store.addr, store.bytes, store.value, now);
        next.map(|next| self.drain_key(cpu, next))
    }

    /// PREFETCHW: asks for the line without waiting for it.
    pub(super) fn prefetchw(&mut self, cpu: CpuId, at: At) {
        if self.preparing || at.private {
            return;
        }
        // A record remembers when the line will have arrived; a cold line's word does not.
        let access = self.access(cpu, at);
        self.coherence.promote(access);
        let now = self.now(cpu);
        self.request(cpu, at, Want::Store, now, 0);
        self.cpu_mut(cpu).time += self.coherence.costs.store;
    }

    /// A LOCK operation takes effect: `change` maps the old value to the new one, or to none to leave
    /// it. Returns the old value.
    pub(super) fn finish_locked(
        &mut self,
        cpu: CpuId,
        at: At,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> u64 {
        let old = self.coherence.memory.read(at.addr, at.bytes);
        let new = change(old);
        if self.preparing || at.private {
            if let Some(new) = new {
                self.coherence.memory.write(at.addr, at.bytes, new);
            }
            if !self.preparing {
                self.private(cpu, at, Want::Locked);
            }
            return old;
        }
        if let Some(new) = new {
            let now = self.now(cpu);
            self.put(at.addr, at.bytes, new, now);
        }
        self.cpu_mut(cpu).time += self.coherence.costs.lock;
        old
    }

    /// Charges an access to a private word.
    fn private(&mut self, cpu: CpuId, at: At, want: Want) {
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

/// What a store buffer has for a load: of its stores to the word, the last one counts.
fn forward(stores: &VecDeque<PendingStore>, at: At) -> Forward {
    let end = at.addr + u64::from(at.bytes);
    for store in stores.iter().rev() {
        let store_end = store.addr + u64::from(store.bytes);
        if store.addr >= end || store_end <= at.addr {
            continue;
        }
        if store.addr > at.addr || store_end < end {
            return Forward::Part(store.done);
        }
        let mask = u64::MAX >> (64 - 8 * at.bytes);
        return Forward::Value(store.value >> (8 * (at.addr - store.addr)) & mask);
    }
    Forward::Nothing
}

/// Line of an address.
pub(super) const fn line_of(addr: u64) -> u64 {
    addr & !(LINE_BYTES - 1)
}
