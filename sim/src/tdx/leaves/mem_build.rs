//! TDH.MEM.PAGE.ADD, TDH.MR.EXTEND and TDH.MR.FINALIZE: the initial memory of a TD and its
//! measurement. All hold the TD exclusively, so the Secure EPT is changed by plain stores.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::PAGE_BYTES;

use crate::tdx::HKID_SHIFT;
use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{PageType, globals, tdcs};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::sept::{self, EntryState, report_entry};
use crate::tdx::td::OpState;

/// Bytes that one MR.EXTEND measures.
const EXTEND_BYTES: u64 = 256;

/// Sheet of [`add`].
pub(super) const ADD: LeafSheet = LeafSheet {
    leaf: Leaf::MemPageAdd,
    summary: "adds an initial page with its contents",
    locks: &[TDR_RDX_X, lock("walk to the page", X, O::R8)],
    rmw: (13, 13),
    pamt: "NDA to REG, page_count + 1",
    work: "4 KiB copy, one SHA-384 block; chldcnt and entry by plain stores",
    costs: &[SCAN, DIRECT_STORE, SHA384],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX, O::R8, O::R9]),
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

/// TDH.MEM.PAGE.ADD: RCX = GPA, RDX = TDR, R8 = page, R9 = source page.
pub(super) fn add<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 0..=0)?;
    if !regs.r9.is_multiple_of(PAGE_BYTES) || regs.r9 >> HKID_SHIFT != 0 {
        return fail(StatusName::OperandInvalid, Operand::R9);
    }
    let td = cx.td(regs.rdx, Mode::Exclusive, Operand::RDX)?;
    cx.need_tdcs(&td)?;
    cx.need_op_state(&td, &[OpState::Initialized])?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.load(Object::Sept, entry.word);
    cx.need_entry_state(found, entry, &[EntryState::Free], regs)?;
    let page = cx.walk_free_page(regs.r8, Operand::R8)?;
    cx.spend(cx.module.costs().map_miss);
    P::bulk(cx.cpu, BulkKind::Copy, PAGE_BYTES, cx.module.node_of(page.pfn));
    cx.spend(cx.module.costs().sha384_block);
    cx.assign(page, PageType::Reg, td.pfn());
    cx.count_page(page)?;
    cx.add_children_exclusive(&td, 1);
    cx.store(Object::Sept, entry.word, sept::value(EntryState::Mapped, page.pfn));
    Ok(())
}

/// Sheet of [`extend`].
pub(super) const EXTEND: LeafSheet = LeafSheet {
    leaf: Leaf::MrExtend,
    summary: "measures 256 bytes of an initial page",
    locks: &[TDR_RDX_X],
    rmw: (6, 6),
    pamt: "none",
    work: "three SHA-384 blocks",
    costs: &[SCAN, SHA384],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX]),
        (St::OperandAddrRangeError, &[O::RDX]),
        (St::PageMetadataIncorrect, &[O::RDX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::EptWalkFailed, &[O::RCX]),
        (St::EptEntryNotPresent, &[O::RCX]),
    ],
};

/// TDH.MR.EXTEND: RCX = GPA of 256 bytes, RDX = TDR.
pub(super) fn extend<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    if !regs.rcx.is_multiple_of(EXTEND_BYTES) {
        return fail(StatusName::OperandInvalid, Operand::RCX);
    }
    let gpa = sept::gpa_operand(regs.rcx & !(PAGE_BYTES - 1), 0..=0)?;
    let td = cx.td(regs.rdx, Mode::Exclusive, Operand::RDX)?;
    cx.need_tdcs(&td)?;
    cx.need_op_state(&td, &[OpState::Initialized])?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.load(Object::Sept, entry.word);
    if EntryState::of(found) != EntryState::Mapped {
        report_entry(regs, found, entry.level);
        return fail(StatusName::EptEntryNotPresent, Operand::RCX);
    }
    let node = cx.module.node_of(sept::page_of(found, entry));
    P::bulk(cx.cpu, BulkKind::Scan, EXTEND_BYTES, node);
    // One block of header, two of data.
    cx.spend_times(cx.module.costs().sha384_block, 3);
    Ok(())
}

/// Sheet of [`finalize`].
pub(super) const FINALIZE: LeafSheet = LeafSheet {
    leaf: Leaf::MrFinalize,
    summary: "ends the build of a TD",
    locks: &[TDR_RCX_X],
    rmw: (7, 7),
    pamt: "none",
    work: "SHA-384 of the end; td_build_count XADD",
    costs: &[SHA384],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::NoVcpus, &[]),
    ],
};

/// TDH.MR.FINALIZE: RCX = TDR.
pub(super) fn finalize<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    cx.need_tdcs(&td)?;
    cx.need_op_state(&td, &[OpState::Initialized])?;
    if cx.load16(Object::Tdcs, td.tdcs, tdcs::NUM_VCPUS) == 0 {
        return fail(StatusName::NoVcpus, Operand(0));
    }
    cx.spend(cx.module.costs().sha384_block);
    cx.xadd16(Object::Globals, globals::TD_BUILD_COUNT, 1_u16.wrapping_neg());
    cx.set_op_state(&td, OpState::Runnable);
    Ok(())
}
