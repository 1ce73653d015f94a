//! The coherence model: what an access costs, and what it does to its line.
//!
//! # States
//! A line is in memory only, in one core's caches (modified, or exclusive and clean), or shared by
//! cores, with or without clean copies in last-level caches. Threads of a core share its caches, so
//! states are by core. A load of a modified line writes it back to the owner's last-level cache and
//! leaves both cores sharing.
//!
//! # Transactions
//! What a core cannot serve itself is a transaction at the line's home (see [`Costs`]): transactions on
//! a line are served in the order in which they were issued, each occupying the line for a part of its
//! latency. *Fetch* (a load that misses), *read for ownership* (a store or LOCK operation on a line the
//! core does not have) and *upgrade* (on a line it holds shared) have costs of their own, so that loading
//! a line before compare-and-swap costs two transactions.
//! Threads of a core that miss the same line make one fetch: the second waits for the first one's data.
//! Modelling rules 1 to 5 of the sources: the home's place matters, contended service is well below a
//! transfer's latency, and storing to a line that somebody spins on is an upgrade plus his fetch.

use pamt_strategies::units::{CpuId, NodeId};

use super::access::line_of;
use super::costs::{Costs, Transfer};
use super::in_flight::{InFlight, Leaving};
use super::line::{LineState, LineWord, NONE, Record, Records};
use super::map::Map;
use super::memory::Memory;
use super::moves::Move;
use super::stats::LineCounters;
use super::topology::{Distance, Topology};

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

/// How an access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// When it takes effect: the core has the line as it wants it, and no LOCK operation holds it.
    pub(super) done: u64,
    /// Whether its own caches had it.
    pub(super) hit: bool,
    /// When the other cores lose their copies, if some CPU waits for a change of the line.
    pub(super) wakes: Option<Wakes>,
}

/// Waiters of a record that must look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wakes {
    pub(super) record: u32,
    /// From then on other cores miss.
    pub(super) at: u64,
}

/// Lines, caches and their costs.
pub(super) struct Coherence {
    pub(super) costs: Costs,
    pub(super) memory: Memory,
    pub(super) records: Records,
    /// Counters of cold lines and of retired records, by object.
    pub(super) cold: Vec<LineCounters>,
    topology: Topology,
    pub(super) map: Map,
    /// Lines that each core has brought in.
    fills: Vec<u64>,
    in_flight: InFlight,
    /// Fills of a core after which a line that it brought in has left the last-level cache too.
    llc_reach: u64,
    cpu_set_words: usize,
    /// Moves of lines that no trace has had yet; nothing is noted unless there is a trace.
    pub(super) moves: Option<Vec<Move>>,
}

impl Coherence {
    pub(super) fn new(costs: Costs, topology: Topology) -> Self {
        let cpus = topology.cpus();
        Self {
            memory: Memory::default(),
            records: Records::new(topology.cores()),
            cold: Vec::new(),
            map: Map::new(&topology),
            fills: vec![0; topology.cores()],
            in_flight: InFlight::new(cpus, topology.cores()),
            llc_reach: costs.l2_lines + costs.llc_lines,
            cpu_set_words: cpus.div_ceil(64),
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

    /// Performs an access issued at `now` that takes effect at `not_before` at the earliest (a store
    /// behind others in the store buffer). The line's state is that of its last transaction, served or
    /// still queued.
    pub(super) fn access(&mut self, a: Access, now: u64, want: Want, not_before: u64) -> Served {
        let sharer = if self.moves.is_some() { self.sharer(a) } else { None };
        let served = self.access_line(a, now, want, not_before);
        let served = Served { done: served.done.max(not_before), ..served };
        if let Some(from) = sharer {
            self.note(a, from, want, now, served);
        }
        served
    }

    fn access_line(&mut self, a: Access, now: u64, want: Want, not_before: u64) -> Served {
        let word = LineWord(self.memory.line_word(a.addr));
        match word.state() {
            LineState::Record(index) => self.access_record(index, a, now, want, not_before),
            LineState::Memory => {
                let transfer = self.memory_transfer(word, a);
                let counters = self.count_cold(a.object, want);
                counters.rfo += u64::from(want != Want::Load);
                counters.transfer_cycles += transfer.latency();
                self.own_cold(word, a, want);
                Served { done: now + transfer.latency(), hit: false, wakes: None }
            }
            LineState::Owned { core, dirty, stamp } => {
                let age = self.fills[usize::from(core)] - stamp;
                if core == a.core && age < self.costs.l2_lines {
                    return self.cold_hit(word, a, now, want, dirty, age);
                }
                if core == a.core || age >= self.costs.l2_lines {
                    return self.cold_victim(word, a, now, want, core, age);
                }
                let index = self.promote(a);
                self.access_record(index, a, now, want, not_before)
            }
        }
    }

    fn count_cold(&mut self, object: u32, want: Want) -> &mut LineCounters {
        let counters = &mut self.cold[object as usize];
        count_want(counters, want);
        counters
    }

    /// The accessing core now has a line that no other core has.
    fn own_cold(&mut self, word: LineWord, a: Access, want: Want) {
        let fills = &mut self.fills[usize::from(a.core)];
        *fills += 1;
        let (core, dirty, stamp) = (a.core, want != Want::Load, *fills);
        *self.memory.line(a.addr) = word.with(LineState::Owned { core, dirty, stamp }).0;
    }

    fn cold_hit(
        &mut self,
        word: LineWord,
        a: Access,
        now: u64,
        want: Want,
        dirty: bool,
        age: u64,
    ) -> Served {
        let l1 = age < self.costs.l1_lines;
        let counters = self.count_cold(a.object, want);
        counters.l1_hits += u64::from(l1);
        counters.l2_hits += u64::from(!l1);
        let stamp = self.fills[usize::from(a.core)];
        let dirty = dirty || want != Want::Load;
        *self.memory.line(a.addr) = word.with(LineState::Owned { core: a.core, dirty, stamp }).0;
        let done = if l1 { now } else { now + self.costs.l2_hit };
        Served { done, hit: true, wakes: None }
    }

    /// The line has fallen out of its core's caches: it comes from the last-level cache or from memory.
    fn cold_victim(
        &mut self,
        word: LineWord,
        a: Access,
        now: u64,
        want: Want,
        core: u16,
        age: u64,
    ) -> Served {
        let in_llc = age < self.llc_reach;
        let transfer = if in_llc {
            self.llc_transfer(self.map.distance(core, a.core))
        } else {
            self.memory_transfer(word, a)
        };
        let counters = self.count_cold(a.object, want);
        counters.llc_hits += u64::from(in_llc);
        counters.rfo += u64::from(want != Want::Load);
        counters.transfer_cycles += transfer.latency();
        self.own_cold(word, a, want);
        Served { done: now + transfer.latency(), hit: false, wakes: None }
    }

    fn llc_transfer(&self, distance: Distance) -> Transfer {
        match distance {
            Distance::Core | Distance::Llc => self.costs.llc_hit,
            far => self.costs.forward[far as usize],
        }
    }

    /// Socket that homes the line.
    fn home_socket(&self, a: Access) -> u16 {
        let word = LineWord(self.memory.line_word(a.addr));
        self.map.socket_of_node(self.home(word, a))
    }

    fn home(&self, word: LineWord, a: Access) -> NodeId {
        match word.home() {
            Some(node) => NodeId(node),
            None => {
                let (nodes, by_cpu) = (self.map.nodes(), self.map.node_of_cpu());
                self.memory.home(a.object, a.addr, nodes, by_cpu)
            }
        }
    }

    /// A fetch from the line's home memory; counts it.
    fn memory_transfer(&mut self, word: LineWord, a: Access) -> Transfer {
        let home = self.map.socket_of_node(self.home(word, a));
        let distance = self.map.socket_distance(self.map.socket_of(a.core), home);
        let counters = &mut self.cold[a.object as usize];
        match distance {
            Distance::Near | Distance::Far => counters.dram_remote += 1,
            _ => counters.dram_local += 1,
        }
        self.costs.dram[distance as usize]
    }

    /// Index of the line's record; makes one from its word.
    pub(super) fn promote(&mut self, a: Access) -> u32 {
        let word = LineWord(self.memory.line_word(a.addr));
        let line = line_of(a.addr);
        let index = match word.state() {
            LineState::Record(index) => return index,
            LineState::Memory => self.records.add(line, a.object),
            LineState::Owned { core, dirty, stamp } => {
                let index = self.records.add(line, a.object);
                let record = self.records.get_mut(index);
                (record.owner, record.dirty, record.stamp) = (core, dirty, stamp);
                index
            }
        };
        *self.memory.line(a.addr) = word.with(LineState::Record(index)).0;
        index
    }

    /// Turns quiet records back into words when there are many; `now` is the lowest clock.
    pub(super) fn tidy(&mut self, now: u64) {
        if !self.records.full() {
            return;
        }
        let Self { records, memory, cold, .. } = self;
        records.retire(now, |record| {
            cold[record.object as usize].add(&record.counters);
            let slot = memory.line(record.addr);
            *slot = LineWord(*slot).with(state_of(&record)).0;
        });
    }

    fn access_record(
        &mut self,
        index: u32,
        a: Access,
        now: u64,
        want: Want,
        not_before: u64,
    ) -> Served {
        let record = self.records.get(index);
        let outstanding = want != Want::Load && now < record.ready_at;
        let owned = record.owner == a.core && !outstanding;
        if owned || (want == Want::Load && self.records.shares(index, a.core)) {
            return self.record_hit(index, a, now, want, owned, not_before);
        }
        if let Some(served) = self.late_hit(index, a, now, want, not_before) {
            return served;
        }
        let record = self.records.get(index);
        let (owner, taker) = (record.owner, record.taker);
        let (owner_ready, owner_free) = (record.ready_at, record.free_at);
        let (transfer, hitm) =
            if want == Want::Load { self.fetch(index, a) } else { self.take(index, a) };
        self.fills[usize::from(a.core)] += 1;
        let stamp = self.fills[usize::from(a.core)];
        let arrival = now + transfer.inbound;
        let mut start = arrival.max(self.records.get(index).busy_until);
        if owner != NONE && self.map.distance(owner, a.core) < Distance::Near {
            // The line leaves its owner when that has done what it took the line for.
            start = start.max(owner_free.saturating_sub(transfer.occupancy));
        }
        let departs = start + transfer.occupancy;
        if owner != NONE && taker != NONE {
            let line = line_of(a.addr);
            let kept = draw(line ^ departs) < self.costs.keep_share;
            let more = if kept { self.costs.lock } else { 0 };
            *self.in_flight.leaving_mut(CpuId(taker)) = Leaving {
                line,
                ready_at: owner_ready,
                free_at: owner_free,
                departs: owner_free + more,
            };
        }
        let done = (departs + transfer.outbound).max(not_before);
        if want == Want::Load {
            self.in_flight.fetch(a.cpu, line_of(a.addr), done);
        }
        let (words, lock) = (self.cpu_set_words, self.costs.lock);
        let record = self.records.get_mut(index);
        record.busy_until = departs;
        count_want(&mut record.counters, want);
        record.counters.queue_cycles += start - arrival;
        record.counters.transfer_cycles += done - now;
        record.offsets.count((a.addr & 63) as u8, a.cpu.0, want != Want::Load, hitm, words);
        let mut wakes = None;
        if record.owner == a.core {
            (record.ready_at, record.stamp, record.taker) = (done, stamp, a.cpu.0);
            record.free_at = if want == Want::Locked { done + lock } else { done };
            if want != Want::Load {
                record.lost_at = departs;
                if record.waiters != NONE {
                    wakes = Some(Wakes { record: index, at: departs });
                }
            }
        }
        Served { done, hit: false, wakes }
    }

    /// The line has been promised to another core but has not left yet.
    fn late_hit(
        &mut self,
        index: u32,
        a: Access,
        now: u64,
        want: Want,
        not_before: u64,
    ) -> Option<Served> {
        let leaving = self.in_flight.leaving_mut(a.cpu);
        let done = now.max(leaving.free_at).max(not_before);
        let late = want == Want::Locked && now > leaving.free_at;
        let here = leaving.line == line_of(a.addr) && now >= leaving.ready_at;
        if !here || late || done >= leaving.departs {
            return None;
        }
        leaving.line = u64::MAX;
        let words = self.cpu_set_words;
        let record = self.records.get_mut(index);
        count_want(&mut record.counters, want);
        record.counters.l1_hits += 1;
        record.offsets.count((a.addr & 63) as u8, a.cpu.0, want != Want::Load, false, words);
        Some(Served { done, hit: true, wakes: None })
    }

    fn record_hit(
        &mut self,
        index: u32,
        a: Access,
        now: u64,
        want: Want,
        owned: bool,
        not_before: u64,
    ) -> Served {
        let (words, lock) = (self.cpu_set_words, self.costs.lock);
        let stamp = self.fills[usize::from(a.core)];
        let arrives = if owned { 0 } else { self.in_flight.arrives(a.core, line_of(a.addr)) };
        let record = self.records.get_mut(index);
        count_want(&mut record.counters, want);
        record.counters.l1_hits += 1;
        record.offsets.count((a.addr & 63) as u8, a.cpu.0, want != Want::Load, false, words);
        let mut done = now.max(not_before).max(arrives);
        if owned {
            record.stamp = stamp;
            done = done.max(if want == Want::Load { record.ready_at } else { record.free_at });
        }
        if want != Want::Load {
            record.dirty = true;
            record.free_at = if want == Want::Locked { done + lock } else { done };
        }
        Served { done, hit: true, wakes: None }
    }

    /// A load that misses. Leaves the core sharing the line, or owning it when nobody else has it.
    fn fetch(&mut self, index: u32, a: Access) -> (Transfer, bool) {
        let record = self.records.get(index);
        let (owner, dirty) = (record.owner, record.dirty);
        if owner != NONE {
            return (self.fetch_from_owner(index, a, owner, dirty), dirty);
        }
        let own_llc = self.map.llc_of(a.core);
        if record.llcs >> own_llc & 1 != 0 {
            let record = self.records.get_mut(index);
            record.counters.llc_hits += 1;
            self.records.share(index, a.core);
            return (self.costs.llc_hit, false);
        }
        let Some(distance) = self.nearest_copy(index, a.core) else {
            let word = LineWord(self.memory.line_word(a.addr));
            let transfer = self.memory_transfer(word, a);
            let record = self.records.get_mut(index);
            (record.owner, record.dirty) = (a.core, false);
            return (transfer, false);
        };
        let transfer = self.inside_socket(self.costs.forward[distance as usize], distance, a);
        let record = self.records.get_mut(index);
        count_forward(&mut record.counters, distance);
        record.llcs |= 1 << own_llc;
        self.records.share(index, a.core);
        (transfer, false)
    }

    fn fetch_from_owner(&mut self, index: u32, a: Access, owner: u16, dirty: bool) -> Transfer {
        let distance = self.map.distance(owner, a.core);
        let own_llc = self.map.llc_of(owner);
        let record = self.records.get_mut(index);
        let base = if dirty {
            match distance {
                Distance::Near | Distance::Far => record.counters.hitm_remote += 1,
                _ => record.counters.hitm_local += 1,
            }
            self.costs.hitm[distance as usize]
        } else {
            count_forward(&mut record.counters, distance);
            self.costs.forward[distance as usize]
        };
        record.llcs |= 1 << own_llc;
        (record.owner, record.dirty) = (NONE, false);
        self.records.share(index, owner);
        self.records.share(index, a.core);
        let mut transfer = self.inside_socket(base, distance, a);
        let remote = distance >= Distance::Near && dirty;
        if remote && self.home_socket(a) == self.map.socket_of(a.core) {
            transfer.occupancy += self.costs.home_reader_extra;
        }
        transfer
    }

    /// A store or LOCK operation on a line that the core does not own. Leaves it the only owner.
    fn take(&mut self, index: u32, a: Access) -> (Transfer, bool) {
        let record = self.records.get(index);
        let (owner, dirty, llcs) = (record.owner, record.dirty, record.llcs);
        let shared_here = self.records.shares(index, a.core);
        let others = self.records.other_sharers(index, a.core);
        let own_llc = self.map.llc_of(a.core);
        let transfer = if owner != NONE {
            let distance = self.map.distance(owner, a.core).max(Distance::Llc);
            self.inside_socket(self.costs.own[distance as usize], distance, a)
        } else if shared_here || others > 0 {
            let distance = self.farthest_copy(index, a.core);
            self.inside_socket(self.costs.upgrade[distance as usize], distance, a)
        } else if llcs >> own_llc & 1 != 0 {
            self.costs.llc_hit
        } else if llcs != 0 {
            let distance = self.llc_distance(llcs, a.core);
            self.costs.forward[distance as usize]
        } else {
            let word = LineWord(self.memory.line_word(a.addr));
            self.memory_transfer(word, a)
        };
        let remote = owner != NONE && self.map.distance(owner, a.core) >= Distance::Near;
        let record = self.records.get_mut(index);
        let counters = &mut record.counters;
        if shared_here {
            counters.upgrades += 1;
        } else {
            counters.rfo += 1;
        }
        let hitm = owner != NONE && dirty;
        counters.rfo_hitm_remote += u64::from(hitm && remote);
        counters.rfo_hitm_local += u64::from(hitm && !remote);
        counters.llc_hits += u64::from(owner == NONE && others == 0 && !shared_here && llcs != 0);
        counters.invalidations += u64::from(others) + u64::from(owner != NONE);
        counters.bounces += 1;
        (record.owner, record.dirty, record.llcs) = (a.core, true, 0);
        self.records.clear_sharers(index);
        (transfer, hitm)
    }

    /// Rule 1: a transfer inside a socket goes by the home when last-level caches are several, and
    /// costs more when the home is another socket.
    fn inside_socket(&self, base: Transfer, distance: Distance, a: Access) -> Transfer {
        let mut transfer = base;
        let by_home = distance == Distance::Socket && self.costs.home_remote_extra != 0;
        if by_home && self.home_socket(a) != self.map.socket_of(a.core) {
            transfer.inbound += self.costs.home_remote_extra / 2;
            transfer.outbound += self.costs.home_remote_extra - self.costs.home_remote_extra / 2;
        }
        transfer
    }

    /// Drops every copy of a line: its data are in memory now. Returns the waiters to wake.
    pub(super) fn evict(&mut self, addr: u64, now: u64, home: Option<NodeId>) -> Option<Wakes> {
        let word = LineWord(*self.memory.line(addr));
        let word = home.map_or(word, |node| word.rehomed(node.0));
        if let LineState::Record(index) = word.state() {
            *self.memory.line(addr) = word.0;
            self.records.clear_sharers(index);
            let record = self.records.get_mut(index);
            (record.owner, record.dirty, record.llcs) = (NONE, false, 0);
            return (record.waiters != NONE).then_some(Wakes { record: index, at: now });
        }
        *self.memory.line(addr) = word.with(LineState::Memory).0;
        None
    }

    /// The core has stored to a whole line by bulk work: it owns it, at no cost of its own.
    pub(super) fn take_silently(&mut self, a: Access) {
        let word = LineWord(self.memory.line_word(a.addr));
        if let LineState::Record(index) = word.state() {
            self.records.clear_sharers(index);
            let record = self.records.get_mut(index);
            (record.owner, record.dirty, record.llcs) = (a.core, true, 0);
        } else {
            self.own_cold(word, a, Want::Store);
        }
    }

    /// Node of the memory of a line.
    pub(super) fn home_of(&self, object: u32, addr: u64) -> NodeId {
        let word = LineWord(self.memory.line_word(addr));
        self.home(word, Access { addr, object, cpu: CpuId(0), core: 0 })
    }

    /// The waiters of a line whose value has changed at `now` without a transaction that woke them.
    pub(super) fn left_waiting(&self, addr: u64, now: u64) -> Option<Wakes> {
        match LineWord(self.memory.line_word(addr)).state() {
            LineState::Record(record) if self.records.get(record).waiters != NONE => {
                Some(Wakes { record, at: now })
            }
            _ => None,
        }
    }

    /// When a core that waits for a change of a line may poll next: `None` while it has a copy, else
    /// not before that was taken from it.
    pub(super) fn lost_at(&self, record: u32, core: u16) -> Option<u64> {
        let line = self.records.get(record);
        let has = line.owner == core || self.records.shares(record, core);
        (!has).then_some(line.lost_at)
    }

    /// Counts lines that a core brought in by bulk work.
    pub(super) fn pollute(&mut self, core: u16, lines: u64) {
        self.fills[usize::from(core)] += lines;
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }
}

fn count_want(counters: &mut LineCounters, want: Want) {
    match want {
        Want::Load => counters.loads += 1,
        Want::Store => counters.stores += 1,
        Want::Locked => counters.locked += 1,
    }
}

fn count_forward(counters: &mut LineCounters, distance: Distance) {
    match distance {
        Distance::Near | Distance::Far => counters.forward_remote += 1,
        _ => counters.forward_local += 1,
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

/// A draw from [0, 1) that depends on `key` alone.
pub(super) fn draw(key: u64) -> f64 {
    let mixed = (key ^ key >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}
