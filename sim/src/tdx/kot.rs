//! The key ownership table: which key id belongs to a TD, and how far its caches are written back.

use core::ops::RangeInclusive;

use pamt_strategies::module::Operand;
use pamt_strategies::platform::Platform;

use super::cx::{Cx, LockAt, LockType, Mode, Step};
use super::layout::globals;
use super::memory::Object;

/// The module's own key id.
pub(super) const MODULE_HKID: u64 = 1;
/// Key ids that a TD may have.
pub const PRIVATE_HKIDS: RangeInclusive<u64> = MODULE_HKID + 1..=globals::HKIDS - 1;

/// State of a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KotState {
    Free = 0,
    Assigned = 1,
    Flushed = 2,
    /// The module's own.
    Reserved = 3,
}

impl<P: Platform> Cx<'_, P> {
    pub(super) fn lock_kot(&self, mode: Mode) -> Step {
        let lock = LockAt::new(LockType::Sharex, Object::Globals, 0, globals::KOT_LOCK);
        self.acquire(lock, mode, Operand::KOT)
    }

    pub(super) fn kot_state(&self, hkid: u64) -> u16 {
        self.load16(Object::Globals, 0, globals::kot_state(hkid))
    }

    pub(super) fn set_kot_state(&self, hkid: u64, state: KotState) {
        self.store16(Object::Globals, 0, globals::kot_state(hkid), state as u16);
    }
}
