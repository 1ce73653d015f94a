//! The guest between its exits: TDH.VP.ENTER, TDG.MEM.PAGE.ACCEPT, TD exits.
//!
//! A guest takes memory by ACCEPT. Where nothing is mapped that ends in a TD exit (EPT violation): KVM
//! maps the page ([`super::fault`]) and enters the TD again, and the same ACCEPT, executed again, zeroes
//! the page. So a fault is an exit and an entry with the module's own locked instructions; while the
//! guest runs, its CPU keeps the region of the TDVPR page and the TDR page's entry shared.
//!
//! KVM's own paths begin and end outside of the guest: [`Host::in_guest`] enters it for a stretch of the
//! guest's doing, and an interrupt or hypercall ends that.

use pamt_sim::tdx::{EPT_VIOLATION, ExitCause};
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs, Status, StatusName};
use pamt_strategies::platform::Platform;

use super::HostError;
use super::fault::Attempt;
use super::large::LARGE;
use crate::host::page_size::LARGE_PAGES;
use crate::host::{Host, Pace, Td, Vcpu};

/// How an ACCEPT ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accept {
    /// The guest has the page.
    Taken,
    /// In a TD exit: the CPU is outside.
    Exited,
    /// Somebody else was at the entry, or changed its level.
    Again,
}

/// GPA operand of an ACCEPT, and the 4 KiB pages that it takes.
fn operand(gfn: u64, large: bool) -> (u64, u64) {
    if large {
        (Td::gpa(gfn / LARGE_PAGES * LARGE_PAGES) | LARGE, LARGE_PAGES)
    } else {
        (Td::gpa(gfn), 1)
    }
}

impl<P: Platform> Host<P> {
    /// The guest touches those of `gfns` that are not mapped, in order, at its pace. Gives the number of
    /// 4 KiB pages that were mapped.
    pub(crate) fn touch(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        pace: &mut Pace,
        gfns: impl Iterator<Item = u64>,
    ) -> Result<u64, HostError> {
        let td = &self.tds[vcpu.td as usize];
        let mut gfns = gfns.filter(|gfn| !td.is_mapped(*gfn)).peekable();
        if gfns.peek().is_none() {
            return Ok(0);
        }
        self.in_guest(cpu, vcpu, |vcpu| {
            gfns.try_fold(0, |pages, gfn| {
                let due = pace.wait::<P>(cpu);
                let more = self.access(cpu, vcpu, gfn, Op::Fault)?;
                if let Some(due) = due {
                    P::observe(cpu, Observation::Took(Op::Response, P::now(cpu) - due));
                }
                Ok(pages + more)
            })
        })
    }

    /// Runs the guest on this CPU while `body` lasts. Where `body` fails, the vCPU stays where it is.
    pub(super) fn in_guest<T>(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        body: impl FnOnce(&mut Vcpu) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        self.enter(cpu, vcpu)?;
        let outcome = body(vcpu)?;
        self.module.td_exit(cpu);
        Ok(outcome)
    }

    fn enter(&self, cpu: &P::Cpu, vcpu: &Vcpu) -> Result<(), HostError> {
        let td = &self.tds[vcpu.td as usize];
        let tdvpr = td.tdvpr(vcpu.on).ok_or(HostError::NotCreated { td: td.id })?;
        let regs = Regs { rcx: tdvpr.hpa(), ..Regs::default() };
        loop {
            match self.module.seamcall(cpu, Leaf::VpEnter, regs).status() {
                Status::SUCCESS => return Ok(()),
                status if status.is(StatusName::OperandBusy) => P::pause(cpu),
                status => {
                    return Err(HostError::Leaf { leaf: Leaf::VpEnter, pfn: tdvpr.0, status });
                }
            }
        }
    }

    /// In the guest: takes the page at `gfn`, by as many faults as that needs, each accounted to `op`.
    /// Gives the number of 4 KiB pages of its mapping.
    pub(super) fn access(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        gfn: u64,
        op: Op,
    ) -> Result<u64, HostError> {
        let td = &self.tds[vcpu.td as usize];
        loop {
            if !td.is_mapped(gfn) {
                P::observe(cpu, Observation::Begin(op));
                let attempt = self.fault(cpu, vcpu, gfn);
                P::observe(cpu, Observation::End(op));
                if attempt? == Attempt::Again {
                    P::observe(cpu, Observation::Retry(op));
                }
                continue;
            }
            let large = td.tables_of(LARGE).leaf(gfn / LARGE_PAGES).is_some();
            let (gpa, pages) = operand(gfn, large);
            P::observe(cpu, Observation::Begin(Op::Guest));
            let accept = self.accept(cpu, gpa);
            P::observe(cpu, Observation::End(Op::Guest));
            match accept? {
                Accept::Taken => return Ok(pages),
                Accept::Exited => self.enter(cpu, vcpu)?,
                Accept::Again => {}
            }
        }
    }

    /// A fault, from the guest's ACCEPT where nothing is mapped until the guest runs again.
    fn fault(&self, cpu: &P::Cpu, vcpu: &mut Vcpu, gfn: u64) -> Result<Attempt, HostError> {
        let td = &self.tds[vcpu.td as usize];
        let (gpa, _) = operand(gfn, td.wants_large(gfn / LARGE_PAGES));
        if self.accept(cpu, gpa)? != Accept::Exited {
            // Another vCPU has just mapped it.
            return Ok(Attempt::Mapped);
        }
        let attempt = self.attempt(cpu, vcpu, gfn)?;
        self.enter(cpu, vcpu)?;
        Ok(attempt)
    }

    fn accept(&self, cpu: &P::Cpu, gpa: u64) -> Result<Accept, HostError> {
        let leaf = Leaf::TdgMemPageAccept;
        let regs = Regs { rcx: gpa, ..Regs::default() };
        let status = self.module.seamcall(cpu, leaf, regs).status();
        let is = |name| status.is(name);
        if status == Status::SUCCESS || is(StatusName::PageAlreadyAccepted) {
            Ok(Accept::Taken)
        } else if status == EPT_VIOLATION || status == ExitCause::Interrupt.status() {
            Ok(Accept::Exited)
        } else if is(StatusName::OperandBusy) || is(StatusName::PageSizeMismatch) {
            P::pause(cpu);
            Ok(Accept::Again)
        } else {
            Err(HostError::Leaf { leaf, pfn: gpa, status })
        }
    }
}
