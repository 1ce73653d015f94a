//! Records of the cache lines that CPUs share.
//!
//! When a second core comes, or somebody waits, a line gets a record: sharers, clean copies in last-level
//! caches, the time until which the line is busy, the waiters, and counters for the report. Records of
//! quiet lines that never got hot are turned back into words when there are many of them.

use super::coherence::{Request, Want};
use super::costs::{Costs, Transfer};
use super::line::{NO_RECORD, NONE};
use super::rows::{RowOf, Rows};
use super::stats::LineCounters;
use super::tally::{LineStats, Met};
use super::topology::{Distance, MAX_CORES};

/// Words of a set of cores.
const SET_WORDS: usize = MAX_CORES.div_ceil(64);

/// The record of a shared line. What a hit touches comes first and is one cache line of the host; what a
/// transaction touches beside it is the next one.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Record {
    /// Core that has it modified or exclusive, or [`NONE`]; while there is one, nobody shares the line.
    pub(super) owner: u16,
    /// CPU whose transaction made it the owner, or [`NONE`].
    pub(super) taker: u16,
    /// First of the CPUs that wait for a change, or [`NONE`]; the list goes on in the CPUs.
    pub(super) waiters: u16,
    pub(super) dirty: bool,
    /// Socket of its memory.
    pub(super) home: u8,
    pub(super) object: u32,
    /// Number of cores that share it.
    pub(super) sharers: u32,
    /// The owner's fill count when it last used the line.
    pub(super) stamp: u64,
    /// Until then the home serves earlier requests.
    pub(super) busy_until: u64,
    /// The owner has the data from then on.
    pub(super) ready_at: u64,
    /// The owner's operations on it have taken effect, and none locks it, from then on.
    pub(super) free_at: u64,
    /// A core of the owner's socket can get it from then on: `free_at`, if it had come from nearby.
    pub(super) leaves_at: u64,
    /// When other cores last lost their copies.
    pub(super) lost_at: u64,
    /// First address of the line.
    pub(super) addr: u64,
    /// Last-level caches with a clean copy, by bit.
    pub(super) llcs: u64,
    /// Last-level caches whose cores share it, by bit.
    pub(super) sharer_llcs: u64,
    pub(super) stats: LineStats,
    /// The cores that share it, by bit.
    sharing: [u64; SET_WORDS],
    /// Its accesses by offset.
    pub(super) row_of: RowOf,
}

const _: () = assert!(std::mem::offset_of!(Record, addr) == 64, "what a hit touches is one line");

impl Record {
    /// Of a line that nobody has.
    fn new(addr: u64, object: u32, home: u8) -> Self {
        Self {
            addr,
            object,
            owner: NONE,
            taker: NONE,
            dirty: false,
            home,
            stamp: 0,
            llcs: 0,
            sharer_llcs: 0,
            sharers: 0,
            sharing: [0; SET_WORDS],
            busy_until: 0,
            ready_at: 0,
            free_at: 0,
            leaves_at: 0,
            lost_at: 0,
            waiters: NONE,
            stats: LineStats::default(),
            row_of: RowOf::default(),
        }
    }

    pub(super) fn counters(&self, rows: &Rows) -> LineCounters {
        self.stats.counters(&rows.tally(&self.row_of))
    }

    /// Counts an access.
    #[inline]
    pub(super) fn count(&mut self, r: &Request, met: Met, rows: &mut Rows) {
        rows.count(&mut self.row_of, r.a.addr, r.a.cpu.0, r.want, met);
    }

    #[inline]
    pub(super) fn shares(&self, core: u16) -> bool {
        self.sharing[usize::from(core / 64)] >> (core % 64) & 1 != 0
    }

    /// A core of last-level cache `llc` shares the line.
    #[inline]
    pub(super) fn share(&mut self, core: u16, llc: u16) {
        if !self.shares(core) {
            self.sharing[usize::from(core / 64)] |= 1 << (core % 64);
            self.sharers += 1;
            self.sharer_llcs |= 1 << llc;
        }
    }

    /// From now on one core alone has the line, or nobody.
    #[inline]
    pub(super) fn own(&mut self, owner: u16, dirty: bool) {
        (self.owner, self.dirty, self.llcs) = (owner, dirty, 0);
        if self.sharers > 0 {
            (self.sharers, self.sharer_llcs, self.sharing) = (0, 0, [0; SET_WORDS]);
        }
    }

    /// The owner and `core` share the line from now on, which is written back if it was modified.
    #[inline]
    pub(super) fn share_with(&mut self, core: u16, llc: u16, owner_llc: u16) {
        self.llcs |= 1 << owner_llc;
        self.share(self.owner, owner_llc);
        self.share(core, llc);
        (self.owner, self.dirty) = (NONE, false);
    }

    /// The owner accesses the line; returns when that takes effect.
    #[inline]
    pub(super) fn owner_hit(&mut self, r: &Request, lock: u64) -> u64 {
        let done = r.now.max(r.not_before);
        if r.want == Want::Load {
            return done.max(self.ready_at);
        }
        let done = done.max(self.free_at);
        self.dirty = true;
        self.free_at = if r.want == Want::Locked { done + lock } else { done };
        self.leaves_at = self.free_at;
        done
    }

    /// A transaction is served from `start` on; returns when it takes effect. Counts one of the `fills`
    /// of its core.
    #[inline(always)]
    pub(super) fn settle(
        &mut self,
        r: &Request,
        transfer: &Transfer,
        start: u64,
        fills: &mut u64,
        costs: &Costs,
    ) -> u64 {
        let departs = start + transfer.occupancy;
        let done = (departs + transfer.outbound).max(r.not_before);
        *fills += 1;
        self.busy_until = departs;
        self.stats.queue_cycles += start - (r.now + transfer.inbound);
        self.stats.transfer_cycles += done - r.now;
        if self.owner == r.a.core {
            (self.ready_at, self.stamp, self.taker) = (done, *fills, r.a.cpu.0);
            self.free_at = if r.want == Want::Locked { done + costs.lock } else { done };
            let near = costs.own[Distance::Llc as usize].outbound;
            self.leaves_at = self.free_at - transfer.outbound.saturating_sub(near);
        }
        if r.want != Want::Load {
            self.lost_at = departs;
        }
        done
    }

    /// This record's `index`, if a transaction other than a `load` has taken copies from those who wait.
    #[inline]
    pub(super) fn wakes(&self, index: u32, load: bool) -> u32 {
        if load || self.waiters == NONE { NO_RECORD } else { index }
    }

    /// Sharers other than `core`: how many.
    #[inline]
    pub(super) fn other_sharers(&self, core: u16) -> u32 {
        self.sharers - u32::from(self.shares(core))
    }

    /// All sharers, ascending.
    #[cfg(test)]
    pub(super) fn sharers(&self) -> Vec<u16> {
        (0..MAX_CORES as u16).filter(|core| self.shares(*core)).collect()
    }
}

/// Lines that moved this often keep their record, so that their row in the report is complete.
const HOT_TRANSFERS: u64 = 64;
/// Records before quiet ones are first turned back into words.
const FIRST_LIMIT: usize = 1 << 16;

/// All records.
#[derive(Debug)]
pub(super) struct Records {
    records: Vec<Record>,
    free: Vec<u32>,
    limit: usize,
}

impl Default for Records {
    fn default() -> Self {
        Self { records: Vec::new(), free: Vec::new(), limit: FIRST_LIMIT }
    }
}

impl Records {
    /// A new record for a line that nobody has.
    pub(super) fn add(&mut self, addr: u64, object: u32, home: u8) -> u32 {
        let record = Record::new(addr, object, home);
        if let Some(index) = self.free.pop() {
            self.records[index as usize] = record;
            return index;
        }
        self.records.push(record);
        self.records.len() as u32 - 1
    }

    /// Whether it is time for [`Records::retire`].
    #[inline]
    pub(super) fn full(&self) -> bool {
        self.free.is_empty() && self.records.len() >= self.limit
    }

    /// Takes out the records that are quiet at `now`, not hot and held by one core or none; hands each
    /// to `fold`, with what was counted. Raises the limit when that did not help much.
    pub(super) fn retire(
        &mut self,
        now: u64,
        rows: &mut Rows,
        mut fold: impl FnMut(&Record, &LineCounters),
    ) {
        for index in 0..self.records.len() as u32 {
            let record = &self.records[index as usize];
            let quiet = record.waiters == NONE && record.busy_until.max(record.free_at) <= now;
            if !quiet || record.sharers > 0 {
                continue;
            }
            let counters = record.counters(rows);
            if counters.transfers() < HOT_TRANSFERS {
                self.free.push(index);
                rows.release(&record.row_of);
                fold(record, &counters);
            }
        }
        if self.free.len() < self.records.len() / 2 {
            self.limit = self.records.len() * 2;
        }
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> &Record {
        &self.records[index as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> &mut Record {
        &mut self.records[index as usize]
    }

    /// Records in use, in order of creation.
    pub(super) fn live(&self) -> impl Iterator<Item = &Record> {
        let mut free = self.free.clone();
        free.sort_unstable();
        let live =
            move |(index, _): &(usize, &Record)| free.binary_search(&(*index as u32)).is_err();
        self.records.iter().enumerate().filter(live).map(|(_, record)| record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharers_are_counted_once_and_forgotten_together() {
        let mut record = Record::new(0, 0, 0);
        for core in [63, 128, 63] {
            record.share(core, core / 64);
        }
        assert_eq!(record.sharers(), [63, 128]);
        assert_eq!((record.other_sharers(128), record.other_sharers(5)), (1, 2));
        assert_eq!(record.sharer_llcs, 0b101);
        record.own(NONE, false);
        assert_eq!((record.sharers().len(), record.sharer_llcs), (0, 0));
    }

    #[test]
    fn retiring_keeps_what_is_busy_shared_or_hot() {
        let mut records = Records::default();
        let quiet = records.add(0, 0, 0);
        let busy = records.add(64, 0, 0);
        records.get_mut(busy).busy_until = 100;
        let shared = records.add(128, 0, 0);
        records.get_mut(shared).share(3, 0);
        let hot = records.add(192, 0, 0);
        let mut rows = Rows::new(1);
        let of = &mut records.get_mut(hot).row_of;
        (0..HOT_TRANSFERS).for_each(|_| rows.count(of, 0, 0, Want::Load, Met::DirtyLocal));
        let mut gone = Vec::new();
        records.retire(50, &mut rows, |record, _| gone.push(record.addr));
        assert_eq!(gone, [0]);
        assert_eq!(records.live().count(), 3);
        assert_eq!(records.add(256, 0, 0), quiet);
    }
}
