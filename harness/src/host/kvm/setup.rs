//! States that runs start from, reached by the strategy's own code while nothing takes time
//! ([`Platform::prepare`]).

use pamt_strategies::platform::{Platform, Stream};
use pamt_strategies::units::CpuId;

use super::HostError;
use crate::host::{Host, Td, Vcpu};

/// 4 KiB pages that a vCPU faults before it goes on to its next stretch: 2 MiB.
pub(crate) const STRETCH: u64 = 512;

/// The guest pages that vCPU `vcpu` of `vcpus` faults, in its order: firmware accepts memory in
/// stretches of 2 MiB, dealt to the vCPUs in turn.
pub(crate) fn stretches(pages: u64, vcpu: u64, vcpus: u64) -> impl Iterator<Item = u64> {
    (vcpu * STRETCH..pages)
        .step_by((vcpus * STRETCH) as usize)
        .flat_map(move |start| start..(start + STRETCH).min(pages))
}

impl<P: Platform> Host<P> {
    /// Maps all guest pages of `tds`. The vCPUs fault in turn, so that the page allocator sees what
    /// it sees when TDs boot side by side: CPUs of all of them that take batches from one zone.
    pub(crate) fn populate(&self, cpu: &P::Cpu, tds: &[Td]) -> Result<(), HostError> {
        let vcpus = u64::from(self.plan.vcpus);
        let mut threads: Vec<_> = tds
            .iter()
            .flat_map(|td| {
                td.cpus.iter().enumerate().map(move |(index, on)| {
                    let order = stretches(td.pages(), index as u64, vcpus);
                    (Vcpu::new(td.id, *on), order)
                })
            })
            .collect();
        while !threads.is_empty() {
            let at = (P::random(cpu, Stream::Load) % threads.len() as u64) as usize;
            let (vcpu, order) = &mut threads[at];
            match order.next() {
                Some(gfn) if self.tds[vcpu.td as usize].is_mapped(gfn) => {}
                Some(gfn) => self.map(cpu, vcpu, gfn)?,
                None => {
                    self.retire(cpu, vcpu);
                    drop(threads.swap_remove(at));
                }
            }
        }
        Ok(())
    }

    /// Brings all TDs to TEARDOWN state: their pages may be reclaimed.
    pub(crate) fn release_all_keys(&self, cpu: &P::Cpu) -> Result<(), HostError> {
        self.tds.iter().try_for_each(|td| self.release_keys(cpu, td.id))
    }

    /// The vCPU threads of all TDs: TD, index, CPU.
    pub(crate) fn vcpus(&self) -> impl Iterator<Item = (&Td, u64, CpuId)> {
        self.tds.iter().flat_map(|td| {
            td.cpus.iter().enumerate().map(move |(index, on)| (td, index as u64, *on))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_vcpus_of_a_td_fault_each_page_once(pages in 1_u64..5000, vcpus in 1_u64..9) {
            let mut seen = BTreeSet::new();
            for vcpu in 0..vcpus {
                for gfn in stretches(pages, vcpu, vcpus) {
                    prop_assert!(seen.insert(gfn));
                }
            }
            prop_assert_eq!(seen.len() as u64, pages);
        }
    }
}
