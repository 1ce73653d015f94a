//! TDH.MEM.RANGE.BLOCK and TDH.MEM.TRACK: what must happen before a page may leave a running TD.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::Platform;

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{Level, tdcs};
use crate::tdx::memory::Object;
use crate::tdx::pamt::entry_at;
use crate::tdx::sept::{self, EntryState};
use crate::tdx::td::BUILT;

/// TDH.MEM.RANGE.BLOCK: RCX = GPA | level, RDX = TDR. The epoch goes into the PAMT entry of the page
/// (or table) without any PAMT lock.
pub(super) fn block<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 0..=sept::ROOT_LEVEL)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Exclusive, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    let blocked = match EntryState::of(found) {
        EntryState::Mapped => EntryState::Blocked,
        EntryState::Pending => EntryState::PendingBlocked,
        EntryState::NlMapped => EntryState::NlBlocked,
        EntryState::Free => return cx.wrong_entry_state(found, entry, regs),
        _ => return fail(StatusName::GpaRangeAlreadyBlocked, Operand::RCX),
    };
    let level = if blocked == EntryState::NlBlocked { Level::K4 } else { gpa.page_level() };
    let (object, base) = entry_at(sept::page_of(found, entry), level);
    let epoch = cx.load(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH);
    cx.store(object, base + 1, epoch);
    cx.write_entry_locked(entry, sept::with_state(found, blocked));
    Ok(())
}

/// TDH.MEM.TRACK: RCX = TDR. Starts a new epoch, unless a VCPU of the previous one is still inside.
pub(super) fn track<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rcx, Mode::Shared, Operand::RCX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.epoch_lock(), Mode::Exclusive, Operand::TD_EPOCH)?;
    let at = td.tdcs + tdcs::TD_EPOCH;
    let epoch = cx.load(Object::Tdcs, at);
    let previous = tdcs::EPOCH_REFCOUNT[(epoch.wrapping_sub(1) & 1) as usize];
    if cx.load16(Object::Tdcs, td.tdcs, previous) != 0 {
        return fail(StatusName::PreviousTlbEpochBusy, Operand::TD_EPOCH);
    }
    cx.store(Object::Tdcs, at, epoch + 1);
    Ok(())
}
