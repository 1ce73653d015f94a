//! TDH.MEM.RANGE.BLOCK and TDH.MEM.TRACK: what must happen before a page may leave a running TD.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::Platform;

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{Level, tdcs};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::sept::{self, EntryState};
use crate::tdx::td::BUILT;

/// Sheet of [`block`].
pub(super) const BLOCK: LeafSheet = LeafSheet {
    leaf: Leaf::MemRangeBlock,
    summary: "blocks an entry for new translations",
    locks: &[TDR_RDX_S, OP_STATE, TREE_X, ENTRY],
    rmw: (14, 14),
    pamt: "writes BEPOCH without a lock",
    work: "entry CMPXCHG",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX]),
        (St::OperandAddrRangeError, &[O::RDX]),
        (St::PageMetadataIncorrect, &[O::RDX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::EptWalkFailed, &[O::RCX]),
        (St::EptEntryStateIncorrect, &[O::RCX]),
        (St::GpaRangeAlreadyBlocked, &[O::RCX]),
    ],
};

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
    let (object, base) = cx.implicit_unlocked(sept::page_of(found, entry), level)?.entry();
    let epoch = cx.load(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH);
    cx.store(object, base + 1, epoch);
    cx.write_entry_locked(entry, sept::with_state(found, blocked));
    Ok(())
}

/// Sheet of [`track`].
pub(super) const TRACK: LeafSheet = LeafSheet {
    leaf: Leaf::MemTrack,
    summary: "starts a new TLB epoch of a TD",
    locks: &[TDR_RCX_S, OP_STATE, lock("TD epoch", X, O::TD_EPOCH)],
    rmw: (10, 10),
    pamt: "none",
    work: "td_epoch + 1",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::PreviousTlbEpochBusy, &[O::TD_EPOCH]),
    ],
};

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
