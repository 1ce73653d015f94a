//! Reclaim of a TD's pages after its key id is released (TEARDOWN state).
//!
//! For each page TDH.PHYMEM.PAGE.RECLAIM, a clear by MOVDIR64B where the machine has the partial-write
//! erratum, the strategy's put, and the page goes back to the allocator. `mmu_lock` is held
//! exclusively and offered now and then, as `cond_resched_rwlock_write()` does, so several threads of
//! one TD take turns. Guest pages come first, then tables, then control pages with the TDR last, whose
//! cache lines are written back under the module's own key.

use core::ops::Range;

use pamt_strategies::locks::RwLock;
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs};
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::{PAGE_BYTES, Pfn, Region};

use super::HostError;
use super::large::LARGE;
use crate::host::page_size::LARGE_PAGES;
use crate::host::plan::Clear;
use crate::host::td::Entries;
use crate::host::{Host, Td};

/// Pages that are reclaimed before `mmu_lock` is offered to others: 2 MiB of guest memory.
const CHUNK: u64 = LARGE_PAGES;

impl<P: Platform> Host<P> {
    /// Reclaims the guest pages of `pages`.
    pub(crate) fn reclaim_guest(
        &self,
        cpu: &P::Cpu,
        td: u32,
        pages: Range<u64>,
    ) -> Result<(), HostError> {
        let td = &self.tds[td as usize];
        self.in_chunks(cpu, td, pages, |chunk| match whole_leaf(td, &chunk) {
            Some((at, first)) => self.reclaim_large(cpu, td, at, first),
            None => chunk.into_iter().try_for_each(|gfn| {
                self.reclaim_page(cpu, &td.mapped, gfn, false, |page| {
                    self.free_guest(cpu, td, (gfn, page, 1));
                })
            }),
        })
    }

    /// Does `body` for each 2 MiB of `pages`, and offers `mmu_lock` in between.
    pub(super) fn in_chunks(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        pages: Range<u64>,
        body: impl Fn(Range<u64>) -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let mut next = pages.start;
        while next < pages.end {
            let stop = (next / CHUNK * CHUNK + CHUNK).min(pages.end);
            let region = td.mapped.page(next).map_or(Region(0), Pfn::region);
            let held = self.mmu_lock.write(cpu, td.id as usize, region);
            let outcome = body(next..stop);
            self.mmu_lock.write_unlock(cpu, held);
            outcome?;
            next = stop;
        }
        Ok(())
    }

    /// Reclaims the tables and control pages of a TD that has no guest pages left.
    pub(crate) fn reclaim_td(&self, cpu: &P::Cpu, td: u32) -> Result<(), HostError> {
        let td = &self.tds[td as usize];
        for entries in &td.tables {
            self.reclaim_kernel(cpu, entries, 0..entries.len(), false)?;
        }
        self.reclaim_kernel(cpu, &td.vcpus, 0..td.vcpus.len(), false)?;
        self.reclaim_kernel(cpu, &td.control, 1..td.control.len(), false)?;
        self.reclaim_kernel(cpu, &td.control, 0..1, true)?;
        self.books.begin::<P>(cpu);
        if let Err(error) = self.strategy.td_destroy(cpu, &self.env()) {
            self.books.put_failed::<P>(cpu, Pfn(0), &error);
        }
        Ok(())
    }

    /// Writes the page's cache lines back and drops them; holds its region shared meanwhile.
    pub(super) fn write_back(&self, cpu: &P::Cpu, page: Pfn) {
        let regs = Regs { rcx: page.hpa(), ..Regs::default() };
        self.module.seamcall(cpu, Leaf::PhymemPageWbinvd, regs);
    }

    fn reclaim_kernel(
        &self,
        cpu: &P::Cpu,
        entries: &Entries,
        range: Range<u64>,
        write_back: bool,
    ) -> Result<(), HostError> {
        let mut range = range;
        range.try_for_each(|at| {
            self.reclaim_page(cpu, entries, at, write_back, |page| {
                P::observe(cpu, Observation::Begin(Op::KvmWork));
                self.pages.free_kernel_page(cpu, P::cpu(cpu), page);
                P::observe(cpu, Observation::End(Op::KvmWork));
            })
        })
    }

    fn reclaim_page(
        &self,
        cpu: &P::Cpu,
        entries: &Entries,
        at: u64,
        write_back: bool,
        free: impl Fn(Pfn),
    ) -> Result<(), HostError> {
        let Some(page) = entries.page(at) else {
            return Ok(());
        };
        P::observe(cpu, Observation::Begin(Op::PageReclaim));
        self.spend(cpu, Op::KvmWork, self.costs.page_work);
        let regs = Regs { rcx: page.hpa(), ..Regs::default() };
        let outcome = self.take(cpu, Leaf::PhymemPageReclaim, regs, page, || {
            entries.set(at, None);
            if write_back {
                self.write_back(cpu, page);
            }
            self.clear_freed(cpu, page, PAGE_BYTES);
        });
        if outcome.is_ok() {
            free(page);
        }
        P::observe(cpu, Observation::End(Op::PageReclaim));
        outcome
    }

    /// Clears `bytes` that the module wrote, from `page` on.
    pub(super) fn clear_freed(&self, cpu: &P::Cpu, page: Pfn, bytes: u64) {
        let clear = match self.plan.clear_freed {
            Clear::Erratum => self.costs.erratum,
            Clear::Always => true,
            Clear::Never => false,
        };
        if clear {
            P::observe(cpu, Observation::Begin(Op::KvmWork));
            P::bulk(cpu, BulkKind::DirectStore, bytes, self.pages.node_of(page));
            P::observe(cpu, Observation::End(Op::KvmWork));
        }
    }
}

/// The 2 MiB mapping that `chunk` is, if it is one: its stretch and first page.
pub(super) fn whole_leaf(td: &Td, chunk: &Range<u64>) -> Option<(u64, Pfn)> {
    let at = chunk.start / CHUNK;
    td.tables_of(LARGE).leaf(at).map(|first| (at, first))
}

/// The guest pages of one of `threads` threads of a TD: equal, contiguous parts in whole chunks.
pub(crate) fn share(td: &Td, thread: u64, threads: u64) -> Range<u64> {
    let chunks = td.pages().div_ceil(CHUNK);
    let from = |thread: u64| (chunks * thread / threads * CHUNK).min(td.pages());
    from(thread)..from(thread + 1)
}
