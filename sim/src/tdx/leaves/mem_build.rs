//! TDH.MEM.PAGE.ADD, TDH.MR.EXTEND and TDH.MR.FINALIZE: the initial memory of a TD and its
//! measurement. All hold the TD exclusively, so the Secure EPT is changed by plain stores.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::PAGE_BYTES;

use crate::tdx::HKID_SHIFT;
use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{PageType, globals, tdcs};
use crate::tdx::memory::Object;
use crate::tdx::sept::{self, EntryState, report_entry};
use crate::tdx::td::OpState;

/// Bytes that one MR.EXTEND measures.
const EXTEND_BYTES: u64 = 256;

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
