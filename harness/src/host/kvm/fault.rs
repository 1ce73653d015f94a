//! The private fault (upstream v6 08-11/11).
//!
//! Between the exit and the entry ([`super::guest`]): top up the caches, where sleeping is allowed;
//! guest_memfd finds or allocates the page and clears it; `mmu_lock` is taken shared; missing tables
//! are linked (get, TDH.MEM.SEPT.ADD) and the page is mapped (get, TDH.MEM.PAGE.AUG; a 2 MiB page
//! without a get); unlock. BUSY from a leaf, or an entry that another vCPU has frozen, ends the
//! attempt: the lock is dropped, and the access faults again.

use pamt_strategies::locks::RwLock;
use pamt_strategies::measure::Op;
use pamt_strategies::module::{Leaf, Regs, Status, StatusName};
use pamt_strategies::pamt::PamtError;
use pamt_strategies::platform::Platform;
use pamt_strategies::units::Pfn;

use super::HostError;
use super::guest_memory::Memory;
use super::large::LARGE;
use crate::host::page_size::LARGE_PAGES;
use crate::host::td::{Entry, TABLE_LEVELS};
use crate::host::{Host, Td, Vcpu};

/// Tables that a vCPU keeps at hand: one for each level (PT64_ROOT_MAX_LEVEL).
const TABLES_AT_HAND: usize = 5;

/// How one attempt of a fault ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Mapped,
    Again,
}

impl<P: Platform> Host<P> {
    /// Maps the page at `gfn`, for a run that begins with it: no guest has touched it.
    pub(crate) fn map(&self, cpu: &P::Cpu, vcpu: &mut Vcpu, gfn: u64) -> Result<(), HostError> {
        while self.attempt(cpu, vcpu, gfn)? == Attempt::Again {}
        Ok(())
    }

    pub(super) fn attempt(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        gfn: u64,
    ) -> Result<Attempt, HostError> {
        let td = &self.tds[vcpu.td as usize];
        self.spend(cpu, Op::KvmWork, self.costs.fault_work);
        self.top_up(cpu, vcpu, td)?;
        let memory = self.gmem(cpu, vcpu, td, gfn)?;
        let (Memory::Page(page) | Memory::Large(page)) = memory else {
            return Ok(Attempt::Again);
        };
        let held = self.mmu_lock.read(cpu, td.id as usize, page.region());
        let outcome = match memory {
            Memory::Large(first) => self.map_large(cpu, vcpu, td, (gfn, first)),
            _ => self.map_small(cpu, vcpu, td, (gfn, page)),
        };
        self.mmu_lock.read_unlock(cpu, held);
        outcome
    }

    pub(super) fn top_up(&self, cpu: &P::Cpu, vcpu: &mut Vcpu, td: &Td) -> Result<(), HostError> {
        self.pages.topup(cpu, vcpu.on, td.node, &mut vcpu.cache);
        while vcpu.tables.len() < TABLES_AT_HAND {
            let page = self.pages.kernel_page(cpu, vcpu.on, td.node);
            vcpu.tables.push(page.ok_or(HostError::NoMemory { td: td.id })?);
        }
        Ok(())
    }

    /// Under `mmu_lock`: the missing tables, then the page (`tdx_sept_map_leaf_spte()`).
    pub(super) fn map_small(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        (gfn, page): (u64, Pfn),
    ) -> Result<Attempt, HostError> {
        if self.link_tables(cpu, vcpu, td, gfn, LARGE)? == Attempt::Again {
            return Ok(Attempt::Again);
        }
        if td.is_mapped(gfn) {
            return Ok(Attempt::Mapped);
        }
        let regs =
            Regs { rcx: Td::gpa(gfn), rdx: td.tdr().hpa(), r8: page.hpa(), ..Regs::default() };
        let outcome = self.give(cpu, Leaf::MemPageAug, regs, page, Some(&mut vcpu.cache));
        let attempt = judge(td, Leaf::MemPageAug, page, outcome)?;
        if attempt == Attempt::Mapped {
            td.mapped.set(gfn, Some(page));
            let at = gfn / LARGE_PAGES;
            if td.folios.first.page(at).is_some() {
                td.folios.map(at, 1);
            } else {
                vcpu.pending = None;
            }
        }
        Ok(attempt)
    }

    /// The tables that `gfn` misses, from the top down to those that entries of `lowest` point to
    /// (`tdx_sept_map_nonleaf_spte()`).
    pub(super) fn link_tables(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        gfn: u64,
        lowest: u64,
    ) -> Result<Attempt, HostError> {
        for level in (lowest..=*TABLE_LEVELS.end()).rev() {
            match td.tables_of(level).freeze(gfn >> (9 * level)) {
                Entry::Present | Entry::Leaf => {}
                Entry::Frozen => return Ok(Attempt::Again),
                Entry::Won => match self.link_table(cpu, vcpu, td, gfn, level)? {
                    Attempt::Mapped => {}
                    Attempt::Again => return Ok(Attempt::Again),
                },
            }
        }
        Ok(Attempt::Mapped)
    }

    fn link_table(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        gfn: u64,
        level: u64,
    ) -> Result<Attempt, HostError> {
        let at = gfn >> (9 * level);
        let page = vcpu.tables.pop().expect("topped up before the lock was taken");
        let gpa = Td::gpa(at << (9 * level)) | level;
        let regs = Regs { rcx: gpa, rdx: td.tdr().hpa(), r8: page.hpa(), ..Regs::default() };
        let outcome = self.give(cpu, Leaf::MemSeptAdd, regs, page, Some(&mut vcpu.cache));
        let attempt = judge(td, Leaf::MemSeptAdd, page, outcome);
        let linked = attempt == Ok(Attempt::Mapped);
        if !linked {
            vcpu.tables.push(page);
        }
        td.tables_of(level).set(at, linked.then_some(page));
        attempt
    }

    /// Gives what a vCPU has at hand back, when its thread ends.
    pub(crate) fn retire(&self, cpu: &P::Cpu, vcpu: &mut Vcpu) {
        self.pages.drain(cpu, vcpu.on, &mut vcpu.cache);
        for page in vcpu.tables.drain(..) {
            self.pages.free_kernel_page(cpu, vcpu.on, page);
        }
        if let Some((_, page)) = vcpu.pending.take() {
            self.release_folio(cpu, page);
            self.pages.free_guest_page(cpu, vcpu.on, page);
        }
    }
}

fn judge(
    td: &Td,
    leaf: Leaf,
    page: Pfn,
    outcome: Result<Status, PamtError>,
) -> Result<Attempt, HostError> {
    match outcome {
        Ok(status) if !status.is_error() => Ok(Attempt::Mapped),
        // A lost race is not the guest's fault: -EBUSY, and it faults again.
        Ok(status)
            if [StatusName::OperandBusy, StatusName::MissingPamtPagePair]
                .iter()
                .any(|name| status.is(*name)) =>
        {
            Ok(Attempt::Again)
        }
        Ok(status) => Err(HostError::Leaf { leaf, pfn: page.0, status }),
        Err(_) => Err(HostError::NoMemory { td: td.id }),
    }
}
