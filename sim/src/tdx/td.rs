//! A TD as a leaf sees it: its TDR and TDCS records, their states and locks.

use pamt_strategies::module::{Operand, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::Pfn;

use super::cx::{Cx, LockAt, LockType, Mode, Step, fail, fail_with, fatal};
use super::layout::{Half, Level, PageType, tdcs, tdr};
use super::memory::Object;
use super::pamt::Walked;

/// Control pages of a TDCS without L2 VMs.
pub(super) const TDCX_PAGES: u16 = 6;
/// Most control pages of a TDCS.
pub(super) const MOST_TDCX_PAGES: u16 = 9;

/// Life cycle of a TD, as TDR stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    HkidAssigned = 0,
    KeysConfigured = 1,
    Blocked = 2,
    Teardown = 3,
}

/// Operation state of a TD, as TDCS stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpState {
    Uninitialized = 0,
    Initialized = 1,
    Runnable = 2,
}

/// Operation states that a leaf is allowed in.
pub(super) const BUILT: &[OpState] = &[OpState::Initialized, OpState::Runnable];

/// A TD whose TDR entry is locked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Td {
    /// Its TDR page.
    pub(super) at: Walked,
    /// First words of its TDR and TDCS records.
    pub(super) tdr: usize,
    pub(super) tdcs: usize,
}

impl Td {
    pub(super) fn pfn(&self) -> Pfn {
        self.at.pfn
    }

    fn lock(&self, kind: LockType, half: Half) -> LockAt {
        LockAt::new(kind, Object::Tdcs, self.tdcs, half)
    }

    pub(super) fn op_state_lock(&self) -> LockAt {
        self.lock(LockType::SharexHp, tdcs::OP_STATE_LOCK)
    }

    pub(super) fn sept_lock(&self) -> LockAt {
        self.lock(LockType::SharexHp, tdcs::SEPT_LOCK)
    }

    pub(super) fn epoch_lock(&self) -> LockAt {
        self.lock(LockType::Sharex, tdcs::EPOCH_LOCK)
    }
}

impl<P: Platform> Cx<'_, P> {
    /// Walks to an explicit TDR operand.
    pub(super) fn td(&self, hpa: u64, mode: Mode, operand: Operand) -> Step<Td> {
        let pfn = self.page_operand(hpa, Level::K4, operand)?;
        let at = self.walk(pfn, Level::K4, mode, operand)?;
        if at.level != Level::K4 || at.page_type() != PageType::Tdr {
            return fail(StatusName::PageMetadataIncorrect, operand);
        }
        self.td_at(at)
    }

    /// Locks the TDR that owns a page, without a walk.
    pub(super) fn owning_td(&self, page: Walked, mode: Mode) -> Step<Td> {
        let at = self.implicit(page.owner(), Level::K4, mode, Operand::TDR)?;
        if at.page_type() != PageType::Tdr {
            return fatal("the owner of a page is no TDR", Some(page.pfn), at.q0);
        }
        self.td_at(at)
    }

    /// The TD whose locked TDR entry is `at`.
    pub(super) fn td_at(&self, at: Walked) -> Step<Td> {
        self.spend(self.module.costs().map_hit);
        match self.module.slots.get(at.pfn) {
            Some(slot) => {
                let slot = slot as usize;
                Ok(Td { at, tdr: slot * tdr::WORDS, tdcs: slot * tdcs::WORDS })
            }
            None => fatal("a TDR page without its contents", Some(at.pfn), at.q0),
        }
    }

    pub(super) fn lifecycle(&self, td: &Td) -> u64 {
        self.load(Object::Tdr, td.tdr + tdr::LIFECYCLE)
    }

    pub(super) fn set_lifecycle(&self, td: &Td, state: Lifecycle) {
        self.store(Object::Tdr, td.tdr + tdr::LIFECYCLE, state as u64);
    }

    pub(super) fn need_lifecycle(&self, td: &Td, state: Lifecycle) -> Step {
        if self.lifecycle(td) == state as u64 {
            Ok(())
        } else {
            fail(StatusName::LifecycleStateIncorrect, Operand::TDR)
        }
    }

    /// The TD's keys are configured and its TDCS pages are there; maps TDCS.
    pub(super) fn need_tdcs(&self, td: &Td) -> Step {
        self.need_sound(td)?;
        self.need_keys(td)?;
        if self.num_tdcx(td) < TDCX_PAGES {
            return fail(StatusName::TdcsNotAllocated, Operand::TDCS);
        }
        self.spend(self.module.costs().map_hit);
        Ok(())
    }

    /// The TD has not met a fatal error. Leaves that tear it down do not ask.
    pub(super) fn need_sound(&self, td: &Td) -> Step {
        if self.load16(Object::Tdr, td.tdr, tdr::FATAL) == 0 {
            Ok(())
        } else {
            fail(StatusName::TdFatal, Operand::TDR)
        }
    }

    pub(super) fn need_keys(&self, td: &Td) -> Step {
        if self.lifecycle(td) == Lifecycle::KeysConfigured as u64 {
            Ok(())
        } else {
            fail(StatusName::TdKeysNotConfigured, Operand::TDR)
        }
    }

    pub(super) fn num_tdcx(&self, td: &Td) -> u16 {
        self.load16(Object::Tdr, td.tdr, tdr::NUM_TDCX)
    }

    pub(super) fn op_state(&self, td: &Td) -> u16 {
        self.load16(Object::Tdcs, td.tdcs, tdcs::OP_STATE)
    }

    pub(super) fn set_op_state(&self, td: &Td, state: OpState) {
        self.store16(Object::Tdcs, td.tdcs, tdcs::OP_STATE, state as u16);
    }

    /// The operation state is one of `allowed`; its lock is held or not needed.
    pub(super) fn need_op_state(&self, td: &Td, allowed: &[OpState]) -> Step {
        let found = self.op_state(td);
        if allowed.iter().any(|state| *state as u16 == found) {
            Ok(())
        } else {
            fail_with(StatusName::OpStateIncorrect, found.into())
        }
    }

    /// The checks of nearly every leaf that holds TDR shared: keys, TDCS, OP_STATE locked shared and
    /// one of `allowed` (`check_any_td_state_map_tdcs_and_lock`).
    pub(super) fn lock_op_state(&self, td: &Td, allowed: &[OpState]) -> Step {
        self.need_tdcs(td)?;
        self.acquire(td.op_state_lock(), Mode::Shared, Operand::OP_STATE)?;
        self.need_op_state(td, allowed)
    }

    /// LOCK XADD on the TD's count of pages.
    pub(super) fn add_children(&self, td: &Td, pages: u64) {
        self.xadd(Object::Tdr, td.tdr + tdr::CHLDCNT, pages);
    }

    /// The same by plain load and store, where TDR is held exclusively.
    pub(super) fn add_children_exclusive(&self, td: &Td, pages: u64) {
        let at = td.tdr + tdr::CHLDCNT;
        self.store(Object::Tdr, at, self.load(Object::Tdr, at) + pages);
    }

    pub(super) fn children(&self, td: &Td) -> u64 {
        self.load(Object::Tdr, td.tdr + tdr::CHLDCNT)
    }
}
