//! The topology as tables: what the coherence model asks of it on every transaction.

use pamt_strategies::units::{CpuId, NodeId};

use super::line::LineWord;
use super::memory::Memory;
use super::table::Table;
use super::topology::{Distance, MAX_CORES, Topology};

/// Look-ups by core, node, socket and last-level cache; all answers are [`Topology`]'s.
#[derive(Debug)]
pub(super) struct Map {
    llc_of: Table<u16, MAX_CORES>,
    socket_of: Table<u16, MAX_CORES>,
    socket_of_node: Vec<u16>,
    node_of_cpu: Vec<u8>,
    /// By pair of last-level caches; of a pair of equal ones it is `Llc`.
    between_llcs: Vec<Distance>,
    /// For each last-level cache, those at each distance, as bits.
    llcs_at: Vec<[u64; Distance::COUNT]>,
    between_sockets: Vec<Distance>,
    cores: usize,
    llcs: usize,
    sockets: usize,
}

impl Map {
    pub(super) fn new(topology: &Topology) -> Self {
        let cores = topology.cores() as u16;
        let (llcs, sockets) = (topology.llcs(), usize::from(topology.sockets));
        let of_core = |place: usize, of: &dyn Fn(u16) -> u16| {
            if place < usize::from(cores) { of(place as u16) } else { 0 }
        };
        let first_core: Vec<u16> =
            (0..llcs).map(|llc| (usize::from(cores) / llcs * llc) as u16).collect();
        let pairs = |count: usize| (0..count).flat_map(move |a| (0..count).map(move |b| (a, b)));
        let between_llcs: Vec<Distance> = pairs(llcs)
            .map(|(a, b)| {
                if a == b { Distance::Llc } else { topology.distance(first_core[a], first_core[b]) }
            })
            .collect();
        let mut llcs_at = vec![[0; Distance::COUNT]; llcs];
        for ((a, b), distance) in pairs(llcs).zip(&between_llcs) {
            llcs_at[a][*distance as usize] |= 1 << b;
        }
        let between_sockets =
            pairs(sockets).map(|(a, b)| topology.socket_distance(a as u16, b as u16));
        let node_of_cpu =
            (0..topology.cpus()).map(|cpu| topology.node_of(topology.core_of(CpuId(cpu as u16))).0);
        let socket_of_node =
            (0..topology.nodes()).map(|node| topology.socket_of_node(NodeId(node as u8)));
        Self {
            between_llcs,
            llcs_at,
            between_sockets: between_sockets.collect(),
            node_of_cpu: node_of_cpu.collect(),
            socket_of_node: socket_of_node.collect(),
            llc_of: Table::new(|place| of_core(place, &|core| topology.llc_of(core))),
            socket_of: Table::new(|place| of_core(place, &|core| topology.socket_of(core))),
            cores: topology.cores(),
            llcs,
            sockets,
        }
    }

    pub(super) fn cores(&self) -> usize {
        self.cores
    }

    #[inline]
    pub(super) fn llc_of(&self, core: u16) -> u16 {
        self.llc_of[core]
    }

    #[inline]
    pub(super) fn socket_of(&self, core: u16) -> u16 {
        self.socket_of[core]
    }

    pub(super) fn socket_of_node(&self, node: NodeId) -> u16 {
        self.socket_of_node[usize::from(node.0)]
    }

    /// Node of the memory of a line.
    pub(super) fn home(&self, memory: &Memory, object: u32, addr: u64) -> NodeId {
        match LineWord(memory.line_word(addr)).home() {
            Some(node) => NodeId(node),
            None => memory.home(object, addr, self.socket_of_node.len() as u64, &self.node_of_cpu),
        }
    }

    #[inline]
    pub(super) fn socket_distance(&self, a: u16, b: u16) -> Distance {
        self.between_sockets[usize::from(a) * self.sockets + usize::from(b)]
    }

    #[inline]
    pub(super) fn distance(&self, a: u16, b: u16) -> Distance {
        if a == b { Distance::Core } else { self.between(a, b) }
    }

    /// Distance of the last-level caches of two cores; `Llc` when it is the same one.
    #[inline]
    pub(super) fn between(&self, a: u16, b: u16) -> Distance {
        self.between_llcs[usize::from(self.llc_of(a)) * self.llcs + usize::from(self.llc_of(b))]
    }

    /// Distance of the nearest last-level cache of a set from a core; `Llc` for the core's own.
    #[inline]
    pub(super) fn nearest(&self, llcs: u64, core: u16) -> Option<Distance> {
        let at = &self.llcs_at[usize::from(self.llc_of(core))];
        let there = |distance: &Distance| at[*distance as usize] & llcs != 0;
        [Distance::Llc, Distance::Socket, Distance::Near, Distance::Far].into_iter().find(there)
    }

    /// Distance of the farthest one; `Llc` for an empty set.
    #[inline]
    pub(super) fn farthest(&self, llcs: u64, core: u16) -> Distance {
        let at = &self.llcs_at[usize::from(self.llc_of(core))];
        let there = |distance: &Distance| at[*distance as usize] & llcs != 0;
        let farthest = [Distance::Far, Distance::Near, Distance::Socket].into_iter().find(there);
        farthest.unwrap_or(Distance::Llc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::topology::LlcScope;

    #[test]
    fn tables_answer_as_the_topology_does() {
        let topology = Topology {
            sockets: 4,
            socket_groups: 2,
            dies_per_socket: 2,
            llcs_per_die: 2,
            cores_per_llc: 5,
            threads_per_core: 2,
            nodes_per_socket: 2,
            llc: LlcScope::Ccx,
        };
        let map = Map::new(&topology);
        let cores = topology.cores() as u16;
        for a in 0..cores {
            assert_eq!(map.llc_of(a), topology.llc_of(a));
            assert_eq!(map.socket_of(a), topology.socket_of(a));
            for b in 0..cores {
                assert_eq!(map.distance(a, b), topology.distance(a, b), "{a} to {b}");
            }
        }
        let all = u64::MAX >> (64 - topology.llcs());
        assert_eq!(map.nearest(all, 7), Some(Distance::Llc));
        assert_eq!(map.farthest(all, 7), Distance::Far);
        assert_eq!(map.nearest(0, 7), None);
        let elsewhere = all & !(1 << map.llc_of(7));
        assert_eq!(map.nearest(elsewhere, 7), Some(Distance::Socket));
        assert_eq!(map.farthest(1 << map.llc_of(0), 0), Distance::Llc);
    }
}
