//! TDH.PHYMEM.PAGE.RDMD, .RECLAIM and .WBINVD: leaves that name a page by its address alone.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::PAGE_BYTES;

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{self, HKID_SHIFT, Level, PageType};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::pamt::Walked;
use crate::tdx::td::Lifecycle;

/// RDMD, RCX out: the entry has a level below it.
const NON_LEAF: u64 = 1 << 63;

/// Sheet of [`rdmd`].
pub(super) const RDMD: LeafSheet = LeafSheet {
    leaf: Leaf::PhymemPageRdmd,
    summary: "reads the metadata of a page at the level asked for",
    locks: &[lock("walk to the page", S, O::RCX)],
    rmw: (2, 6),
    pamt: "none",
    work: "out: type, owner, level, BEPOCH, pair",
    costs: &[],
    statuses: &[(St::OperandInvalid, &[O::RCX]), (St::OperandAddrRangeError, &[O::RCX])],
};

/// TDH.PHYMEM.PAGE.RDMD: RCX = address | level (bits 2:0). Out: RCX type, R8 level found, R9 BEPOCH,
/// R10 and R11 the pair.
pub(super) fn rdmd<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let Some(level) = Level::from_code(regs.rcx & 7) else {
        return fail(StatusName::OperandInvalid, Operand::RCX);
    };
    let pfn = cx.page_operand(regs.rcx & !7, level, Operand::RCX)?;
    let at = cx.walk(pfn, level, Mode::Shared, Operand::RCX)?;
    let (object, base) = at.entry();
    let q1 = cx.load(object, base + 1);
    let has_pair = at.level == Level::M2 && at.page_type() == PageType::Pamt;
    regs.rcx = at.page_type() as u64 | if has_pair { NON_LEAF } else { 0 };
    regs.rdx = if has_pair { 0 } else { at.owner().hpa() };
    regs.r8 = at.level as u64;
    regs.r9 = if has_pair { 0 } else { cx.bepoch(at) };
    let pair = layout::pair_of(at.q0, q1);
    [regs.r10, regs.r11] = if has_pair { pair.map(|page| page.hpa()) } else { [0; 2] };
    Ok(())
}

/// Sheet of [`reclaim`].
pub(super) const RECLAIM: LeafSheet = LeafSheet {
    leaf: Leaf::PhymemPageReclaim,
    summary: "takes a page from a TD whose key id is freed; the TDR page last, with 7",
    locks: &[lock("walk to the page", X, O::RCX), OWNER_S],
    rmw: (7, 10),
    pamt: "any to NDA, page_count - 1 (hint in R9)",
    work: "chldcnt XADD",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::LifecycleStateIncorrect, &[O::TDR]),
        (St::TdAssociatedPagesExist, &[O::TDR]),
    ],
};

/// TDH.PHYMEM.PAGE.RECLAIM: takes a page from a TD whose key id is freed. Out: RCX type, RDX owner,
/// R8 level, R9 bit 62 the removal hint.
pub(super) fn reclaim<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let pfn = cx.page_operand(regs.rcx, Level::K4, Operand::RCX)?;
    let at = cx.walk(pfn, Level::K4, Mode::Exclusive, Operand::RCX)?;
    if at.level != Level::K4 && !pfn.0.is_multiple_of(at.level.pages()) {
        return fail(StatusName::OperandInvalid, Operand::RCX);
    }
    match at.page_type() {
        PageType::Nda | PageType::Rsvd | PageType::Pamt => {
            return fail(StatusName::PageMetadataIncorrect, Operand::RCX);
        }
        PageType::Tdr => reclaim_tdr(cx, regs.rcx, at)?,
        _ => {
            let td = cx.owning_td(at, Mode::Shared)?;
            cx.need_lifecycle(&td, Lifecycle::Teardown)?;
            cx.add_children(&td, at.level.pages().wrapping_neg());
        }
    }
    forget_contents(cx, at);
    cx.unassign(at);
    let hint = cx.uncount_page(at)?;
    regs.rcx = at.page_type() as u64;
    regs.rdx = at.owner().hpa();
    regs.r8 = at.level as u64;
    regs.r9 = hint.bit();
    Ok(())
}

/// The last page of a TD: nothing may be associated with it any more.
fn reclaim_tdr<P: Platform>(cx: &Cx<'_, P>, hpa: u64, at: Walked) -> Step {
    debug_assert_eq!(hpa, at.pfn.hpa());
    let td = cx.td_at(at)?;
    cx.need_lifecycle(&td, Lifecycle::Teardown)?;
    if cx.children(&td) != 0 {
        return fail(StatusName::TdAssociatedPagesExist, Operand::TDR);
    }
    Ok(())
}

/// Gives the record of a control page back to its pool.
fn forget_contents<P: Platform>(cx: &Cx<'_, P>, at: Walked) {
    let pool = match at.page_type() {
        PageType::Tdr => &cx.module.tds,
        PageType::Tdvpr => &cx.module.vcpus,
        // The root table is a TDCX page.
        PageType::Ept | PageType::Tdcx => &cx.module.sept_pages,
        _ => return,
    };
    if let Some(slot) = cx.module.slots.take(at.pfn) {
        pool.release(slot);
    }
}

/// Sheet of [`wbinvd`].
pub(super) const WBINVD: LeafSheet = LeafSheet {
    leaf: Leaf::PhymemPageWbinvd,
    summary: "writes the lines of a free page back",
    locks: &[lock("walk to the page", S, O::RCX)],
    rmw: (4, 6),
    pamt: "must be NDA",
    work: "64 CLFLUSHOPT",
    costs: &["memory.flush_line_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
    ],
};

/// TDH.PHYMEM.PAGE.WBINVD: writes the lines of a free page back that a key id has left in caches.
pub(super) fn wbinvd<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let hpa = regs.rcx & ((1 << HKID_SHIFT) - 1);
    let pfn = cx.page_operand(hpa, Level::K4, Operand::RCX)?;
    let at = cx.walk(pfn, Level::K4, Mode::Shared, Operand::RCX)?;
    if at.page_type() != PageType::Nda {
        return fail(StatusName::PageMetadataIncorrect, Operand::RCX);
    }
    cx.spend(cx.module.costs().map_miss);
    P::bulk(cx.cpu, BulkKind::Flush, PAGE_BYTES, cx.module.node_of(pfn));
    Ok(())
}
