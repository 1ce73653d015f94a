//! The shape of this host, as the simulator draws machines: so many of each in each.

use std::collections::{BTreeMap, BTreeSet};

use pamt_sim::machine::{LlcScope, Topology};
use pamt_strategies::platform::native::HostCpu;

/// The shape, and what of the host does not fit it.
pub(super) struct Shape {
    pub(super) topology: Topology,
    pub(super) oddities: Vec<String>,
}

/// The shape of these CPUs. A host of unequal parts (some cores offline, or not allowed) becomes the
/// regular machine of its smallest part.
pub(super) fn shape(cpus: &[HostCpu]) -> Shape {
    let mut oddities = Vec::new();
    let mut least = |what: &str, counts: Vec<usize>| {
        let (low, high) = (counts.iter().min().copied(), counts.iter().max().copied());
        if low != high {
            oddities.push(format!(
                "{what} differ ({} to {}): the profile has the smallest number everywhere",
                low.unwrap_or(0),
                high.unwrap_or(0)
            ));
        }
        low.unwrap_or(1).max(1) as u16
    };
    let sockets: BTreeSet<u16> = cpus.iter().map(|cpu| cpu.socket).collect();
    let threads = least("threads of a core", group(cpus, |c| c.place.core, |c| c.number));
    let cores =
        least("cores under a last-level cache", group(cpus, |c| c.place.llc, |c| c.place.core));
    let llcs = least("last-level caches of a socket", group(cpus, |c| c.socket, |c| c.place.llc));
    let nodes = least("memory nodes of a socket", group(cpus, |c| c.socket, |c| c.place.node));
    let nodes = if (llcs * cores).is_multiple_of(nodes) { nodes } else { 1 };
    let topology = Topology {
        sockets: sockets.len().max(1) as u16,
        llcs_per_die: llcs,
        cores_per_llc: cores,
        threads_per_core: threads,
        nodes_per_socket: nodes,
        llc: if llcs > 1 { LlcScope::Ccx } else { LlcScope::Socket },
        ..Topology::default()
    };
    Shape { topology, oddities }
}

/// How many different parts each whole has.
fn group<W: Ord, P: Ord>(
    cpus: &[HostCpu],
    whole: impl Fn(&HostCpu) -> W,
    part: impl Fn(&HostCpu) -> P,
) -> Vec<usize> {
    let mut groups: BTreeMap<W, BTreeSet<P>> = BTreeMap::new();
    for cpu in cpus {
        groups.entry(whole(cpu)).or_default().insert(part(cpu));
    }
    groups.values().map(BTreeSet::len).collect()
}

#[cfg(test)]
mod tests {
    use pamt_strategies::measure::CpuPlace;

    use super::*;

    fn cpu(number: u16, core: u16, llc: u16, socket: u16) -> HostCpu {
        let place = CpuPlace { core, llc, node: socket as u8 };
        HostCpu { number: usize::from(number), place, socket }
    }

    #[test]
    fn a_regular_host_is_itself() {
        // 2 sockets x 2 caches x 4 cores x 2 threads.
        let cpus: Vec<_> = (0..32).map(|n| cpu(n, n % 16, n % 16 / 4 * 4, n % 16 / 8)).collect();
        let shape = shape(&cpus);
        let t = shape.topology;
        let parts = (t.sockets, t.llcs_per_die, t.cores_per_llc, t.threads_per_core);
        assert_eq!((parts, t.nodes_per_socket, t.llc), ((2, 2, 4, 2), 1, LlcScope::Ccx));
        assert!(shape.oddities.is_empty());
    }

    #[test]
    fn an_odd_host_becomes_its_smallest_part_and_says_so() {
        let cpus = [cpu(0, 0, 0, 0), cpu(1, 1, 0, 0), cpu(2, 2, 2, 1)];
        let shape = shape(&cpus);
        assert_eq!((shape.topology.sockets, shape.topology.cores_per_llc), (2, 1));
        assert!(
            shape.oddities[0].contains("cores under a last-level cache"),
            "{:?}",
            shape.oddities
        );
    }
}
