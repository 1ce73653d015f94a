//! The coherence model: what an access costs, and what it does to its line.
//!
//! # States
//! A line is in memory only, in one core's caches (modified, or exclusive and clean), or shared by
//! cores, with or without clean copies in last-level caches. Threads of a core share its caches, so
//! states are by core. A load of a modified line writes it back to the owner's last-level cache and
//! leaves both cores sharing.
//!
//! Here are lines of one core alone, and what bulk work does; `transactions` has the lines that cores
//! share.

use pamt_strategies::units::{CpuId, NodeId};

use super::access::line_of;
use super::costs::{Costs, Transfer};
use super::handed::HandedBook;
use super::in_flight::InFlight;
use super::line::{LineState, LineWord, NO_RECORD, NONE};
use super::map::Map;
use super::memory::Memory;
use super::moves::Move;
use super::record::{Record, Records};
use super::rows::Rows;
use super::table::Table;
use super::tally::{Met, ObjectStats};
use super::topology::{Distance, MAX_CORES, Topology};

/// What an access wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Load,
    Store,
    Locked,
}

/// Who accesses which bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) addr: u64,
    pub(super) object: u32,
    pub(super) cpu: CpuId,
    pub(super) core: u16,
}

/// An access, and its times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) a: Access,
    pub(super) want: Want,
    /// When it is issued.
    pub(super) now: u64,
    /// When it takes effect at the earliest: a store behind others in the store buffer.
    pub(super) not_before: u64,
}

/// How an access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// When it takes effect: the core has the line as it wants it, and no LOCK operation holds it.
    pub(super) done: u64,
    /// Whether its own caches had it.
    pub(super) hit: bool,
    /// The record whose waiters have lost their copies, or [`NO_RECORD`].
    pub(super) wakes: u32,
}

impl Served {
    pub(super) fn hit(done: u64) -> Self {
        Self { done, hit: true, wakes: NO_RECORD }
    }

    pub(super) fn miss(done: u64) -> Self {
        Self { done, hit: false, wakes: NO_RECORD }
    }
}

/// Lines, caches and their costs.
pub(super) struct Coherence {
    pub(super) costs: Costs,
    pub(super) memory: Memory,
    pub(super) records: Records,
    /// Counters of cold lines and of retired records, by object.
    pub(super) cold: Vec<ObjectStats>,
    /// Lines handed from core to core, by object.
    pub(super) handed: Vec<HandedBook>,
    topology: Topology,
    pub(super) map: Map,
    /// Lines that each core has brought in.
    pub(super) fills: Table<u64, MAX_CORES>,
    pub(super) in_flight: InFlight,
    /// Fills of a core after which a line that it brought in has left the last-level cache too.
    llc_reach: u64,
    pub(super) rows: Rows,
    /// Of 2^53 equal draws, those for which a core keeps a line for one operation more.
    pub(super) keeps_below: u64,
    /// Moves of lines that no trace has had yet; nothing is noted unless there is a trace.
    pub(super) moves: Option<Vec<Move>>,
}

impl Coherence {
    pub(super) fn new(costs: Costs, topology: Topology) -> Self {
        Self {
            memory: Memory::default(),
            records: Records::default(),
            cold: Vec::new(),
            handed: Vec::new(),
            map: Map::new(&topology),
            fills: Table::new(|_| 0),
            in_flight: InFlight::new(topology.cores() as u16, topology.threads_per_core),
            llc_reach: costs.l2_lines + costs.llc_lines,
            rows: Rows::new(topology.cpus()),
            keeps_below: (costs.keep_share * (1u64 << 53) as f64).ceil() as u64,
            moves: None,
            costs,
            topology,
        }
    }

    /// Tells how many cores are in use: they divide the last-level caches between them.
    pub(super) fn set_active_cores(&mut self, active: usize) {
        let per_llc = active.div_ceil(self.topology.llcs()).max(1) as u64;
        self.llc_reach = self.costs.l2_lines + self.costs.llc_lines / per_llc;
    }

    /// Performs an access. The line's state is that of its last transaction, served or still queued.
    #[inline(always)]
    pub(super) fn access(&mut self, r: Request) -> Served {
        if self.moves.is_some() {
            return self.access_traced(r);
        }
        self.access_line(r)
    }

    /// Performs an access, whether or not there is a trace.
    #[inline(always)]
    pub(super) fn access_line(&mut self, r: Request) -> Served {
        let slot = self.memory.line(r.a.addr);
        let word = LineWord(*slot);
        if let Some(index) = word.record() {
            return self.access_record(index, r);
        }
        if word.is_owned_by(r.a.core) {
            let fills = self.fills[r.a.core];
            if fills - word.stamp() < self.costs.l1_lines {
                *slot = word.used(fills, r.want != Want::Load).0;
                self.cold[r.a.object as usize].count(r.want, Met::L1);
                return Served::hit(r.now.max(r.not_before));
            }
        }
        self.access_cold(word, r)
    }

    /// An access to a line without a record that is not in its core's first-level cache.
    #[inline(never)]
    fn access_cold(&mut self, word: LineWord, r: Request) -> Served {
        let served = match word.state() {
            LineState::Record(index) => self.access_record(index, r),
            LineState::Memory => {
                let (transfer, met) = self.memory_transfer(r.a);
                self.cold_miss(word, &r, transfer, met)
            }
            LineState::Owned { core, stamp, .. } => {
                let age = self.fills[core] - stamp;
                if age >= self.costs.l2_lines {
                    let (transfer, met) = self.cold_victim(r.a, core, age);
                    self.cold_miss(word, &r, transfer, met)
                } else if core == r.a.core {
                    self.cold_hit(word, &r)
                } else {
                    let index = self.promote(r.a);
                    self.access_record(index, r)
                }
            }
        };
        Served { done: served.done.max(r.not_before), ..served }
    }

    fn count_cold(&mut self, object: u32, want: Want, met: Met, latency: u64) {
        let stats = &mut self.cold[object as usize];
        stats.count(want, met);
        stats.transfer_cycles += latency;
    }

    /// The accessing core gets a line that no other core has.
    fn cold_miss(&mut self, word: LineWord, r: &Request, transfer: Transfer, met: Met) -> Served {
        self.count_cold(r.a.object, r.want, met, transfer.latency());
        self.own_cold(word, r.a, r.want);
        Served::miss(r.now + transfer.latency())
    }

    fn own_cold(&mut self, word: LineWord, a: Access, want: Want) {
        let fills = &mut self.fills[a.core];
        *fills += 1;
        let (core, dirty, stamp) = (a.core, want != Want::Load, *fills);
        *self.memory.line(a.addr) = word.with(LineState::Owned { core, dirty, stamp }).0;
    }

    /// The line has fallen out of its core's first-level cache only.
    fn cold_hit(&mut self, word: LineWord, r: &Request) -> Served {
        self.cold[r.a.object as usize].count(r.want, Met::L2);
        let stamp = self.fills[r.a.core];
        *self.memory.line(r.a.addr) = word.used(stamp, r.want != Want::Load).0;
        Served::hit(r.now + self.costs.l2_hit)
    }

    /// The line has fallen out of its core's caches: it comes from the last-level cache or from memory.
    fn cold_victim(&mut self, a: Access, core: u16, age: u64) -> (Transfer, Met) {
        if age < self.llc_reach {
            (self.llc_transfer(self.map.distance(core, a.core)), Met::Llc)
        } else {
            self.memory_transfer(a)
        }
    }

    fn llc_transfer(&self, distance: Distance) -> Transfer {
        match distance {
            Distance::Core | Distance::Llc => self.costs.llc_hit,
            far => self.costs.forward[far as usize],
        }
    }

    /// A fetch from the line's home memory; counts it.
    pub(super) fn memory_transfer(&mut self, a: Access) -> (Transfer, Met) {
        let home = self.map.home(&self.memory, a.object, a.addr);
        let home = self.map.socket_of_node(home);
        let distance = self.map.socket_distance(self.map.socket_of(a.core), home);
        let counters = &mut self.cold[a.object as usize];
        match distance {
            Distance::Near | Distance::Far => counters.dram_remote += 1,
            _ => counters.dram_local += 1,
        }
        (self.costs.dram[distance as usize], Met::Memory)
    }

    /// Index of the line's record; makes one from its word.
    pub(super) fn promote(&mut self, a: Access) -> u32 {
        let word = LineWord(self.memory.line_word(a.addr));
        let line = line_of(a.addr);
        let home = |this: &Self| this.map.socket_of_node(this.home_of(a.object, a.addr)) as u8;
        let index = match word.state() {
            LineState::Record(index) => return index,
            LineState::Memory => {
                let home = home(self);
                self.records.add(line, a.object, home)
            }
            LineState::Owned { core, dirty, stamp } => {
                let home = home(self);
                let index = self.records.add(line, a.object, home);
                let record = self.records.get_mut(index);
                (record.owner, record.dirty, record.stamp) = (core, dirty, stamp);
                index
            }
        };
        *self.memory.line(a.addr) = word.with(LineState::Record(index)).0;
        index
    }

    /// Turns quiet records back into words when there are many; `now` is the lowest clock.
    #[inline]
    pub(super) fn tidy(&mut self, now: u64) {
        if self.records.full() {
            self.retire(now);
        }
    }

    #[cold]
    fn retire(&mut self, now: u64) {
        let Self { records, rows, memory, cold, .. } = self;
        records.retire(now, rows, |record, counters| {
            cold[record.object as usize].retire(counters);
            let slot = memory.line(record.addr);
            *slot = LineWord(*slot).with(state_of(record)).0;
        });
    }

    /// Drops every copy of a line: its data are in memory now. Returns the record whose waiters must
    /// look again.
    pub(super) fn evict(&mut self, addr: u64, home: Option<NodeId>) -> Option<u32> {
        let word = LineWord(*self.memory.line(addr));
        let word = home.map_or(word, |node| word.rehomed(node.0));
        if let LineState::Record(index) = word.state() {
            *self.memory.line(addr) = word.0;
            let record = self.records.get_mut(index);
            if let Some(node) = home {
                record.home = self.map.socket_of_node(node) as u8;
            }
            record.own(NONE, false);
            return (record.waiters != NONE).then_some(index);
        }
        *self.memory.line(addr) = word.with(LineState::Memory).0;
        None
    }

    /// The core has stored to a whole line by bulk work: it owns it, at no cost of its own.
    pub(super) fn take_silently(&mut self, a: Access) {
        let word = LineWord(self.memory.line_word(a.addr));
        if let LineState::Record(index) = word.state() {
            self.records.get_mut(index).own(a.core, true);
        } else {
            self.own_cold(word, a, Want::Store);
        }
    }

    /// Node of the memory of a line.
    pub(super) fn home_of(&self, object: u32, addr: u64) -> NodeId {
        self.map.home(&self.memory, object, addr)
    }

    /// The record of a line whose value has changed without a transaction, if somebody waits for that.
    #[inline]
    pub(super) fn left_waiting(&self, line: LineWord) -> Option<u32> {
        line.record().filter(|index| self.records.get(*index).waiters != NONE)
    }

    /// When a core that waits for a change of a line may poll next: `None` while it has a copy, else
    /// not before that was taken from it.
    pub(super) fn lost_at(&self, record: u32, core: u16) -> Option<u64> {
        let line = self.records.get(record);
        let has = line.owner == core || line.shares(core);
        (!has).then_some(line.lost_at)
    }

    /// Counts lines that a core brought in by bulk work.
    pub(super) fn pollute(&mut self, core: u16, lines: u64) {
        self.fills[core] += lines;
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }
}

/// A record without sharers, as a word.
fn state_of(record: &Record) -> LineState {
    if record.owner == NONE {
        LineState::Memory
    } else {
        LineState::Owned { core: record.owner, dirty: record.dirty, stamp: record.stamp }
    }
}
