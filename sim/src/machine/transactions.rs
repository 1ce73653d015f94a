//! Accesses to lines that cores share.
//!
//! What a core cannot serve itself is a transaction at the line's home (see [`Costs`]): transactions on
//! a line are served in the order in which they were issued, each occupying the line for a part of its
//! latency. *Fetch* (a load that misses), *read for ownership* (a store or LOCK operation on a line the
//! core does not have) and *upgrade* (on a line it holds shared) have costs of their own, so that loading
//! a line before compare-and-swap costs two transactions.
//! What a line's way across sockets takes longer is latency only: published additions to one line take 44 to 50 ns
//! a pair for any number of threads on one socket or two, so the line is promised on as if it had come
//! from nearby.
//! Threads of a core that miss the same line make one fetch: the second waits for the first one's data.
//! Modelling rules 1 to 5 of the sources: the home's place matters, contended service is well below a
//! transfer's latency, and storing to a line that somebody spins on is an upgrade plus his fetch.
//!
//! [`Costs`]: super::costs::Costs

use pamt_strategies::units::CpuId;

use super::access::line_of;
use super::coherence::{Access, Coherence, Request, Served, Want};
use super::costs::Transfer;
use super::in_flight::Leaving;
use super::line::{LineWord, NO_RECORD, NONE};
use super::tally::Met;
use super::topology::Distance;

impl Coherence {
    /// An access to a line with a record.
    #[inline]
    pub(super) fn access_record(&mut self, index: u32, r: &Request) -> Served {
        let record = self.records.get(index);
        let write = r.want != Want::Load;
        if record.owner == r.a.core {
            if !write || r.now >= record.ready_at {
                return self.owner_hit(index, r);
            }
        } else if record.owner == NONE && !write && self.records.shares(index, r.a.core) {
            self.count(index, r, Met::L1);
            let arrives = self.in_flight.arrives(r.a.core, line_of(r.a.addr));
            return Served::hit(r.now.max(r.not_before).max(arrives));
        }
        if self.in_flight.leaving(r.a.cpu).line == line_of(r.a.addr)
            && let Some(served) = self.late_hit(index, r)
        {
            return served;
        }
        let (transfer, met, start) = if self.records.get(index).owner != NONE {
            self.transfer_from_owner(index, r)
        } else {
            let (transfer, met) = if write { self.take(index, r) } else { self.fetch(index, r) };
            let busy_until = self.records.get(index).busy_until;
            (transfer, met, (r.now + transfer.inbound).max(busy_until))
        };
        self.settle(index, r, transfer, met, start)
    }

    #[inline]
    fn count(&mut self, index: u32, r: &Request, met: Met) {
        let stats = &mut self.records.get_mut(index).stats;
        stats.count(r.a.addr, r.a.cpu.0, r.want, met, self.cpu_set_words);
    }

    /// The core owns the line, and has it or waits for it only to load.
    fn owner_hit(&mut self, index: u32, r: &Request) -> Served {
        self.count(index, r, Met::L1);
        let (lock, stamp) = (self.costs.lock, self.fills[usize::from(r.a.core)]);
        let record = self.records.get_mut(index);
        record.stamp = stamp;
        let mut done = r.now.max(r.not_before);
        if r.want == Want::Load {
            done = done.max(record.ready_at);
        } else {
            done = done.max(record.free_at);
            record.dirty = true;
            record.free_at = if r.want == Want::Locked { done + lock } else { done };
            record.leaves_at = record.free_at;
        }
        Served::hit(done)
    }

    /// The line has been promised to another core but may not have left yet.
    fn late_hit(&mut self, index: u32, r: &Request) -> Option<Served> {
        let leaving = self.in_flight.leaving_mut(r.a.cpu);
        let done = r.now.max(leaving.free_at).max(r.not_before);
        let late = r.want == Want::Locked && r.now > leaving.free_at;
        if r.now < leaving.ready_at || late || done >= leaving.departs {
            return None;
        }
        (leaving.free_at, leaving.departs) = (done, done);
        self.count(index, r, Met::L1);
        Some(Served::hit(done))
    }

    /// The CPU has just lost the line that it asks for.
    #[inline]
    fn asks_at_once(&self, r: &Request) -> bool {
        let leaving = self.in_flight.leaving(r.a.cpu);
        leaving.line == line_of(r.a.addr) && r.now < leaving.free_at + self.costs.at_once
    }

    /// The line comes from the core that owns it: another one, or this one before it has it. The last
    /// of what it returns is when the line is served.
    #[inline]
    fn transfer_from_owner(&mut self, index: u32, r: &Request) -> (Transfer, Met, u64) {
        let record = self.records.get(index);
        let (owner, taker, dirty) = (record.owner, record.taker, record.dirty);
        let (ready_at, free_at, busy_until) = (record.ready_at, record.free_at, record.busy_until);
        let leaves_at = record.leaves_at;
        let cores = self.fills.len();
        self.handed[r.a.object as usize].count(owner, r.a.core, cores);
        let distance = self.map.distance(owner, r.a.core);
        let mut transfer = if r.want == Want::Load {
            self.fetch_from_owner(index, r, distance)
        } else {
            self.take_from_owner(index, r, distance)
        };
        if r.want != Want::Load && self.asks_at_once(r) {
            transfer.occupancy -= self.costs.adjacent_saving;
        }
        let mut start = (r.now + transfer.inbound).max(busy_until);
        let remote = distance >= Distance::Near;
        if !remote {
            // The line leaves its owner when that has done what it took the line for.
            start = start.max(leaves_at.saturating_sub(transfer.occupancy));
        }
        if taker != NONE {
            let line = line_of(r.a.addr);
            let kept = draw(line ^ (start + transfer.occupancy)) < self.keeps_below;
            let departs = free_at + if kept { self.costs.lock } else { 0 };
            *self.in_flight.leaving_mut(CpuId(taker)) =
                Leaving { line, ready_at, free_at, departs };
        }
        let met = match (dirty, remote) {
            (false, false) => Met::CleanLocal,
            (false, true) => Met::CleanRemote,
            (true, false) => Met::DirtyLocal,
            (true, true) => Met::DirtyRemote,
        };
        (transfer, met, start)
    }

    /// A transaction that is served from `start` on.
    #[inline]
    fn settle(
        &mut self,
        index: u32,
        r: &Request,
        transfer: Transfer,
        met: Met,
        start: u64,
    ) -> Served {
        let departs = start + transfer.occupancy;
        let done = (departs + transfer.outbound).max(r.not_before);
        self.count(index, r, met);
        if r.want == Want::Load {
            self.in_flight.fetch(r.a.cpu, line_of(r.a.addr), done);
        }
        let fills = &mut self.fills[usize::from(r.a.core)];
        *fills += 1;
        let lock = self.costs.lock;
        let record = self.records.get_mut(index);
        record.busy_until = departs;
        record.stats.queue_cycles += start - (r.now + transfer.inbound);
        record.stats.transfer_cycles += done - r.now;
        let mut wakes = NO_RECORD;
        if record.owner == r.a.core {
            (record.ready_at, record.stamp, record.taker) = (done, *fills, r.a.cpu.0);
            record.free_at = if r.want == Want::Locked { done + lock } else { done };
            let near = self.costs.own[Distance::Llc as usize].outbound;
            record.leaves_at = record.free_at - transfer.outbound.saturating_sub(near);
            if r.want != Want::Load {
                record.lost_at = departs;
                if record.waiters != NONE {
                    wakes = index;
                }
            }
        }
        Served { done, hit: false, wakes }
    }

    /// A load that misses a line without an owner. Leaves the core sharing the line, or owning it when
    /// nobody else has it.
    fn fetch(&mut self, index: u32, r: &Request) -> (Transfer, Met) {
        let own_llc = self.map.llc_of(r.a.core);
        let record = self.records.get(index);
        if record.llcs >> own_llc & 1 != 0 {
            self.records.share(index, r.a.core, own_llc);
            return (self.costs.llc_hit, Met::Llc);
        }
        let copies = if record.sharers > 0 { record.sharer_llcs } else { record.llcs };
        let Some(distance) = self.map.nearest(copies, r.a.core) else {
            let word = LineWord(self.memory.line_word(r.a.addr));
            let record = self.records.get_mut(index);
            (record.owner, record.dirty) = (r.a.core, false);
            return self.memory_transfer(word, r.a);
        };
        let transfer = self.inside_socket(self.costs.forward[distance as usize], distance, r.a);
        self.records.get_mut(index).llcs |= 1 << own_llc;
        self.records.share(index, r.a.core, own_llc);
        let remote = distance >= Distance::Near;
        (transfer, if remote { Met::CleanRemote } else { Met::CleanLocal })
    }

    /// A load of a line that another core owns: both share it then, and a modified one is written back.
    fn fetch_from_owner(&mut self, index: u32, r: &Request, distance: Distance) -> Transfer {
        let record = self.records.get_mut(index);
        let (owner, dirty) = (record.owner, record.dirty);
        let (owner_llc, own_llc) = (self.map.llc_of(owner), self.map.llc_of(r.a.core));
        record.llcs |= 1 << owner_llc;
        (record.owner, record.dirty) = (NONE, false);
        self.records.share(index, owner, owner_llc);
        self.records.share(index, r.a.core, own_llc);
        let costs = if dirty { &self.costs.hitm } else { &self.costs.forward };
        let mut transfer = self.inside_socket(costs[distance as usize], distance, r.a);
        let remote = distance >= Distance::Near && dirty;
        if remote && self.home_socket(r.a) == self.map.socket_of(r.a.core) {
            transfer.occupancy += self.costs.home_reader_extra;
        }
        transfer
    }

    /// A store or LOCK operation on a line without an owner. Leaves the core the only one that has it.
    fn take(&mut self, index: u32, r: &Request) -> (Transfer, Met) {
        let (core, llcs) = (r.a.core, self.records.get(index).llcs);
        let shared_here = self.records.shares(index, core);
        let others = self.records.other_sharers(index, core);
        let out = if shared_here || others > 0 {
            let distance = self.map.farthest(self.records.get(index).sharer_llcs, core);
            let transfer = self.inside_socket(self.costs.upgrade[distance as usize], distance, r.a);
            let remote = distance >= Distance::Near;
            let clean = if remote { Met::CleanRemote } else { Met::CleanLocal };
            (transfer, if shared_here { Met::SharedHere } else { clean })
        } else if llcs >> self.map.llc_of(core) & 1 != 0 {
            (self.costs.llc_hit, Met::Llc)
        } else if let Some(distance) = self.map.nearest(llcs, core) {
            (self.costs.forward[distance as usize], Met::Llc)
        } else {
            let word = LineWord(self.memory.line_word(r.a.addr));
            self.memory_transfer(word, r.a)
        };
        self.records.clear_sharers(index);
        let record = self.records.get_mut(index);
        record.stats.invalidations += u64::from(others);
        (record.owner, record.dirty, record.llcs) = (core, true, 0);
        out
    }

    /// A store or LOCK operation on a line that another core owns. That one loses it.
    fn take_from_owner(&mut self, index: u32, r: &Request, distance: Distance) -> Transfer {
        let record = self.records.get_mut(index);
        record.stats.invalidations += 1;
        (record.owner, record.dirty, record.llcs) = (r.a.core, true, 0);
        let distance = distance.max(Distance::Llc);
        self.inside_socket(self.costs.own[distance as usize], distance, r.a)
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
}

/// One of 2^53 equal draws, by `key` alone.
pub(super) fn draw(key: u64) -> u64 {
    let mixed = (key ^ key >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed >> 11
}

#[cfg(test)]
mod tests {
    use pamt_strategies::platform::Place;
    use pamt_strategies::units::CpuId;
    use proptest::prelude::*;

    use crate::machine::coherence::{Access, Coherence, Request, Want};
    use crate::machine::costs::Costs;
    use crate::machine::line::{LineState, LineWord, NONE};
    use crate::machine::profile::Profile;
    use crate::machine::topology::Topology;

    fn coherence() -> (Coherence, u64) {
        let profile = Profile::builtin("genoa-2s").expect("built in");
        let topology = Topology { cores_per_llc: 2, ..profile.topology().clone() };
        let mut coherence = Coherence::new(Costs::new(&profile).expect("complete"), topology);
        let (_, base, _) = coherence.memory.place(&Place::padded("line", 2), 8);
        coherence.cold.push(Default::default());
        coherence.handed.push(Default::default());
        (coherence, base)
    }

    fn request(a: Access, now: u64, want: Want) -> Request {
        Request { a, want, now, not_before: 0 }
    }

    #[test]
    fn a_line_that_has_crossed_sockets_is_promised_on_as_soon_as_one_from_nearby() {
        let between = |cores: [u16; 2]| {
            let (mut coherence, addr) = coherence();
            let at = |core| Access { addr, object: 0, cpu: CpuId(core), core };
            coherence.access(&request(at(0), 0, Want::Store));
            let served = cores.map(|core| {
                coherence.access(&request(at(core), 100_000, Want::Locked));
                let LineState::Record(index) = LineWord(coherence.memory.line_word(addr)).state()
                else {
                    panic!("two cores have it")
                };
                coherence.records.get(index).busy_until
            });
            served[1] - served[0]
        };
        assert_eq!(between([24, 25]), between([1, 0]));
    }

    proptest! {
        /// Steps: load, store, LOCK operation, bulk store or write-back, each by some core.
        #[test]
        fn a_line_has_one_writer_or_any_number_of_readers(
            steps in proptest::collection::vec((0u8..5, 0u16..48, 1u64..200), 1..200)
        ) {
            let (mut coherence, addr) = coherence();
            let mut now = 0;
            for (step, core, pause) in steps {
                now += pause;
                let a = Access { addr, object: 0, cpu: CpuId(core), core };
                match step {
                    0 | 1 => {
                        let served = coherence.access(&request(a, now, Want::Load));
                        prop_assert!(served.done >= now);
                    }
                    2 => {
                        coherence.access(&request(a, now, Want::Locked));
                    }
                    3 => {
                        coherence.evict(addr, None);
                        coherence.take_silently(a);
                    }
                    _ => {
                        coherence.access(&request(a, now, Want::Store));
                    }
                }
                if let LineState::Record(index) = LineWord(coherence.memory.line_word(addr)).state() {
                    let owner = coherence.records.get(index).owner;
                    let sharers = coherence.records.sharers(index);
                    prop_assert!(owner == NONE || sharers.is_empty(), "{owner} beside {sharers:?}");
                }
            }
        }

        /// A read of a line that nobody touched for long costs no less the farther its copy is.
        #[test]
        fn a_remote_copy_is_never_cheaper_than_a_near_one(write in any::<bool>()) {
            let cost = |reader: u16| {
                let (mut coherence, addr) = coherence();
                let at = |core| Access { addr, object: 0, cpu: CpuId(core), core };
                let want = if write { Want::Locked } else { Want::Load };
                coherence.access(&request(at(0), 0, Want::Store));
                coherence.access(&request(at(reader), 100_000, want)).done
            };
            prop_assert!(cost(1) <= cost(2), "core complex, socket");
            prop_assert!(cost(2) <= cost(24), "socket, other socket");
        }
    }
}
