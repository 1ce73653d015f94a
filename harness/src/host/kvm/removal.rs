//! Removal of guest pages from a TD that still has its key id (`tdx_sept_remove_leaf_spte()`).
//!
//! What guest_memfd's close does today, and what a conversion to shared does: for each page, under
//! `mmu_lock` held exclusively, TDH.MEM.RANGE.BLOCK, TDH.MEM.TRACK and a kick of the TD's vCPUs, so
//! that no TLB holds the page, TDH.MEM.PAGE.REMOVE, TDH.PHYMEM.PAGE.WBINVD, a clear by MOVDIR64B where
//! the machine has the partial-write erratum, the strategy's put, and the page is free. The put comes
//! last, because WBINVD holds the page's region shared: a PAMT.REMOVE beside it would meet BUSY.

use core::ops::Range;

use pamt_strategies::locks::RwLock;
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs, Status};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{Pfn, Region};

use super::HostError;
use super::reclaim::CHUNK;
use crate::host::{Host, Td};

impl<P: Platform> Host<P> {
    /// Removes the guest pages of `pages`.
    pub(crate) fn remove_guest(
        &self,
        cpu: &P::Cpu,
        td: u32,
        pages: Range<u64>,
    ) -> Result<(), HostError> {
        let td = &self.tds[td as usize];
        let mut next = pages.start;
        while next < pages.end {
            let stop = (next + CHUNK).min(pages.end);
            let region = td.mapped.page(next).map_or(Region(0), Pfn::region);
            let held = self.mmu_lock.write(cpu, td.id as usize, region);
            let outcome = (next..stop).try_for_each(|gfn| self.remove_page(cpu, td, gfn));
            self.mmu_lock.write_unlock(cpu, held);
            outcome?;
            next = stop;
        }
        Ok(())
    }

    fn remove_page(&self, cpu: &P::Cpu, td: &Td, gfn: u64) -> Result<(), HostError> {
        let Some(page) = td.mapped.page(gfn) else {
            return Ok(());
        };
        P::observe(cpu, Observation::Begin(Op::PageRemoval));
        self.spend(cpu, Op::KvmWork, self.costs.page_work);
        let outcome = self.block_and_remove(cpu, td, gfn, page);
        if outcome.is_ok() {
            P::observe(cpu, Observation::Begin(Op::KvmWork));
            self.pages.free_guest_page(cpu, P::cpu(cpu), page);
            P::observe(cpu, Observation::End(Op::KvmWork));
        }
        P::observe(cpu, Observation::End(Op::PageRemoval));
        outcome
    }

    fn block_and_remove(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        gfn: u64,
        page: Pfn,
    ) -> Result<(), HostError> {
        let at = Regs { rcx: Td::gpa(gfn), rdx: td.tdr().hpa(), ..Regs::default() };
        self.demand(cpu, Leaf::MemRangeBlock, at, page)?;
        let tdr = Regs { rcx: td.tdr().hpa(), ..Regs::default() };
        self.demand(cpu, Leaf::MemTrack, tdr, page)?;
        self.spend(cpu, Op::KvmWork, self.costs.ipi_round_trip);
        self.take(cpu, Leaf::MemPageRemove, at, page, || {
            td.mapped.set(gfn, None);
            self.write_back(cpu, page);
            self.clear_freed(cpu, page);
        })
    }

    /// A leaf that cannot fail while `mmu_lock` is held exclusively and no vCPU runs.
    fn demand(&self, cpu: &P::Cpu, leaf: Leaf, regs: Regs, page: Pfn) -> Result<(), HostError> {
        match self.module.seamcall(cpu, leaf, regs).status() {
            Status::SUCCESS => Ok(()),
            status => Err(HostError::Leaf { leaf, pfn: page.0, status }),
        }
    }
}
