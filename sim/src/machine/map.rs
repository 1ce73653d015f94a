//! The topology as tables: what the coherence model asks of it on every transaction.

use pamt_strategies::units::{CpuId, NodeId};

use super::topology::{Distance, Topology};

/// Look-ups by core, node, socket and last-level cache; all answers are [`Topology`]'s.
#[derive(Debug)]
pub(super) struct Map {
    llc_of: Vec<u16>,
    socket_of: Vec<u16>,
    socket_of_node: Vec<u16>,
    node_of_cpu: Vec<u8>,
    /// By pair of last-level caches; of a pair of equal ones it is `Llc`.
    between_llcs: Vec<Distance>,
    between_sockets: Vec<Distance>,
    /// Cores of each last-level cache and of each socket, as bits.
    llc_cores: Vec<u64>,
    socket_cores: Vec<u64>,
    llcs: usize,
    sockets: usize,
    words: usize,
}

impl Map {
    pub(super) fn new(topology: &Topology) -> Self {
        let cores = topology.cores() as u16;
        let (llcs, sockets) = (topology.llcs(), usize::from(topology.sockets));
        let llc_of: Vec<u16> = (0..cores).map(|core| topology.llc_of(core)).collect();
        let socket_of: Vec<u16> = (0..cores).map(|core| topology.socket_of(core)).collect();
        let first_core: Vec<u16> =
            (0..llcs).map(|llc| (usize::from(cores) / llcs * llc) as u16).collect();
        let pairs = |count: usize| (0..count).flat_map(move |a| (0..count).map(move |b| (a, b)));
        let between_llcs = pairs(llcs).map(|(a, b)| {
            if a == b { Distance::Llc } else { topology.distance(first_core[a], first_core[b]) }
        });
        let between_sockets =
            pairs(sockets).map(|(a, b)| topology.socket_distance(a as u16, b as u16));
        let node_of_cpu =
            (0..topology.cpus()).map(|cpu| topology.node_of(topology.core_of(CpuId(cpu as u16))).0);
        let words = usize::from(cores).div_ceil(64);
        let socket_of_node =
            (0..topology.nodes()).map(|node| topology.socket_of_node(NodeId(node as u8)));
        Self {
            between_llcs: between_llcs.collect(),
            between_sockets: between_sockets.collect(),
            node_of_cpu: node_of_cpu.collect(),
            socket_of_node: socket_of_node.collect(),
            llc_cores: sets(&llc_of, llcs, words),
            socket_cores: sets(&socket_of, sockets, words),
            llc_of,
            socket_of,
            llcs,
            sockets,
            words,
        }
    }

    pub(super) fn llc_of(&self, core: u16) -> u16 {
        self.llc_of[usize::from(core)]
    }

    pub(super) fn socket_of(&self, core: u16) -> u16 {
        self.socket_of[usize::from(core)]
    }

    pub(super) fn socket_of_node(&self, node: NodeId) -> u16 {
        self.socket_of_node[usize::from(node.0)]
    }

    pub(super) fn node_of_cpu(&self) -> &[u8] {
        &self.node_of_cpu
    }

    pub(super) fn nodes(&self) -> u64 {
        self.socket_of_node.len() as u64
    }

    pub(super) fn socket_distance(&self, a: u16, b: u16) -> Distance {
        self.between_sockets[usize::from(a) * self.sockets + usize::from(b)]
    }

    pub(super) fn distance(&self, a: u16, b: u16) -> Distance {
        if a == b { Distance::Core } else { self.llc_distance(self.llc_of(a), b) }
    }

    /// Distance of a last-level cache from a core; `Llc` for the core's own.
    pub(super) fn llc_distance(&self, llc: u16, core: u16) -> Distance {
        self.between_llcs[usize::from(llc) * self.llcs + usize::from(self.llc_of(core))]
    }

    /// Cores of a last-level cache.
    pub(super) fn llc_cores(&self, llc: u16) -> &[u64] {
        &self.llc_cores[usize::from(llc) * self.words..][..self.words]
    }

    /// Cores of a socket.
    pub(super) fn socket_cores(&self, socket: u16) -> &[u64] {
        &self.socket_cores[usize::from(socket) * self.words..][..self.words]
    }

    pub(super) fn sockets(&self) -> u16 {
        self.sockets as u16
    }
}

/// A bit set of cores for each group.
fn sets(group_of: &[u16], groups: usize, words: usize) -> Vec<u64> {
    let mut sets = vec![0; groups * words];
    for (core, group) in group_of.iter().enumerate() {
        sets[usize::from(*group) * words + core / 64] |= 1 << (core % 64);
    }
    sets
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
            let in_set = |set: &[u64]| set[usize::from(a / 64)] >> (a % 64) & 1 != 0;
            assert!(in_set(map.llc_cores(map.llc_of(a))));
            assert!(in_set(map.socket_cores(map.socket_of(a))));
        }
        let of_socket: u32 = map.socket_cores(3).iter().map(|w| w.count_ones()).sum();
        assert_eq!(of_socket, 20);
    }
}
