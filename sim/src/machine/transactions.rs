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
use super::coherence::{Coherence, Request, Served, Want};
use super::costs::Transfer;
use super::in_flight::Leaving;
use super::line::NONE;
use super::tally::Met;
use super::topology::Distance;

impl Coherence {
    /// An access to a line with a record.
    #[inline(always)]
    pub(super) fn access_record(&mut self, index: u32, r: Request) -> Served {
        let record = self.records.get_mut(index);
        let load = r.want == Want::Load;
        if record.owner == r.a.core {
            if load || r.now >= record.ready_at {
                record.count(&r, Met::L1, &mut self.rows);
                record.stamp = self.fills[r.a.core];
                return Served::hit(record.owner_hit(&r, self.costs.lock));
            }
        } else if load && record.shares(r.a.core) {
            record.count(&r, Met::L1, &mut self.rows);
            let arrives = self.in_flight.arrives(r.a.core, line_of(r.a.addr));
            return Served::hit(r.now.max(r.not_before).max(arrives));
        }
        if let Some(done) = self.in_flight.leaving_mut(r.a.cpu).late_hit(&r) {
            record.count(&r, Met::L1, &mut self.rows);
            return Served::hit(done);
        }
        match (record.owner == NONE, load) {
            (false, _) => self.transfer_from_owner(index, r),
            (true, true) => self.fetch(index, r),
            (true, false) => self.take(index, r),
        }
    }

    /// The line comes from the core that owns it: another one, or this one before it has it. After a
    /// load both share it, and a modified one is written back; else the owner loses it.
    #[inline(always)]
    fn transfer_from_owner(&mut self, index: u32, r: Request) -> Served {
        let record = self.records.get_mut(index);
        let (load, owner, dirty) = (r.want == Want::Load, record.owner, record.dirty);
        let distance = self.map.between(owner, r.a.core);
        let remote = distance >= Distance::Near;
        let costs = match (load, dirty) {
            (true, true) => &self.costs.hitm,
            (true, false) => &self.costs.forward,
            (false, _) => &self.costs.own,
        };
        let is_home = self.map.socket_of(r.a.core) == u16::from(record.home);
        let mut transfer = self.costs.inside_socket(costs[distance as usize], distance, is_home);
        if load && dirty && remote && is_home {
            transfer.occupancy += self.costs.home_reader_extra;
        }
        if !load && self.in_flight.leaving_mut(r.a.cpu).asks_at_once(&r, self.costs.at_once) {
            transfer = transfer.free_sooner(self.costs.adjacent_saving);
        }
        self.handed[r.a.object as usize].count(owner, r.a.core, self.map.cores());
        // The line leaves its owner when that has done what it took the line for.
        let leaves = record.leaves_at.saturating_sub(transfer.occupancy);
        let free = record.busy_until.max(if remote { 0 } else { leaves });
        let start = free.max(r.now + transfer.inbound);
        if record.taker != NONE {
            let line = line_of(r.a.addr);
            let kept = draw(line ^ (start + transfer.occupancy)) < self.keeps_below;
            // Chance decides: the host would foresee no branch.
            let more = self.costs.lock & u64::from(kept).wrapping_neg();
            let departs = record.free_at + more;
            *self.in_flight.leaving_mut(CpuId(record.taker)) =
                Leaving { line, ready_at: record.ready_at, free_at: record.free_at, departs };
        }
        if load {
            record.share_with(r.a.core, self.map.llc_of(r.a.core), self.map.llc_of(owner));
        } else {
            record.stats.invalidations += 1;
            (record.owner, record.dirty, record.llcs) = (r.a.core, true, 0);
        }
        record.count(&r, Met::of_copy(dirty, remote), &mut self.rows);
        let fills = &mut self.fills[r.a.core];
        let done = record.settle(&r, &transfer, start, fills, &self.costs);
        if load {
            self.in_flight.fetch(r.a.cpu, line_of(r.a.addr), done);
        }
        Served { done, hit: false, wakes: record.wakes(index, load) }
    }

    /// A load that misses a line without an owner. Leaves the core sharing the line, or owning it when
    /// nobody else has it.
    #[inline(always)]
    fn fetch(&mut self, index: u32, r: Request) -> Served {
        let own_llc = self.map.llc_of(r.a.core);
        let record = self.records.get_mut(index);
        let copies = if record.sharers > 0 { record.sharer_llcs } else { record.llcs };
        let (transfer, met) = if record.llcs >> own_llc & 1 != 0 {
            record.share(r.a.core, own_llc);
            (self.costs.llc_hit, Met::Llc)
        } else if let Some(distance) = self.map.nearest(copies, r.a.core) {
            record.llcs |= 1 << own_llc;
            record.share(r.a.core, own_llc);
            let forward = self.costs.forward[distance as usize];
            let met = Met::of_copy(false, distance >= Distance::Near);
            let is_home = self.map.socket_of(r.a.core) == u16::from(record.home);
            (self.costs.inside_socket(forward, distance, is_home), met)
        } else {
            (record.owner, record.dirty) = (r.a.core, false);
            self.memory_transfer(r.a)
        };
        let done = self.settle_unowned(index, &r, &transfer, met);
        self.in_flight.fetch(r.a.cpu, line_of(r.a.addr), done);
        Served::miss(done)
    }

    /// A store or LOCK operation on a line without an owner. Leaves the core the only one that has it.
    #[inline(always)]
    fn take(&mut self, index: u32, r: Request) -> Served {
        let record = self.records.get_mut(index);
        let (core, llcs, sharer_llcs) = (r.a.core, record.llcs, record.sharer_llcs);
        let (shared_here, others) = (record.shares(core), record.other_sharers(core));
        record.stats.invalidations += u64::from(others);
        record.own(core, true);
        let wakes = record.wakes(index, false);
        let (transfer, met) = if shared_here || others > 0 {
            let distance = self.map.farthest(sharer_llcs, core);
            let upgrade = self.costs.upgrade[distance as usize];
            let clean = Met::of_copy(false, distance >= Distance::Near);
            let met = if shared_here { Met::SharedHere } else { clean };
            let is_home = self.map.socket_of(core) == u16::from(record.home);
            (self.costs.inside_socket(upgrade, distance, is_home), met)
        } else if llcs >> self.map.llc_of(core) & 1 != 0 {
            (self.costs.llc_hit, Met::Llc)
        } else if let Some(distance) = self.map.nearest(llcs, core) {
            (self.costs.forward[distance as usize], Met::Llc)
        } else {
            self.memory_transfer(r.a)
        };
        let done = self.settle_unowned(index, &r, &transfer, met);
        Served { done, hit: false, wakes }
    }

    #[inline(always)]
    fn settle_unowned(&mut self, index: u32, r: &Request, transfer: &Transfer, met: Met) -> u64 {
        let record = self.records.get_mut(index);
        let start = record.busy_until.max(r.now + transfer.inbound);
        record.count(r, met, &mut self.rows);
        let fills = &mut self.fills[r.a.core];
        record.settle(r, transfer, start, fills, &self.costs)
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
        coherence_of(&profile, topology)
    }

    fn coherence_of(profile: &Profile, topology: Topology) -> (Coherence, u64) {
        let mut coherence = Coherence::new(Costs::new(profile).expect("complete"), topology);
        let (_, base, _) = coherence.memory.place(&Place::padded("line", 2), 8);
        coherence.cold.push(Default::default());
        coherence.handed.push(Default::default());
        (coherence, base)
    }

    fn request(a: Access, now: u64, want: Want) -> Request {
        Request { a, want, now, not_before: 0 }
    }

    /// Between two LOCK operations of core 0: `cores` cores do nothing else, on one line, on Skylake-SP
    /// (which no core keeps for one operation more).
    fn between_operations(cores: u16) -> (u64, Costs) {
        let profile = Profile::builtin("skx-8s").expect("built in");
        let (mut coherence, addr) = coherence_of(&profile, profile.topology().clone());
        let mut next = vec![0; usize::from(cores)];
        let mut done = [0; 2];
        while next[0] < 100_000 {
            let core = (0..cores).min_by_key(|core| next[usize::from(*core)]).expect("some");
            let a = Access { addr, object: 0, cpu: CpuId(core), core };
            let now = next[usize::from(core)];
            let served = coherence.access(request(a, now, Want::Locked));
            next[usize::from(core)] = served.done + coherence.costs.lock;
            if core == 0 {
                done = [done[1], served.done];
            }
        }
        (done[1] - done[0], coherence.costs)
    }

    #[test]
    fn a_core_that_asks_again_at_once_waits_for_a_whole_transfer() {
        let (ns, costs) = between_operations(2);
        assert!(costs.adjacent_saving > 0);
        assert_eq!(ns, costs.clock.cycles(47.5).0, "published, with the operation itself");
    }

    #[test]
    fn a_line_that_all_ask_for_at_once_is_free_sooner() {
        let (ns, costs) = between_operations(8);
        assert_eq!(ns, 8 * costs.clock.cycles(22.3).0, "published for many cores");
    }

    #[test]
    fn a_line_that_has_crossed_sockets_is_promised_on_as_soon_as_one_from_nearby() {
        let between = |cores: [u16; 2]| {
            let (mut coherence, addr) = coherence();
            let at = |core| Access { addr, object: 0, cpu: CpuId(core), core };
            coherence.access(request(at(0), 0, Want::Store));
            let served = cores.map(|core| {
                coherence.access(request(at(core), 100_000, Want::Locked));
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
                        let served = coherence.access(request(a, now, Want::Load));
                        prop_assert!(served.done >= now);
                    }
                    2 => {
                        coherence.access(request(a, now, Want::Locked));
                    }
                    3 => {
                        coherence.evict(addr, None);
                        coherence.take_silently(a);
                    }
                    _ => {
                        coherence.access(request(a, now, Want::Store));
                    }
                }
                if let LineState::Record(index) = LineWord(coherence.memory.line_word(addr)).state() {
                    let owner = coherence.records.get(index).owner;
                    let sharers = coherence.records.get(index).sharers();
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
                coherence.access(request(at(0), 0, Want::Store));
                coherence.access(request(at(reader), 100_000, want)).done
            };
            prop_assert!(cost(1) <= cost(2), "core complex, socket");
            prop_assert!(cost(2) <= cost(24), "socket, other socket");
        }
    }
}
