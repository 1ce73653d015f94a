//! Where the copies of a shared line are, as seen from a core.

use super::coherence::Coherence;
use super::topology::Distance;

impl Coherence {
    /// Distance of the nearest clean copy in another core or last-level cache.
    pub(super) fn nearest_copy(&self, index: u32, core: u16) -> Option<Distance> {
        let llcs = self.records.get(index).llcs;
        if !self.records.has_sharers(index) {
            return (llcs != 0).then(|| self.llc_distance(llcs, core));
        }
        let own_llc = self.map.llc_cores(self.map.llc_of(core));
        if self.records.other_shares_in(index, core, own_llc) {
            return Some(Distance::Llc);
        }
        let own = self.map.socket_of(core);
        self.other_sockets(index, core).map(|socket| self.map.socket_distance(own, socket)).min()
    }

    /// Sockets in which another core shares the line.
    fn other_sockets(&self, index: u32, core: u16) -> impl Iterator<Item = u16> + '_ {
        (0..self.map.sockets()).filter(move |socket| {
            self.records.other_shares_in(index, core, self.map.socket_cores(*socket))
        })
    }

    /// Distance of the farthest other core that shares the line; `Llc` when none does.
    pub(super) fn farthest_copy(&self, index: u32, core: u16) -> Distance {
        let own = self.map.socket_of(core);
        let distance = |socket| self.map.socket_distance(own, socket);
        match self.other_sockets(index, core).map(distance).max() {
            Some(Distance::Socket) if self.all_in_llc(index, core) => Distance::Llc,
            Some(distance) => distance,
            None => Distance::Llc,
        }
    }

    /// Whether no core of the socket outside the core's own last-level cache shares the line.
    fn all_in_llc(&self, index: u32, core: u16) -> bool {
        let llc = self.map.llc_cores(self.map.llc_of(core));
        let socket = self.map.socket_cores(self.map.socket_of(core));
        self.records.none_shares_beyond(index, socket, llc)
    }

    /// Distance of the nearest last-level cache of a set from a core.
    pub(super) fn llc_distance(&self, llcs: u64, core: u16) -> Distance {
        let mut nearest = None;
        let mut left = llcs;
        while left != 0 {
            let llc = left.trailing_zeros() as u16;
            left &= left - 1;
            let distance = self.map.llc_distance(llc, core);
            nearest = Some(nearest.map_or(distance, |other: Distance| other.min(distance)));
        }
        nearest.unwrap_or(Distance::Llc)
    }
}

#[cfg(test)]
mod tests {
    use pamt_strategies::platform::Place;
    use pamt_strategies::units::CpuId;
    use proptest::prelude::*;

    use crate::machine::coherence::{Access, Coherence, Want};
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
        (coherence, base)
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
                        let served = coherence.access(a, now, Want::Load, 0);
                        prop_assert!(served.done >= now);
                    }
                    2 => {
                        coherence.access(a, now, Want::Locked, 0);
                    }
                    3 => {
                        coherence.evict(addr, now, None);
                        coherence.take_silently(a);
                    }
                    _ => {
                        coherence.access(a, now, Want::Store, 0);
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
                coherence.access(at(0), 0, Want::Store, 0);
                coherence.access(at(reader), 100_000, want, 0).done
            };
            prop_assert!(cost(1) <= cost(2), "core complex, socket");
            prop_assert!(cost(2) <= cost(24), "socket, other socket");
        }
    }
}
