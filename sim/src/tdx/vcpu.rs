//! A VCPU as a leaf sees it.

use pamt_strategies::module::{Operand, StatusName};
use pamt_strategies::platform::Platform;

use super::cx::{Cx, Mode, Step, fail, fail_with, fatal};
use super::layout::{Level, PageType, tdvps};
use super::memory::Object;
use super::pamt::Walked;

/// Pages of a VCPU without L2 VMs, TDVPR included.
pub(super) const TDVPS_PAGES: u16 = 6;
/// Most pages of a VCPU.
pub(super) const MOST_TDVPS_PAGES: u16 = 15;

/// State of a VCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VcpuState {
    Uninitialized = 0,
    Ready = 2,
    Active = 4,
}

/// A VCPU whose TDVPR entry is locked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vcpu {
    pub(super) at: Walked,
    /// First word of its record.
    pub(super) tdvps: usize,
}

impl<P: Platform> Cx<'_, P> {
    /// Walks to an explicit TDVPR operand.
    pub(super) fn vcpu(&self, hpa: u64, mode: Mode, operand: Operand) -> Step<Vcpu> {
        let pfn = self.page_operand(hpa, Level::K4, operand)?;
        let at = self.walk(pfn, Level::K4, mode, operand)?;
        if at.level != Level::K4 || at.page_type() != PageType::Tdvpr {
            return fail(StatusName::PageMetadataIncorrect, operand);
        }
        self.vcpu_at(at)
    }

    /// The VCPU whose locked TDVPR entry is `at`.
    pub(super) fn vcpu_at(&self, at: Walked) -> Step<Vcpu> {
        self.spend(self.module.costs().map_hit);
        match self.module.slots.get(at.pfn) {
            Some(slot) => Ok(Vcpu { at, tdvps: slot as usize * tdvps::WORDS }),
            None => fatal("a TDVPR page without its contents", Some(at.pfn), at.q0),
        }
    }

    pub(super) fn need_vcpu_state(&self, vcpu: &Vcpu, state: VcpuState) -> Step {
        let found = self.load16(Object::Tdvps, vcpu.tdvps, tdvps::VCPU_STATE);
        if found == state as u16 {
            Ok(())
        } else {
            fail_with(StatusName::VcpuStateIncorrect, found.into())
        }
    }

    pub(super) fn set_vcpu_state(&self, vcpu: &Vcpu, state: VcpuState) {
        self.store16(Object::Tdvps, vcpu.tdvps, tdvps::VCPU_STATE, state as u16);
    }
}
