//! 2 MiB mappings: made by a fault where guest_memfd has a folio of that size, taken away whole.
//!
//! The module needs no pair for them and keeps no page_count; it refuses a region that has a pair or
//! holds backing pages (PAGE_METADATA_INCORRECT). KVM's `tdx_pamt_get()` and `tdx_pamt_put()` do
//! nothing at this level (upstream, RFC v5). A refused folio is mapped by 4 KiB pages instead.

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::Pfn;

use super::HostError;
use super::fault::Attempt;
use crate::host::page_size::{LARGE_BYTES, LARGE_PAGES};
use crate::host::td::Entry;
use crate::host::{Host, Td, Vcpu};

/// Level of a 2 MiB entry, as a GPA operand carries it.
pub(super) const LARGE: u64 = 1;

impl<P: Platform> Host<P> {
    /// Under `mmu_lock`, shared: maps the folio that begins with `first` at the stretch of `gfn`.
    pub(super) fn map_large(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        (gfn, first): (u64, Pfn),
    ) -> Result<Attempt, HostError> {
        let at = gfn / LARGE_PAGES;
        if self.link_tables(cpu, vcpu, td, gfn, LARGE + 1)? == Attempt::Again {
            return Ok(Attempt::Again);
        }
        let entries = td.tables_of(LARGE);
        match entries.freeze(at) {
            Entry::Won => {}
            Entry::Leaf => return Ok(Attempt::Mapped),
            Entry::Frozen | Entry::Present => return Ok(Attempt::Again),
        }
        if let Err(error) = self.strategy.before_2m(cpu, &self.env(), first.region()) {
            self.books.put_failed::<P>(cpu, first, &error);
        }
        let gpa = Td::gpa(at * LARGE_PAGES) | LARGE;
        let regs = Regs { rcx: gpa, rdx: td.tdr().hpa(), r8: first.hpa(), ..Regs::default() };
        let status = self.module.seamcall(cpu, Leaf::MemPageAug, regs).status();
        if !status.is_error() {
            entries.set_leaf(at, first);
            td.folios.map(at, LARGE_PAGES);
            return Ok(Attempt::Mapped);
        }
        entries.set(at, None);
        if status.is(StatusName::OperandBusy) {
            Ok(Attempt::Again)
        } else if status.is(StatusName::PageMetadataIncorrect) {
            let page = Pfn(first.0 + gfn % LARGE_PAGES);
            self.map_small(cpu, vcpu, td, (gfn, page))
        } else {
            Err(HostError::Leaf { leaf: Leaf::MemPageAug, pfn: first.0, status })
        }
    }

    /// Under `mmu_lock`, exclusive: removes the mapping of stretch `at` while the TD runs. WBINVD is a
    /// call for each 4 KiB page.
    pub(super) fn remove_large(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        at: u64,
        first: Pfn,
    ) -> Result<(), HostError> {
        P::observe(cpu, Observation::Begin(Op::PageRemoval));
        self.spend(cpu, Op::KvmWork, self.costs.page_work);
        let entry = Td::gpa(at * LARGE_PAGES) | LARGE;
        let outcome = self.block_and_track(cpu, td, entry, first).and_then(|()| {
            let regs = Regs { rcx: entry, rdx: td.tdr().hpa(), ..Regs::default() };
            self.demand(cpu, Leaf::MemPageRemove, regs, first)
        });
        if outcome.is_ok() {
            (0..LARGE_PAGES).for_each(|page| self.write_back(cpu, Pfn(first.0 + page)));
            self.unmapped_large(cpu, td, at, first);
        }
        P::observe(cpu, Observation::End(Op::PageRemoval));
        outcome
    }

    /// Reclaims the mapping of stretch `at` after the key id was released.
    pub(super) fn reclaim_large(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        at: u64,
        first: Pfn,
    ) -> Result<(), HostError> {
        P::observe(cpu, Observation::Begin(Op::PageReclaim));
        self.spend(cpu, Op::KvmWork, self.costs.page_work);
        let regs = Regs { rcx: first.hpa(), ..Regs::default() };
        let outcome = self.demand(cpu, Leaf::PhymemPageReclaim, regs, first);
        if outcome.is_ok() {
            self.unmapped_large(cpu, td, at, first);
        }
        P::observe(cpu, Observation::End(Op::PageReclaim));
        outcome
    }

    fn unmapped_large(&self, cpu: &P::Cpu, td: &Td, at: u64, first: Pfn) {
        td.tables_of(LARGE).set(at, None);
        self.clear_freed(cpu, first, LARGE_BYTES);
        self.free_guest(cpu, td, (at * LARGE_PAGES, first, LARGE_PAGES));
    }
}
