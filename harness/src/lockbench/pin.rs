//! In which order threads are put on CPUs.

use pamt_sim::machine::Topology;
use pamt_strategies::units::CpuId;

/// Order of CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PinOrder {
    /// Both threads of a core, then the next core: lockhammer's order in the published data.
    SmtFirst,
    /// One thread on each core, socket by socket, then the siblings.
    #[default]
    CoresFirst,
    /// Round robin over the last-level caches.
    Scatter,
    /// As listed.
    List(Vec<CpuId>),
}

impl PinOrder {
    /// All CPUs of a machine in this order; a list as it stands.
    #[must_use]
    pub fn cpus(&self, topology: &Topology) -> Vec<CpuId> {
        let cores = topology.cores() as u16;
        let threads = topology.threads_per_core;
        match self {
            Self::SmtFirst => (0..cores)
                .flat_map(|core| (0..threads).map(move |thread| topology.cpu_of(core, thread)))
                .collect(),
            Self::CoresFirst => (0..topology.cpus() as u16).map(CpuId).collect(),
            Self::Scatter => {
                let per_llc = cores / topology.llcs() as u16;
                let spread =
                    |i: u16| (i % topology.llcs() as u16) * per_llc + i / topology.llcs() as u16;
                (0..threads)
                    .flat_map(|thread| (0..cores).map(move |i| topology.cpu_of(spread(i), thread)))
                    .collect()
            }
            Self::List(cpus) => cpus.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_visit_each_cpu_once() {
        let topology = Topology::simple(2, 3, 2);
        for order in [PinOrder::SmtFirst, PinOrder::CoresFirst, PinOrder::Scatter] {
            let mut cpus = order.cpus(&topology);
            cpus.sort_unstable();
            assert_eq!(cpus, (0..12).map(CpuId).collect::<Vec<_>>(), "{order:?}");
        }
        assert_eq!(PinOrder::SmtFirst.cpus(&topology)[..3], [CpuId(0), CpuId(6), CpuId(1)]);
        assert_eq!(PinOrder::Scatter.cpus(&topology)[..3], [CpuId(0), CpuId(3), CpuId(1)]);
    }
}
