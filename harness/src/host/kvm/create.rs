//! A TD comes to be: `__tdx_td_init()`, `tdx_td_vcpu_init()` for each vCPU, `tdx_td_finalize()`.
//!
//! Each control page (TDR, TDCS, TDVPR, TDCX) is a page of the kernel's own, and has its pair before a
//! leaf takes it (`tdx_alloc_control_page()`, v6 07/11): process context, so pages and pairs come from
//! the page allocator. TDH.MNG.CREATE claims a key id under KVM's global mutex; TDH.MNG.KEY.CONFIG runs on
//! a CPU of each package in turn, under a mutex of the package. TDH.VP.INIT runs on the vCPU's own CPU.
//!
//! A get that meets BUSY fails the creation, and whoever creates the TD does it again: here the page is
//! offered again.
//!
//! Left out is memory that is measured before the TD runs (TDH.MEM.PAGE.ADD and TDH.MR.EXTEND of about
//! 4 MiB): all memory comes by faults.

use pamt_sim::tdx::PRIVATE_HKIDS;
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs, StatusName};
use pamt_strategies::pamt::{Call, PamtError};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{CpuId, Pfn};

use super::{HostError, succeeded};
use crate::host::td::{Entries, TD_PAGES, VCPU_PAGES};
use crate::host::{Host, Td};

/// Where the model's TD_PARAMS lie: a page without any, which holds valid ones.
const TD_PARAMS: u64 = 0;

impl<P: Platform> Host<P> {
    /// Creates all TDs: RUNNABLE, without guest memory.
    pub(crate) fn create_tds(&self, cpu: &P::Cpu) -> Result<(), HostError> {
        self.tds.iter().try_for_each(|td| self.create_td(cpu, td))
    }

    /// Creates a TD.
    pub(crate) fn create_td(&self, cpu: &P::Cpu, td: &Td) -> Result<(), HostError> {
        P::observe(cpu, Observation::Begin(Op::TdCreate));
        let outcome = self.build_td(cpu, td);
        P::observe(cpu, Observation::End(Op::TdCreate));
        outcome
    }

    fn build_td(&self, cpu: &P::Cpu, td: &Td) -> Result<(), HostError> {
        self.books.begin::<P>(cpu);
        let failed = |error| HostError::Setup { pfn: 0, error };
        self.strategy.td_create(cpu, &self.env()).map_err(failed)?;
        self.init_td(cpu, td)?;
        (0..).zip(&td.cpus).try_for_each(|(vcpu, on)| self.init_vcpu(cpu, td, (vcpu, *on)))?;
        self.of_td(cpu, Leaf::MrFinalize, td)
    }

    fn init_td(&self, cpu: &P::Cpu, td: &Td) -> Result<(), HostError> {
        let rdx = PRIVATE_HKIDS.start() + u64::from(td.id);
        self.control_page(cpu, td, (&td.control, 0), Leaf::MngCreate, &|cpu, page| {
            self.global.exclusive(cpu, page.region(), || {
                let regs = Regs { rcx: page.hpa(), rdx, ..Regs::default() };
                self.module.seamcall(cpu, Leaf::MngCreate, regs)
            })
        })?;
        self.configure_keys(cpu, td)?;
        let rdx = td.tdr().hpa();
        for at in 1..TD_PAGES {
            self.add_page(cpu, td, (&td.control, at), (Leaf::MngAddcx, rdx))?;
        }
        let regs = Regs { rcx: rdx, rdx: TD_PARAMS, ..Regs::default() };
        self.demand(cpu, Leaf::MngInit, regs, td.tdr())
    }

    fn init_vcpu(&self, cpu: &P::Cpu, td: &Td, (vcpu, on): (u64, CpuId)) -> Result<(), HostError> {
        let first = vcpu * VCPU_PAGES;
        self.add_page(cpu, td, (&td.vcpus, first), (Leaf::VpCreate, td.tdr().hpa()))?;
        let tdvpr = td.vcpus.page(first).ok_or(HostError::NotCreated { td: td.id })?;
        for at in first + 1..first + VCPU_PAGES {
            self.add_page(cpu, td, (&td.vcpus, at), (Leaf::VpAddcx, tdvpr.hpa()))?;
        }
        let regs = Regs { rcx: tdvpr.hpa(), ..Regs::default() };
        let status = self.module.seamcall_on(cpu, on, Leaf::VpInit, regs).status();
        succeeded(Leaf::VpInit, tdvpr, status)
    }

    /// A control page for a leaf that takes it in RCX, and in RDX what it is added to.
    fn add_page(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        place: (&Entries, u64),
        (leaf, rdx): (Leaf, u64),
    ) -> Result<(), HostError> {
        self.control_page(cpu, td, place, leaf, &|cpu, page| {
            self.module.seamcall(cpu, leaf, Regs { rcx: page.hpa(), rdx, ..Regs::default() })
        })
    }

    fn control_page(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        (entries, at): (&Entries, u64),
        leaf: Leaf,
        call: &dyn Fn(&P::Cpu, Pfn) -> Regs,
    ) -> Result<(), HostError> {
        let page = self.pages.kernel_page(cpu, td.cpus[0], td.node);
        let page = page.ok_or(HostError::NoMemory { td: td.id })?;
        let outcome = self.offer(cpu, td, (page, leaf), &mut |cpu| call(cpu, page));
        match outcome {
            Ok(()) => entries.set(at, Some(page)),
            Err(_) => self.pages.free_kernel_page(cpu, td.cpus[0], page),
        }
        outcome
    }

    /// Offers a page to the module until it has it.
    fn offer(
        &self,
        cpu: &P::Cpu,
        td: &Td,
        (page, leaf): (Pfn, Leaf),
        call: Call<'_, P>,
    ) -> Result<(), HostError> {
        loop {
            match self.give_by(cpu, page, None, call) {
                Ok(status) if status.is(StatusName::OperandBusy) => {}
                Ok(status) => return succeeded(leaf, page, status),
                Err(PamtError::NoMemory) => return Err(HostError::NoMemory { td: td.id }),
                Err(error) => return Err(HostError::Setup { pfn: page.0, error }),
            }
            P::observe(cpu, Observation::Retry(Op::TdCreate));
            P::pause(cpu);
        }
    }

    /// A leaf with the TD as its only operand, which cannot fail here.
    pub(super) fn of_td(&self, cpu: &P::Cpu, leaf: Leaf, td: &Td) -> Result<(), HostError> {
        let regs = Regs { rcx: td.tdr().hpa(), ..Regs::default() };
        self.demand(cpu, leaf, regs, td.tdr())
    }
}
