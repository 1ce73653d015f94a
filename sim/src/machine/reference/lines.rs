//! Cache lines of the reference: maps and sets, and a log of what happened.
//!
//! The rules are those of `coherence`, written down a second time from their description, and the costs
//! are the profile's own. Nothing is counted here: an [`Event`] says what an access met, and the report
//! counts events at the end.

use std::collections::{BTreeMap, BTreeSet};

use pamt_strategies::units::CpuId;

use super::super::access::line_of;
use super::super::coherence::{Access, Want};
use super::super::costs::{Costs, Transfer};
use super::super::memory::Memory;
use super::super::topology::{Distance, Topology};
use super::super::transactions::draw;

/// What an access met.
#[derive(Clone, Copy, Debug)]
pub(super) enum Met {
    /// The core's own first-level cache.
    L1,
    /// Its second-level cache.
    L2,
    /// A last-level cache.
    Llc,
    /// The home's memory.
    Dram(Distance),
    /// The only copy, in another core.
    Owner { core: u16, dirty: bool, distance: Distance },
    /// Clean copies in other cores, none here; the one that decides the latency is this far.
    Sharers(Distance),
    /// The line shared here, to be written.
    SharedHere,
}

/// One access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) access: Access,
    pub(super) want: Want,
    /// Since a second core came or somebody waited: such events make the line's row.
    pub(super) tracked: bool,
    /// Reads of a quiet spinner, which the report does not show by offset.
    pub(super) parked: bool,
    pub(super) met: Met,
    pub(super) invalidated: u64,
    pub(super) latency: u64,
    pub(super) queued: u64,
}

/// A line.
#[derive(Clone, Debug, Default)]
struct Line {
    tracked: bool,
    owner: Option<u16>,
    /// CPU whose transaction made the owner.
    taker: Option<u16>,
    dirty: bool,
    /// The owner's fill count when it last used the line.
    stamp: u64,
    sharers: BTreeSet<u16>,
    llcs: BTreeSet<u16>,
    busy_until: u64,
    ready_at: u64,
    free_at: u64,
    /// As `free_at`, with no longer a way back than inside a socket.
    leaves_at: u64,
    lost_at: u64,
}

/// The line last promised away after an operation of a CPU.
struct Leaving {
    line: u64,
    ready_at: u64,
    free_at: u64,
    departs: u64,
}

/// How an access ended.
pub(super) struct Served {
    pub(super) done: u64,
    /// When the other cores lost their copies, if they did.
    pub(super) lost: Option<u64>,
}

/// All lines.
pub(super) struct Lines {
    pub(super) costs: Costs,
    pub(super) topology: Topology,
    pub(super) log: Vec<Event>,
    lines: BTreeMap<u64, Line>,
    fills: BTreeMap<u16, u64>,
    leaving: BTreeMap<u16, Leaving>,
    /// Line and time of arrival of each CPU's last load that missed a tracked line.
    fetching: BTreeMap<u16, (u64, u64)>,
    llc_reach: u64,
}

impl Lines {
    pub(super) fn new(costs: Costs, topology: Topology, active_cores: usize) -> Self {
        let per_llc = active_cores.div_ceil(topology.llcs()).max(1) as u64;
        Self {
            llc_reach: costs.l2_lines + costs.llc_lines / per_llc,
            costs,
            topology,
            log: Vec::new(),
            lines: BTreeMap::new(),
            fills: BTreeMap::new(),
            leaving: BTreeMap::new(),
            fetching: BTreeMap::new(),
        }
    }

    fn line(&mut self, a: Access) -> &mut Line {
        self.lines.entry(line_of(a.addr)).or_default()
    }

    /// From now on the line's events make a row.
    pub(super) fn track(&mut self, a: Access) {
        self.line(a).tracked = true;
    }

    /// When a core lost its copy, unless it has one.
    pub(super) fn lost_at(&mut self, a: Access) -> Option<u64> {
        let line = self.line(a);
        let has = line.owner == Some(a.core) || line.sharers.contains(&a.core);
        (!has).then_some(line.lost_at)
    }

    pub(super) fn access(
        &mut self,
        memory: &Memory,
        a: Access,
        now: u64,
        want: Want,
        not_before: u64,
    ) -> Served {
        let line = self.line(a).clone();
        let age = line.owner.map(|owner| self.filled(owner) - line.stamp);
        let served = match (line.owner, age) {
            _ if line.tracked => self.tracked(memory, a, now, want, not_before),
            (Some(owner), Some(age)) if age < self.costs.l2_lines && owner != a.core => {
                self.track(a);
                self.tracked(memory, a, now, want, not_before)
            }
            (Some(owner), Some(age)) if age < self.costs.l2_lines => {
                self.private_hit(a, now, want, owner, age)
            }
            (owner, age) => self.private_miss(memory, a, now, want, owner, age),
        };
        Served { done: served.done.max(not_before), ..served }
    }

    fn filled(&self, core: u16) -> u64 {
        self.fills.get(&core).copied().unwrap_or(0)
    }

    fn fill(&mut self, core: u16) -> u64 {
        let fills = self.fills.entry(core).or_default();
        *fills += 1;
        *fills
    }

    pub(super) fn note(
        &mut self,
        a: Access,
        want: Want,
        met: Met,
        latency: u64,
        queued: u64,
        others: u64,
    ) {
        let tracked = self.line(a).tracked;
        let (access, invalidated) = (a, others);
        let parked = false;
        self.log.push(Event { access, want, tracked, parked, met, invalidated, latency, queued });
    }

    /// Reads of a spinner that saw nothing new.
    pub(super) fn parked(&mut self, a: Access, reads: u64) {
        for _ in 0..reads {
            self.note(a, Want::Load, Met::L1, 0, 0, 0);
            self.log.last_mut().expect("just noted").parked = true;
        }
    }

    fn private_hit(&mut self, a: Access, now: u64, want: Want, core: u16, age: u64) -> Served {
        let stamp = self.filled(core);
        let line = self.line(a);
        line.stamp = stamp;
        line.dirty |= want != Want::Load;
        let l1 = age < self.costs.l1_lines;
        self.note(a, want, if l1 { Met::L1 } else { Met::L2 }, 0, 0, 0);
        Served { done: if l1 { now } else { now + self.costs.l2_hit }, lost: None }
    }

    fn private_miss(
        &mut self,
        memory: &Memory,
        a: Access,
        now: u64,
        want: Want,
        owner: Option<u16>,
        age: Option<u64>,
    ) -> Served {
        let (transfer, met) = match owner {
            Some(owner) if age.is_some_and(|age| age < self.llc_reach) => {
                let distance = self.topology.distance(owner, a.core).max(Distance::Llc);
                (self.llc_transfer(distance), Met::Llc)
            }
            _ => self.memory_transfer(memory, a),
        };
        self.note(a, want, met, transfer.latency(), 0, 0);
        let stamp = self.fill(a.core);
        let line = self.line(a);
        (line.owner, line.dirty, line.stamp) = (Some(a.core), want != Want::Load, stamp);
        Served { done: now + transfer.latency(), lost: None }
    }

    fn llc_transfer(&self, distance: Distance) -> Transfer {
        match distance {
            Distance::Core | Distance::Llc => self.costs.llc_hit,
            far => self.costs.forward[far as usize],
        }
    }

    fn home_socket(&self, memory: &Memory, a: Access) -> u16 {
        let t = &self.topology;
        let node_of = |cpu: usize| t.node_of(t.core_of(CpuId(cpu as u16))).0;
        let node_of_cpu: Vec<u8> = (0..t.cpus()).map(node_of).collect();
        t.socket_of_node(memory.home(a.object, a.addr, t.nodes() as u64, &node_of_cpu))
    }

    fn memory_transfer(&self, memory: &Memory, a: Access) -> (Transfer, Met) {
        let (own, home) = (self.topology.socket_of(a.core), self.home_socket(memory, a));
        let distance = self.topology.socket_distance(own, home);
        (self.costs.dram[distance as usize], Met::Dram(distance))
    }

    /// Rule 1: inside a socket of several last-level caches a transfer goes by the home.
    fn by_home(&self, memory: &Memory, a: Access, base: Transfer, distance: Distance) -> Transfer {
        let mut transfer = base;
        let extra = self.costs.home_remote_extra;
        let own = self.topology.socket_of(a.core);
        if distance == Distance::Socket && self.home_socket(memory, a) != own {
            transfer.inbound += extra / 2;
            transfer.outbound += extra - extra / 2;
        }
        transfer
    }

    fn tracked(
        &mut self,
        memory: &Memory,
        a: Access,
        now: u64,
        want: Want,
        not_before: u64,
    ) -> Served {
        let before = self.line(a).clone();
        let write = want != Want::Load;
        let owned = before.owner == Some(a.core) && !(write && now < before.ready_at);
        if owned || (!write && before.sharers.contains(&a.core)) {
            return self.hit(a, now, want, owned, not_before);
        }
        if let Some(done) = self.late_hit(a, now, want, not_before) {
            self.note(a, want, Met::L1, 0, 0, 0);
            return Served { done, lost: None };
        }
        let (mut transfer, met) =
            if write { self.take(memory, a, &before) } else { self.fetch(memory, a, &before) };
        if write && before.owner.is_some() && self.asks_at_once(a, now) {
            transfer.occupancy -= self.costs.adjacent_saving;
            transfer.outbound += self.costs.adjacent_saving;
        }
        let stamp = self.fill(a.core);
        let arrival = now + transfer.inbound;
        let mut start = arrival.max(before.busy_until);
        let near = |owner| self.topology.distance(owner, a.core) < Distance::Near;
        if before.owner.is_some_and(near) {
            start = start.max(before.leaves_at.saturating_sub(transfer.occupancy));
        }
        let departs = start + transfer.occupancy;
        self.promise(line_of(a.addr), &before, departs);
        let done = (departs + transfer.outbound).max(not_before);
        let others = before.sharers.iter().filter(|core| **core != a.core).count() as u64;
        let invalidated = others + u64::from(before.owner.is_some());
        self.note(a, want, met, done - now, start - arrival, invalidated);
        let lock = self.costs.lock;
        let near = self.costs.own[Distance::Llc as usize].outbound;
        let longer = transfer.outbound.saturating_sub(near);
        if !write {
            self.fetching.insert(a.cpu.0, (line_of(a.addr), done));
        }
        let line = self.line(a);
        line.busy_until = departs;
        if line.owner != Some(a.core) {
            return Served { done, lost: None };
        }
        (line.ready_at, line.stamp, line.taker) = (done, stamp, Some(a.cpu.0));
        line.free_at = if want == Want::Locked { done + lock } else { done };
        line.leaves_at = line.free_at - longer;
        if write {
            line.lost_at = departs;
        }
        Served { done, lost: write.then_some(departs) }
    }

    /// Remembers for the CPU that had the line until when it still has it.
    fn promise(&mut self, line: u64, before: &Line, departs: u64) {
        if let (Some(_), Some(taker)) = (before.owner, before.taker) {
            let share = draw(line ^ departs) as f64 / (1u64 << 53) as f64;
            let kept = share < self.costs.keep_share;
            let more = if kept { self.costs.lock } else { 0 };
            let (ready_at, free_at) = (before.ready_at, before.free_at);
            let leaving = Leaving { line, ready_at, free_at, departs: free_at + more };
            self.leaving.insert(taker, leaving);
        }
    }

    fn late_hit(&mut self, a: Access, now: u64, want: Want, not_before: u64) -> Option<u64> {
        let leaving = self.leaving.get(&a.cpu.0)?;
        let done = now.max(leaving.free_at).max(not_before);
        let late = want == Want::Locked && now > leaving.free_at;
        let here = leaving.line == line_of(a.addr) && now >= leaving.ready_at;
        if !here || late || done >= leaving.departs {
            return None;
        }
        let leaving = self.leaving.get_mut(&a.cpu.0)?;
        (leaving.free_at, leaving.departs) = (done, done);
        Some(done)
    }

    /// The CPU lost this line last, and it could not have gone and come back since.
    fn asks_at_once(&self, a: Access, now: u64) -> bool {
        let lost = self.leaving.get(&a.cpu.0).filter(|lost| lost.line == line_of(a.addr));
        lost.is_some_and(|lost| now < lost.free_at + self.costs.at_once)
    }

    fn hit(&mut self, a: Access, now: u64, want: Want, owned: bool, not_before: u64) -> Served {
        self.note(a, want, Met::L1, 0, 0, 0);
        let (stamp, lock) = (self.filled(a.core), self.costs.lock);
        let line = self.line(a);
        let mut done = now.max(not_before);
        if owned {
            line.stamp = stamp;
            done = done.max(if want == Want::Load { line.ready_at } else { line.free_at });
        } else {
            done = done.max(self.arrives(a));
        }
        let line = self.line(a);
        if want != Want::Load {
            line.dirty = true;
            line.free_at = if want == Want::Locked { done + lock } else { done };
            line.leaves_at = line.free_at;
        }
        Served { done, lost: None }
    }

    /// When the last copy that a thread of this core asked for arrives.
    fn arrives(&self, a: Access) -> u64 {
        let of_core = |cpu: &u16| self.topology.core_of(CpuId(*cpu)) == a.core;
        let fetches = self.fetching.iter().filter(|(cpu, _)| of_core(cpu));
        let same = fetches.filter(|(_, (line, _))| *line == line_of(a.addr));
        same.map(|(_, (_, done))| *done).max().unwrap_or(0)
    }

    /// A load that misses.
    fn fetch(&mut self, memory: &Memory, a: Access, before: &Line) -> (Transfer, Met) {
        let (own_llc, core) = (self.topology.llc_of(a.core), a.core);
        if let Some(owner) = before.owner {
            let distance = self.topology.distance(owner, core);
            let dirty = before.dirty;
            let base = if dirty { self.costs.hitm } else { self.costs.forward };
            let mut transfer = self.by_home(memory, a, base[distance as usize], distance);
            let home_here = self.home_socket(memory, a) == self.topology.socket_of(core);
            if dirty && distance >= Distance::Near && home_here {
                transfer.occupancy += self.costs.home_reader_extra;
            }
            let owner_llc = self.topology.llc_of(owner);
            let line = self.line(a);
            (line.owner, line.dirty) = (None, false);
            line.llcs.insert(owner_llc);
            line.sharers.extend([owner, core]);
            return (transfer, Met::Owner { core: owner, dirty, distance });
        }
        if before.llcs.contains(&own_llc) {
            self.line(a).sharers.insert(core);
            return (self.costs.llc_hit, Met::Llc);
        }
        let nearest = match self.copies(&before.sharers, core).min() {
            None if before.sharers.is_empty() => self.llcs(&before.llcs, core).min(),
            nearest => nearest,
        };
        let Some(distance) = nearest else {
            let line = self.line(a);
            (line.owner, line.dirty) = (Some(core), false);
            return self.memory_transfer(memory, a);
        };
        let transfer = self.by_home(memory, a, self.costs.forward[distance as usize], distance);
        let line = self.line(a);
        line.llcs.insert(own_llc);
        line.sharers.insert(core);
        (transfer, Met::Sharers(distance))
    }

    fn copies(&self, sharers: &BTreeSet<u16>, core: u16) -> impl Iterator<Item = Distance> {
        let others = sharers.iter().filter(move |other| **other != core);
        others.map(move |other| self.topology.distance(*other, core))
    }

    fn llcs(&self, llcs: &BTreeSet<u16>, core: u16) -> impl Iterator<Item = Distance> {
        let first = |llc: u16| (0..).find(|core| self.topology.llc_of(*core) == llc);
        let cores = llcs.iter().filter_map(move |llc| first(*llc));
        cores.map(move |other| self.topology.distance(other, core).max(Distance::Llc))
    }

    /// A store or LOCK operation on a line that the core does not own.
    fn take(&mut self, memory: &Memory, a: Access, before: &Line) -> (Transfer, Met) {
        let own_llc = self.topology.llc_of(a.core);
        let here = before.sharers.contains(&a.core);
        let out = if let Some(owner) = before.owner {
            let distance = self.topology.distance(owner, a.core).max(Distance::Llc);
            let transfer = self.by_home(memory, a, self.costs.own[distance as usize], distance);
            (transfer, Met::Owner { core: owner, dirty: before.dirty, distance })
        } else if !before.sharers.is_empty() {
            let farthest = self.copies(&before.sharers, a.core).max();
            let distance = farthest.unwrap_or(Distance::Llc);
            let transfer = self.by_home(memory, a, self.costs.upgrade[distance as usize], distance);
            (transfer, if here { Met::SharedHere } else { Met::Sharers(distance) })
        } else if before.llcs.contains(&own_llc) {
            (self.costs.llc_hit, Met::Llc)
        } else if let Some(distance) = self.llcs(&before.llcs, a.core).min() {
            (self.costs.forward[distance as usize], Met::Llc)
        } else {
            self.memory_transfer(memory, a)
        };
        let line = self.line(a);
        (line.owner, line.dirty) = (Some(a.core), true);
        line.sharers.clear();
        line.llcs.clear();
        out
    }
}
