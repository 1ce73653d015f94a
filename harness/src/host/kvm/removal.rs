//! Removal of guest pages from a TD that still has its key id (`tdx_sept_remove_leaf_spte()`).
//!
//! What guest_memfd's close does today, and what a conversion to shared does: for each page, under
//! `mmu_lock` held exclusively, TDH.MEM.RANGE.BLOCK, TDH.MEM.TRACK and a kick of the TD's vCPUs, so
//! that no TLB holds the page, TDH.MEM.PAGE.REMOVE, TDH.PHYMEM.PAGE.WBINVD, a clear by MOVDIR64B where
//! the machine has the partial-write erratum, the strategy's put, and the page is free. The put comes
//! last, because WBINVD holds the page's region shared: a PAMT.REMOVE beside it would meet BUSY.

use core::ops::Range;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use super::HostError;
use super::reclaim::whole_leaf;
use crate::host::{Host, Td};

impl<P: Platform> Host<P> {
    /// Removes the guest pages of `pages`; a 2 MiB mapping that is to go in part was split before.
    pub(crate) fn remove_guest(
        &self,
        cpu: &P::Cpu,
        td: u32,
        pages: Range<u64>,
    ) -> Result<(), HostError> {
        let td = &self.tds[td as usize];
        self.in_chunks(cpu, td, pages, |chunk| match whole_leaf(td, &chunk) {
            Some((at, first)) => self.remove_large(cpu, td, at, first),
            None => chunk.into_iter().try_for_each(|gfn| self.remove_page(cpu, td, gfn)),
        })
    }

    fn remove_page(&self, cpu: &P::Cpu, td: &Td, gfn: u64) -> Result<(), HostError> {
        let Some(page) = td.mapped.page(gfn) else {
            return Ok(());
        };
        P::observe(cpu, Observation::Begin(Op::PageRemoval));
        self.spend(cpu, Op::KvmWork, self.costs.page_work);
        let outcome = self.block_and_remove(cpu, td, gfn, page);
        if outcome.is_ok() {
            self.free_guest(cpu, td, (gfn, page, 1));
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
        self.block_and_track(cpu, td, Td::gpa(gfn), page)?;
        let at = Regs { rcx: Td::gpa(gfn), rdx: td.tdr().hpa(), ..Regs::default() };
        self.take(cpu, Leaf::MemPageRemove, at, page, || {
            td.mapped.set(gfn, None);
            self.write_back(cpu, page);
            self.clear_freed(cpu, page, PAGE_BYTES);
        })
    }

    /// No TLB holds what the Secure EPT entry `entry` (address and level) maps when this returns.
    pub(super) fn block_and_track(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        entry: u64,
        page: Pfn,
    ) -> Result<(), HostError> {
        let at = Regs { rcx: entry, rdx: td.tdr().hpa(), ..Regs::default() };
        self.demand(cpu, Leaf::MemRangeBlock, at, page)?;
        let tdr = Regs { rcx: td.tdr().hpa(), ..Regs::default() };
        self.demand(cpu, Leaf::MemTrack, tdr, page)?;
        self.spend(cpu, Op::KvmWork, self.costs.ipi_round_trip);
        Ok(())
    }
}
