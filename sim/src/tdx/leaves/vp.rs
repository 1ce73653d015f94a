//! TDH.VP.CREATE, .ADDCX, .INIT and .FLUSH: virtual CPUs.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::PAGE_BYTES;

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{Half, PageType, tdcs, tdvps};
use crate::tdx::leaves::mng::zero_record_page;
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::td::{OpState, Td};
use crate::tdx::vcpu::{MOST_TDVPS_PAGES, TDVPS_PAGES, VcpuState};

/// Sheet of [`create`].
pub(super) const CREATE: LeafSheet = LeafSheet {
    leaf: Leaf::VpCreate,
    summary: "creates a VCPU from its root page",
    locks: &[TDR_RDX_S, OP_STATE, lock("walk to the page", X, O::RCX)],
    rmw: (16, 16),
    pamt: "NDA to TDVPR, page_count + 1",
    work: "4 KiB MOVDIR64B; chldcnt XADD",
    costs: &[DIRECT_STORE],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX]),
        (St::OperandAddrRangeError, &[O::RCX, O::RDX]),
        (St::PageMetadataIncorrect, &[O::RCX, O::RDX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::MissingPamtPagePair, &[O::RCX]),
    ],
};

/// TDH.VP.CREATE: RCX = TDVPR page, RDX = TDR.
pub(super) fn create<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, &[OpState::Initialized])?;
    let page = cx.walk_free_page(regs.rcx, Operand::RCX)?;
    let tdvps = cx.claim_record(&cx.module.vcpus, page.pfn, "vcpus")? * tdvps::WORDS;
    zero_record_page(cx, Object::Tdvps, tdvps, page.pfn);
    cx.store16(Object::Tdvps, tdvps, tdvps::NUM_TDVPS, 1);
    cx.store(Object::Tdvps, tdvps + tdvps::ASSOC_LPID, tdvps::NO_LPID);
    cx.assign(page, PageType::Tdvpr, td.pfn());
    cx.count_page(page)?;
    cx.add_children(&td, 1);
    Ok(())
}

/// Sheet of [`addcx`].
pub(super) const ADDCX: LeafSheet = LeafSheet {
    leaf: Leaf::VpAddcx,
    summary: "adds a control page to a VCPU",
    locks: &[
        lock("walk to TDVPR", X, O::RDX),
        OWNER_S,
        OP_STATE,
        lock("walk to the page", X, O::RCX),
    ],
    rmw: (18, 18),
    pamt: "NDA to TDCX, page_count + 1",
    work: "4 KiB MOVDIR64B; chldcnt XADD",
    costs: &[DIRECT_STORE],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX]),
        (St::OperandAddrRangeError, &[O::RCX, O::RDX]),
        (St::PageMetadataIncorrect, &[O::RCX, O::RDX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::OpStateIncorrect, &[]),
        (St::VcpuStateIncorrect, &[]),
        (St::TdcxNumIncorrect, &[]),
        (St::MissingPamtPagePair, &[O::RCX]),
    ],
};

/// TDH.VP.ADDCX: RCX = page, RDX = TDVPR.
pub(super) fn addcx<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let vcpu = cx.vcpu(regs.rdx, Mode::Exclusive, Operand::RDX)?;
    let td = cx.owning_td(vcpu.at, Mode::Shared)?;
    cx.lock_op_state(&td, &[OpState::Initialized])?;
    cx.need_vcpu_state(&vcpu, VcpuState::Uninitialized)?;
    let index = cx.load16(Object::Tdvps, vcpu.tdvps, tdvps::NUM_TDVPS);
    if index >= MOST_TDVPS_PAGES {
        return fail(StatusName::TdcxNumIncorrect, Operand(0));
    }
    let page = cx.walk_free_page(regs.rcx, Operand::RCX)?;
    let first = usize::from(index) * PAGE_BYTES as usize / 8;
    if first < tdvps::WORDS {
        zero_record_page(cx, Object::Tdvps, vcpu.tdvps + first, page.pfn);
    } else {
        let node = cx.module.node_of(page.pfn);
        P::bulk(cx.cpu, BulkKind::DirectStore, PAGE_BYTES, node);
    }
    cx.store16(Object::Tdvps, vcpu.tdvps, tdvps::NUM_TDVPS, index + 1);
    cx.assign(page, PageType::Tdcx, td.pfn());
    cx.count_page(page)?;
    cx.add_children(&td, 1);
    Ok(())
}

/// Sheet of [`init`].
pub(super) const INIT: LeafSheet = LeafSheet {
    leaf: Leaf::VpInit,
    summary: "initialises a VCPU; from version 1 on the TD is held exclusively",
    locks: &[
        lock("walk to TDVPR", X, O::RCX),
        lock("4 KiB entry of the owning TDR (X from version 1)", S, O::TDR),
        OP_STATE,
    ],
    rmw: (12, 12),
    pamt: "none",
    work: "VMCS initialisation; num_vcpus and num_assoc_vcpus XADD",
    costs: &["tdx.vp_init_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::OpStateIncorrect, &[]),
        (St::VcpuStateIncorrect, &[]),
        (St::TdcxNumIncorrect, &[]),
        (St::X2apicIdNotUnique, &[O::R8]),
        (St::MaxVcpusExceeded, &[]),
    ],
};

/// TDH.VP.INIT: RCX = TDVPR; from version 1 on R8 = x2APIC id, which must be unique in the TD, and
/// the TD is held exclusively: parallel calls meet OPERAND_BUSY|TDR.
pub(super) fn init<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let with_id = regs.rax >> 16 & 0xff >= 1;
    let vcpu = cx.vcpu(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    let td = cx.owning_td(vcpu.at, if with_id { Mode::Exclusive } else { Mode::Shared })?;
    cx.lock_op_state(&td, &[OpState::Initialized])?;
    cx.need_vcpu_state(&vcpu, VcpuState::Uninitialized)?;
    if cx.load16(Object::Tdvps, vcpu.tdvps, tdvps::NUM_TDVPS) < TDVPS_PAGES {
        return fail(StatusName::TdcxNumIncorrect, Operand(0));
    }
    let index = number_vcpu(cx, &td, with_id.then_some(regs.r8 as u32))?;
    cx.spend(cx.module.costs().vp_init);
    cx.add16(Object::Tdcs, td.tdcs, tdcs::NUM_ASSOC_VCPUS, 1);
    cx.store(Object::Tdvps, vcpu.tdvps + tdvps::ASSOC_LPID, cx.on.0.into());
    cx.set_vcpu_state(&vcpu, VcpuState::Ready);
    store_id(cx, &td, index, regs.r8 as u32);
    Ok(())
}

/// The number of a new VCPU in its TD, after the check of its x2APIC id.
fn number_vcpu<P: Platform>(cx: &Cx<'_, P>, td: &Td, id: Option<u32>) -> Step<u16> {
    let most = cx.load16(Object::Tdcs, td.tdcs, tdcs::MAX_VCPUS);
    let count = cx.load16(Object::Tdcs, td.tdcs, tdcs::NUM_VCPUS);
    if id.is_some_and(|id| (0..count).any(|other| load_id(cx, td, other) == id)) {
        return fail(StatusName::X2apicIdNotUnique, Operand::R8);
    }
    if count >= most {
        return fail(StatusName::MaxVcpusExceeded, Operand(0));
    }
    let index = cx.add16(Object::Tdcs, td.tdcs, tdcs::NUM_VCPUS, 1);
    if index >= most {
        // Another call of version 0 came in between; TDR is only shared there.
        cx.add16(Object::Tdcs, td.tdcs, tdcs::NUM_VCPUS, 1_u16.wrapping_neg());
        return fail(StatusName::MaxVcpusExceeded, Operand(0));
    }
    Ok(index)
}

fn id_halves(index: u16) -> [Half; 2] {
    let word = tdcs::X2APIC_IDS + usize::from(index) / 2;
    let half = u32::from(index) % 2 * 2;
    [Half { word, half }, Half { word, half: half + 1 }]
}

fn load_id<P: Platform>(cx: &Cx<'_, P>, td: &Td, index: u16) -> u32 {
    let [low, high] = id_halves(index).map(|at| u32::from(cx.load16(Object::Tdcs, td.tdcs, at)));
    low | high << 16
}

fn store_id<P: Platform>(cx: &Cx<'_, P>, td: &Td, index: u16, id: u32) {
    let [low, high] = id_halves(index);
    cx.store16(Object::Tdcs, td.tdcs, low, id as u16);
    cx.store16(Object::Tdcs, td.tdcs, high, (id >> 16) as u16);
}

/// Sheet of [`flush`].
pub(super) const FLUSH: LeafSheet = LeafSheet {
    leaf: Leaf::VpFlush,
    summary: "takes a VCPU from the CPU that it is associated with",
    locks: &[lock("walk to TDVPR", X, O::RCX), OWNER_S],
    rmw: (9, 9),
    pamt: "none",
    work: "INVEPT, VMCLEAR; num_assoc_vcpus XADD",
    costs: &["tdx.vp_flush_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::VcpuNotAssociated, &[]),
    ],
};

/// TDH.VP.FLUSH: RCX = TDVPR. On the CPU that the VCPU is associated with.
pub(super) fn flush<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let vcpu = cx.vcpu(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    let td = cx.owning_td(vcpu.at, Mode::Shared)?;
    cx.need_keys(&td)?;
    let at = vcpu.tdvps + tdvps::ASSOC_LPID;
    if cx.load(Object::Tdvps, at) != u64::from(cx.on.0) {
        return fail(StatusName::VcpuNotAssociated, Operand(0));
    }
    cx.spend(cx.module.costs().vp_flush);
    cx.store(Object::Tdvps, at, tdvps::NO_LPID);
    cx.add16(Object::Tdcs, td.tdcs, tdcs::NUM_ASSOC_VCPUS, 1_u16.wrapping_neg());
    Ok(())
}
