//! Split of a 2 MiB mapping into 4 KiB ones, and the way back (huge page series v3, 23/24).
//!
//! A split happens under `mmu_lock` held exclusively: BLOCK, TRACK and a kick, a get for the new Secure
//! EPT page, and TDH.MEM.PAGE.DEMOTE, which takes the region's pair in R12 and R13: no PAMT.ADD. The
//! count of the region then goes from 0 to 512 by a cmpxchg. All of that is outside the PAMT lock, so
//! DEMOTE, which walks the regions of its pair shared, meets PAMT.ADD and PAMT.REMOVE of other TDs.
//! `tdh_do_no_vcpus()` tries a call that is BUSY once more, and then it must succeed; the model notes
//! where it did not, and tries on.
//!
//! No posted kernel promotes; [`Host::promote`] is there so that a split can be repeated.

use pamt_strategies::locks::RwLock;
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, PamtPair, Regs, Status, StatusName};
use pamt_strategies::pamt::{PamtCache, PamtError};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use super::HostError;
use super::large::LARGE;
use crate::host::page_size::LARGE_PAGES;
use crate::host::{Host, Td, Vcpu};

/// Pages of a pair.
const PAIR: usize = 2;

/// Attempts after which a split is given up: a model that runs into this would never end.
const MOST_ATTEMPTS: u32 = 10_000;

impl<P: Platform> Host<P> {
    /// Splits the mapping of stretch `at` if it is one of 2 MiB.
    pub(crate) fn split(&self, cpu: &P::Cpu, vcpu: &mut Vcpu, at: u64) -> Result<(), HostError> {
        let td = &self.tds[vcpu.td as usize];
        let Some(first) = td.tables_of(LARGE).leaf(at) else {
            return Ok(());
        };
        P::observe(cpu, Observation::Begin(Op::Split));
        let outcome = self.top_up(cpu, vcpu, td).and_then(|()| {
            let held = self.mmu_lock.write(cpu, td.id as usize, first.region());
            let outcome = self.split_locked(cpu, vcpu, td, (at, first));
            self.mmu_lock.write_unlock(cpu, held);
            outcome
        });
        P::observe(cpu, Observation::End(Op::Split));
        outcome
    }

    fn split_locked(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        (at, first): (u64, Pfn),
    ) -> Result<(), HostError> {
        let entry = Td::gpa(at * LARGE_PAGES) | LARGE;
        self.block_and_track(cpu, td, entry, first)?;
        let table = vcpu.tables.pop().expect("topped up before the lock was taken");
        self.books.begin::<P>(cpu);
        for _ in 0..MOST_ATTEMPTS {
            let status = self.demote(cpu, vcpu, td, (entry, first, table))?;
            if !status.is_error() {
                self.mapped_by_table(td, at, first, table);
                return Ok(());
            }
            if !status.is(StatusName::OperandBusy) {
                return Err(HostError::Leaf { leaf: Leaf::MemPageDemote, pfn: first.0, status });
            }
            P::observe(cpu, Observation::Retry(Op::Split));
            P::pause(cpu);
        }
        let status = Status(StatusName::OperandBusy.upper().into());
        Err(HostError::Leaf { leaf: Leaf::MemPageDemote, pfn: first.0, status })
    }

    /// One attempt: a get for the table, and DEMOTE with a pair. The status is DEMOTE's, or that of
    /// the PAMT.ADD that failed before it.
    fn demote(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        (entry, first, table): (u64, Pfn, Pfn),
    ) -> Result<Status, HostError> {
        let mut at_hand = split_cache(&mut vcpu.cache);
        let mut no_memory = false;
        let mut call = |cpu: &P::Cpu| {
            let pages = (!at_hand.pages.is_empty()).then_some(&mut at_hand);
            let call = &mut |cpu: &P::Cpu, pair: PamtPair| {
                self.demote_leaf(cpu, td, (entry, first, table), pair)
            };
            let demoted = self.strategy.demote(cpu, &self.env(), first.region(), pages, call);
            no_memory |= demoted.is_err();
            demoted.unwrap_or(Regs { rax: u64::MAX, ..Regs::default() })
        };
        let cache = Some(&mut vcpu.cache);
        let outcome = self.strategy.with_page(cpu, &self.env(), table, cache, &mut call);
        vcpu.cache.pages.append(&mut at_hand.pages);
        match outcome {
            _ if no_memory => Err(HostError::NoMemory { td: td.id }),
            Ok(out) => {
                if !out.status().is_error() {
                    self.books.used(table);
                }
                Ok(out.status())
            }
            Err(PamtError::NoMemory) => Err(HostError::NoMemory { td: td.id }),
            Err(error @ PamtError::Module(status)) => {
                self.books.get_failed::<P>(cpu, table, error);
                Ok(status)
            }
        }
    }

    fn demote_leaf(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        (entry, first, table): (u64, Pfn, Pfn),
        pair: PamtPair,
    ) -> Regs {
        let [r12, r13] = pair.0.map(Pfn::hpa);
        let (rdx, r8) = (td.tdr().hpa(), table.hpa());
        let regs = Regs { rcx: entry, rdx, r8, r12, r13, ..Regs::default() };
        let out = self.module.seamcall(cpu, Leaf::MemPageDemote, regs);
        if out.status().is(StatusName::OperandBusy) {
            self.books.turned_down::<P>(cpu, first.region(), "DEMOTE met BUSY");
        } else if !out.status().is_error() && self.plan.dynamic {
            self.books.demoted(first.region(), pair);
        }
        out
    }

    fn mapped_by_table(&self, td: &Td, at: u64, first: Pfn, table: Pfn) {
        td.tables_of(LARGE).set(at, Some(table));
        for page in 0..LARGE_PAGES {
            td.mapped.set(at * LARGE_PAGES + page, Some(Pfn(first.0 + page)));
        }
    }

    /// Joins the 512 pages of a large folio at stretch `at` again, if all of them are mapped.
    pub(crate) fn promote(&self, cpu: &P::Cpu, td: u32, at: u64) -> Result<(), HostError> {
        let td = &self.tds[td as usize];
        let (Some(first), Some(table)) = (td.folios.first.page(at), td.tables_of(LARGE).page(at))
        else {
            return Ok(());
        };
        let stretch = at * LARGE_PAGES..(at + 1) * LARGE_PAGES;
        if stretch.clone().any(|gfn| td.mapped.page(gfn).is_none()) {
            return Ok(());
        }
        let held = self.mmu_lock.write(cpu, td.id as usize, first.region());
        let entry = Td::gpa(at * LARGE_PAGES) | LARGE;
        let outcome = self.block_and_track(cpu, td, entry, first).and_then(|()| {
            let mut call = |cpu: &P::Cpu| self.promote_leaf(cpu, td, entry, first);
            self.take_by(cpu, Leaf::MemPagePromote, table, &mut call, || {
                td.tables_of(LARGE).set_leaf(at, first);
                stretch.clone().for_each(|gfn| td.mapped.set(gfn, None));
                self.clear_freed(cpu, table, PAGE_BYTES);
            })
        });
        self.mmu_lock.write_unlock(cpu, held);
        if outcome.is_ok() {
            self.pages.free_kernel_page(cpu, P::cpu(cpu), table);
        }
        outcome
    }

    fn promote_leaf(&self, cpu: &P::Cpu, td: &Td, entry: u64, first: Pfn) -> Regs {
        let regs = Regs { rcx: entry, rdx: td.tdr().hpa(), ..Regs::default() };
        let call = &mut |cpu: &P::Cpu| {
            let out = self.module.seamcall(cpu, Leaf::MemPagePromote, regs);
            if !out.status().is_error() && self.plan.dynamic {
                self.books.promoted::<P>(cpu, first.region());
            }
            out
        };
        self.strategy.promote(cpu, &self.env(), first.region(), call)
    }
}

/// The pair for DEMOTE, from the pages that were topped up; the VM has a cache of its own for splits.
fn split_cache(cache: &mut PamtCache) -> PamtCache {
    let left = cache.pages.len().saturating_sub(PAIR);
    PamtCache { pages: cache.pages.split_off(left) }
}
