//! Gets and puts as a recording has them: the strategy's part of KVM's paths, and no other.
//!
//! The PAMT cache is topped up before each get, outside of it, as on the fault path; what the kernel did
//! between two operations lies in the recorded times. The page reaches no leaf, so only PAMT.ADD and
//! PAMT.REMOVE take part. Where a strategy serves folios of guest_memfd, each page is one of its own.

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, StatusName};
use pamt_strategies::pamt::PamtError;
use pamt_strategies::platform::Platform;
use pamt_strategies::units::Pfn;

use super::HostError;
use crate::host::{Host, Td, Vcpu};
use crate::recording::{Replay, Step};

impl<P: Platform> Host<P> {
    /// The state that a recording starts from: its TDs exist, and pages that are put before they are
    /// got are held.
    pub(crate) fn begin_replay(&self, cpu: &P::Cpu, replay: &Replay) -> Result<(), HostError> {
        for _ in &self.tds {
            let created = self.strategy.td_create(cpu, &self.env());
            created.map_err(|error| HostError::Setup { pfn: 0, error })?;
        }
        for (td, slot, page) in &replay.held_before {
            let on = self.tds[*td as usize].cpus[0];
            let mut vcpu = Vcpu::new(*td, on);
            self.replay_get(cpu, &mut vcpu, *slot, *page)?;
            self.retire(cpu, &mut vcpu);
        }
        Ok(())
    }

    /// One operation of a recording.
    pub(crate) fn replay(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        step: &Step,
    ) -> Result<(), HostError> {
        vcpu.td = step.td;
        if step.get {
            return self.replay_get(cpu, vcpu, step.slot, step.page);
        }
        let td = &self.tds[step.td as usize];
        self.replay_put(cpu, td, step.slot, step.page);
        Ok(())
    }

    fn replay_get(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        slot: u32,
        page: Pfn,
    ) -> Result<(), HostError> {
        let td = &self.tds[vcpu.td as usize];
        while !self.try_get(cpu, vcpu, td, page)? {
            P::observe(cpu, Observation::Retry(Op::PamtGet));
        }
        self.books.used(page);
        td.mapped.set(slot.into(), Some(page));
        Ok(())
    }

    /// One attempt; false when the module was busy, as when a fault starts anew.
    fn try_get(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        td: &Td,
        page: Pfn,
    ) -> Result<bool, HostError> {
        self.pages.topup(cpu, vcpu.on, td.node, &mut vcpu.cache);
        if !self.populate_folio(cpu, td, page)? {
            return Ok(false);
        }
        self.books.begin::<P>(cpu);
        let error = match self.strategy.get(cpu, &self.env(), page, Some(&mut vcpu.cache)) {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        self.release_folio(cpu, page);
        match error {
            PamtError::NoMemory => Err(HostError::NoMemory { td: td.id }),
            PamtError::Module(status) => {
                self.books.get_failed::<P>(cpu, page, error);
                let leaf = Leaf::PhymemPamtAdd;
                let failed = HostError::Leaf { leaf, pfn: page.0, status };
                if status.is(StatusName::OperandBusy) { Ok(false) } else { Err(failed) }
            }
        }
    }

    fn replay_put(&self, cpu: &P::Cpu, td: &Td, slot: u32, page: Pfn) {
        td.mapped.set(slot.into(), None);
        self.books.begin::<P>(cpu);
        self.books.unused(page);
        if let Err(error) = self.strategy.put(cpu, &self.env(), page) {
            self.books.put_failed::<P>(cpu, page, &error);
        }
        self.release_folio(cpu, page);
    }
}
