//! guest_memfd: the memory of private pages, found or allocated before `mmu_lock` is taken, and given
//! back when nothing maps it any more.
//!
//! A folio is a page of 4 KiB, or one of 2 MiB where the TD is to be mapped so and the page allocator
//! has a free one. A small folio goes with its page. A large one stays while any of its pages is
//! mapped: conversion of a part happens in place.

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::pamt::PamtError;
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use super::HostError;
use crate::host::page_size::{LARGE_BYTES, LARGE_PAGES};
use crate::host::td::Entry;
use crate::host::{Host, Td, Vcpu};

/// Memory for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// A page, alone or part of a large folio.
    Page(Pfn),
    /// A 2 MiB folio, to be mapped as such; its first page.
    Large(Pfn),
    /// Another vCPU is at the same folio.
    Again,
}

impl<P: Platform> Host<P> {
    /// The memory behind `gfn`: what an earlier attempt found, or new, cleared memory.
    pub(super) fn gmem(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        gfn: u64,
    ) -> Result<Memory, HostError> {
        let at = gfn / LARGE_PAGES;
        let wanted = td.wants_large(at);
        if wanted || td.folios.first.page(at).is_some() {
            let part = Pfn(gfn % LARGE_PAGES);
            match self.large_folio(cpu, td, at)? {
                Folio::At(first) if wanted => return Ok(Memory::Large(first)),
                Folio::At(first) => return Ok(Memory::Page(Pfn(first.0 + part.0))),
                Folio::Busy => return Ok(Memory::Again),
                Folio::None => {}
            }
        }
        self.small_folio(cpu, vcpu, td, gfn)
    }

    fn large_folio(&self, cpu: &P::Cpu, td: &Td, at: u64) -> Result<Folio, HostError> {
        match td.folios.first.freeze(at) {
            Entry::Present | Entry::Leaf => {
                self.spend(cpu, Op::KvmWork, self.costs.list_op);
                return Ok(td.folios.first.page(at).map_or(Folio::Busy, Folio::At));
            }
            Entry::Frozen => return Ok(Folio::Busy),
            Entry::Won => {}
        }
        let first = self.cleared(cpu, LARGE_BYTES, || self.pages.large_page(cpu, td, at));
        let ready = match first {
            Some(first) if self.populate_folio(cpu, td, first)? => Some(first),
            Some(first) => {
                self.pages.free_large_page(cpu, first);
                None
            }
            None => None,
        };
        td.folios.first.set(at, ready);
        Ok(ready.map_or(Folio::None, Folio::At))
    }

    fn small_folio(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        gfn: u64,
    ) -> Result<Memory, HostError> {
        if let Some((_, page)) = vcpu.pending.filter(|(pending, _)| *pending == gfn) {
            self.spend(cpu, Op::KvmWork, self.costs.list_op);
            return Ok(Memory::Page(page));
        }
        let page = self.cleared(cpu, PAGE_BYTES, || self.pages.guest_page(cpu, vcpu.on, td, gfn));
        let page = page.ok_or(HostError::NoMemory { td: td.id })?;
        if !self.populate_folio(cpu, td, page)? {
            self.pages.free_guest_page(cpu, vcpu.on, page);
            return Ok(Memory::Again);
        }
        vcpu.pending = Some((gfn, page));
        Ok(Memory::Page(page))
    }

    fn cleared(
        &self,
        cpu: &P::Cpu,
        bytes: u64,
        allocate: impl FnOnce() -> Option<Pfn>,
    ) -> Option<Pfn> {
        P::observe(cpu, Observation::Begin(Op::KvmWork));
        P::work(cpu, self.costs.gmem_page);
        let first = allocate();
        if let Some(first) = first {
            P::bulk(cpu, BulkKind::Store, bytes, self.pages.node_of(first));
        }
        P::observe(cpu, Observation::End(Op::KvmWork));
        first
    }

    /// Tells the strategy of a new folio; false when it cannot serve it now.
    pub(super) fn populate_folio(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        first: Pfn,
    ) -> Result<bool, HostError> {
        self.books.begin::<P>(cpu);
        match self.strategy.memfd_populate(cpu, &self.env(), first) {
            Ok(()) => Ok(true),
            Err(PamtError::NoMemory) => Err(HostError::NoMemory { td: td.id }),
            Err(error) => {
                self.books.get_failed::<P>(cpu, first, error);
                Ok(false)
            }
        }
    }

    /// `pages` pages from `gfn` on, which begin with `page`, are no longer mapped: gives back what is
    /// then free.
    pub(super) fn free_guest(&self, cpu: &P::Cpu, td: &Td, (gfn, page, pages): (u64, Pfn, u64)) {
        let at = gfn / LARGE_PAGES;
        let folio = td.folios.first.page(at);
        if folio.is_some() && !td.folios.unmap(at, pages) {
            return;
        }
        let first = folio.unwrap_or(page);
        P::observe(cpu, Observation::Begin(Op::KvmWork));
        self.release_folio(cpu, first);
        match folio {
            Some(first) => {
                td.folios.first.set(at, None);
                self.pages.free_large_page(cpu, first);
            }
            None => self.pages.free_guest_page(cpu, P::cpu(cpu), page),
        }
        P::observe(cpu, Observation::End(Op::KvmWork));
    }

    /// Tells the strategy that a folio goes.
    pub(super) fn release_folio(&self, cpu: &P::Cpu, first: Pfn) {
        self.books.begin::<P>(cpu);
        if let Err(error) = self.strategy.memfd_release(cpu, &self.env(), first) {
            self.books.put_failed::<P>(cpu, first, &error);
        }
    }
}

/// A large folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folio {
    At(Pfn),
    /// Somebody else is allocating it.
    Busy,
    /// The page allocator has none.
    None,
}
