//! TDH.MEM.PAGE.AUG and .REMOVE: pages of a TD's memory.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::Platform;

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{Level, PageType};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::pamt::Walked;
use crate::tdx::sept::{self, EntryState};
use crate::tdx::td::BUILT;

/// Sheet of [`aug`].
pub(super) const AUG: LeafSheet = LeafSheet {
    leaf: Leaf::MemPageAug,
    summary: "adds a pending page to a TD; 2 MiB pages: 19 locked instructions",
    locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("walk to the page", X, O::R8)],
    rmw: (19, 21),
    pamt: "NDA to REG, page_count + 1 (4 KiB)",
    work: "entry CMPXCHG to PENDING; chldcnt XADD; the page is not touched",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX, O::R8]),
        (St::OperandAddrRangeError, &[O::RDX, O::R8]),
        (St::PageMetadataIncorrect, &[O::RDX, O::R8]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::EptWalkFailed, &[O::RCX]),
        (St::EptEntryStateIncorrect, &[O::RCX]),
        (St::MissingPamtPagePair, &[O::R8]),
    ],
};

/// TDH.MEM.PAGE.AUG: RCX = GPA | level, RDX = TDR, R8 = page. The page is neither read nor written.
pub(super) fn aug<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 0..=1)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Shared, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    cx.need_entry_state(found, entry, &[EntryState::Free], regs)?;
    let page = match gpa.page_level() {
        Level::K4 => cx.walk_free_page(regs.r8, Operand::R8)?,
        _ => walk_free_region(cx, regs.r8)?,
    };
    cx.assign(page, PageType::Reg, td.pfn());
    cx.count_page(page)?;
    cx.add_children(&td, page.level.pages());
    cx.write_entry_and_release(entry, sept::value(EntryState::Pending, page.pfn));
    Ok(())
}

/// A 2 MiB page needs no pair: its region has none, and backs no entries of others.
fn walk_free_region<P: Platform>(cx: &Cx<'_, P>, hpa: u64) -> Step<Walked> {
    let pfn = cx.page_operand(hpa, Level::M2, Operand::R8)?;
    let at = cx.walk(pfn, Level::M2, Mode::Exclusive, Operand::R8)?;
    let free = at.level == Level::M2 && at.page_type() == PageType::Nda;
    if free && cx.no_backing_in(pfn.region()) {
        Ok(at)
    } else {
        fail(StatusName::PageMetadataIncorrect, Operand::R8)
    }
}

/// States that PAGE.REMOVE takes a page from.
const REMOVABLE: &[EntryState] =
    &[EntryState::Mapped, EntryState::Blocked, EntryState::Pending, EntryState::PendingBlocked];

/// Sheet of [`remove`].
pub(super) const REMOVE: LeafSheet = LeafSheet {
    leaf: Leaf::MemPageRemove,
    summary: "takes a page from a TD that has its key",
    locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("4 KiB entry of the page", X, O::RCX)],
    rmw: (16, 18),
    pamt: "REG to NDA, page_count - 1 (hint in RCX)",
    work: "chldcnt XADD; entry CMPXCHG to FREE",
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
        (St::GpaRangeNotBlocked, &[O::RCX]),
        (St::TlbTrackingNotDone, &[O::RCX]),
    ],
};

/// TDH.MEM.PAGE.REMOVE: RCX = GPA | level, RDX = TDR. Out: RCX = page, with the removal hint.
/// The page's entry is reached without a walk: the 2 MiB entry is not locked.
pub(super) fn remove<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 0..=1)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Shared, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    cx.need_entry_state(found, entry, REMOVABLE, regs)?;
    let page = sept::page_of(found, entry);
    let at = cx.implicit(page, gpa.page_level(), Mode::Exclusive, Operand::RCX)?;
    cx.need_tlb_tracked(&td, found, cx.bepoch(at))?;
    cx.unassign(at);
    let hint = cx.uncount_page(at)?;
    cx.add_children(&td, at.level.pages().wrapping_neg());
    cx.write_entry_and_release(entry, sept::FREE);
    regs.rcx = page.hpa() | hint.bit();
    Ok(())
}
