//! TDH.MNG.CREATE, .KEY.CONFIG, .ADDCX and .INIT: a TD from its root page to its first state.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Ordering, Platform, Words};
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::kot::{KotState, PRIVATE_HKIDS};
use crate::tdx::layout::{PageType, globals, tdcs, tdr};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::pamt::Walked;
use crate::tdx::setup::SEPT_ROOT;
use crate::tdx::td::{Lifecycle, MOST_TDCX_PAGES, OpState, Td};

/// Words of a page.
const PAGE_WORDS: usize = PAGE_BYTES as usize / 8;

/// Sheet of [`create`].
pub(super) const CREATE: LeafSheet = LeafSheet {
    leaf: Leaf::MngCreate,
    summary: "creates a TD from its root page and a key id",
    locks: &[lock("walk to TDR", X, O::RCX), KOT_X],
    rmw: (9, 9),
    pamt: "NDA to TDR, page_count + 1",
    work: "4 KiB MOVDIR64B; RDSEED 4 x 64; KOT entry FREE to ASSIGNED",
    costs: &[DIRECT_STORE, "tdx.rdseed_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::MissingPamtPagePair, &[O::RCX]),
        (St::HkidNotFree, &[O::RDX]),
        (St::RndNoEntropy, &[]),
    ],
};

/// TDH.MNG.CREATE: RCX = TDR page, RDX = key id.
pub(super) fn create<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    if !PRIVATE_HKIDS.contains(&regs.rdx) {
        return fail(StatusName::OperandInvalid, Operand::RDX);
    }
    let hkid = regs.rdx;
    let page = cx.walk_free_page(regs.rcx, Operand::RCX)?;
    cx.lock_kot(Mode::Exclusive)?;
    if cx.kot_state(hkid) != KotState::Free as u16 {
        return fail(StatusName::HkidNotFree, Operand::RDX);
    }
    cx.spend_times(cx.module.costs().rdseed, 4);
    if !cx.module.hardware.has_entropy() {
        return fail(StatusName::RndNoEntropy, Operand(0));
    }
    let slot = cx.claim_record(&cx.module.tds, page.pfn, "tds")?;
    zero_record_page(cx, Object::Tdr, slot * tdr::WORDS, page.pfn);
    let td = Td { at: page, tdr: slot * tdr::WORDS, tdcs: slot * tdcs::WORDS };
    cx.store(Object::Tdr, td.tdr + tdr::HKID, hkid);
    cx.set_lifecycle(&td, Lifecycle::HkidAssigned);
    cx.set_kot_state(hkid, KotState::Assigned);
    cx.assign(page, PageType::Tdr, Pfn(0));
    cx.count_page(page)
}

/// A control page's contents, by MOVDIR64B.
pub(super) fn zero_record_page<P: Platform>(
    cx: &Cx<'_, P>,
    object: Object,
    first: usize,
    page: Pfn,
) {
    cx.spend(cx.module.costs().map_miss);
    let home = Some(cx.module.node_of(page));
    let words = cx.words(object, first);
    words.fill(cx.cpu, first..first + PAGE_WORDS, 0, BulkKind::DirectStore, home);
}

/// Sheet of [`key_config`].
pub(super) const KEY_CONFIG: LeafSheet = LeafSheet {
    leaf: Leaf::MngKeyConfig,
    summary: "configures a TD's key on the caller's package",
    locks: &[TDR_RCX_X, lock("key engine of the package (hardware)", X, O::KET)],
    rmw: (6, 6),
    pamt: "none",
    work: "PCONFIG",
    costs: &["tdx.pconfig_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdFatal, &[O::TDR]),
        (St::LifecycleStateIncorrect, &[O::TDR]),
        (St::KeyConfigured, &[]),
        (St::KeyGenerationFailed, &[]),
    ],
};

/// TDH.MNG.KEY.CONFIG: RCX = TDR. Once on each package.
pub(super) fn key_config<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    cx.need_sound(&td)?;
    cx.need_lifecycle(&td, Lifecycle::HkidAssigned)?;
    let package = cx.module.package_of(cx.on);
    let at = td.tdr + tdr::PKG_CONFIG_BITMAP;
    let configured = cx.load(Object::Tdr, at);
    if configured >> package & 1 == 1 {
        return fail(StatusName::KeyConfigured, Operand(0));
    }
    configure_key(cx, package)?;
    let configured = configured | 1 << package;
    cx.store(Object::Tdr, at, configured);
    if configured == (1 << cx.module.config().packages) - 1 {
        cx.set_lifecycle(&td, Lifecycle::KeysConfigured);
    }
    Ok(())
}

/// PCONFIG. The key engine is not the module's: its own lock is no locked instruction of the leaf.
fn configure_key<P: Platform>(cx: &Cx<'_, P>, package: usize) -> Step {
    let at = 8 * package;
    let engine = cx.words(Object::KeyEngine, at);
    if engine.swap(cx.cpu, at, 1, Ordering::AcqRel) == 1 {
        return fail(StatusName::OperandBusy, Operand::KET);
    }
    cx.spend(cx.module.costs().pconfig);
    engine.store(cx.cpu, at, 0, Ordering::Release);
    if cx.module.hardware.has_entropy() {
        Ok(())
    } else {
        fail(StatusName::KeyGenerationFailed, Operand(0))
    }
}

/// Sheet of [`addcx`].
pub(super) const ADDCX: LeafSheet = LeafSheet {
    leaf: Leaf::MngAddcx,
    summary: "adds a control page to a TD",
    locks: &[TDR_RDX_X, lock("walk to the page", X, O::RCX)],
    rmw: (13, 13),
    pamt: "NDA to TDCX, page_count + 1",
    work: "4 KiB MOVDIR64B; chldcnt by plain store",
    costs: &[DIRECT_STORE],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX]),
        (St::OperandAddrRangeError, &[O::RCX, O::RDX]),
        (St::PageMetadataIncorrect, &[O::RCX, O::RDX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::OpStateIncorrect, &[]),
        (St::TdcxNumIncorrect, &[]),
        (St::MissingPamtPagePair, &[O::RCX]),
    ],
};

/// TDH.MNG.ADDCX: RCX = page, RDX = TDR.
pub(super) fn addcx<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rdx, Mode::Exclusive, Operand::RDX)?;
    cx.need_sound(&td)?;
    cx.need_keys(&td)?;
    let index = cx.num_tdcx(&td);
    if index > 0 {
        // The state lies in the first page.
        cx.need_op_state(&td, &[OpState::Uninitialized])?;
    }
    if index >= MOST_TDCX_PAGES {
        return fail(StatusName::TdcxNumIncorrect, Operand(0));
    }
    let page = cx.walk_free_page(regs.rcx, Operand::RCX)?;
    fill_tdcx(cx, &td, usize::from(index), page)?;
    cx.store(Object::Tdr, td.tdr + tdr::TDCX_PA + usize::from(index), page.pfn.hpa());
    cx.store16(Object::Tdr, td.tdr, tdr::NUM_TDCX, index + 1);
    cx.assign(page, PageType::Tdcx, td.pfn());
    cx.count_page(page)?;
    cx.add_children_exclusive(&td, 1);
    Ok(())
}

/// The fourth page is the root table; those beyond the sixth belong to L2 VMs and are not modelled
/// beyond their cost.
fn fill_tdcx<P: Platform>(cx: &Cx<'_, P>, td: &Td, index: usize, page: Walked) -> Step {
    let first = index * PAGE_WORDS;
    if index == SEPT_ROOT {
        return cx.new_table(page.pfn);
    }
    if first < tdcs::WORDS {
        zero_record_page(cx, Object::Tdcs, td.tdcs + first, page.pfn);
    } else {
        let node = cx.module.node_of(page.pfn);
        P::bulk(cx.cpu, BulkKind::DirectStore, PAGE_BYTES, node);
    }
    Ok(())
}

/// Sheet of [`init`].
pub(super) const INIT: LeafSheet = LeafSheet {
    leaf: Leaf::MngInit,
    summary: "initialises a TD",
    locks: &[TDR_RCX_X],
    rmw: (7, 7),
    pamt: "none",
    work: "reads TD_PARAMS, fills tables; td_build_count XADD",
    costs: &["tdx.mng_init_ns"],
    statuses: &[
        (
            St::OperandInvalid,
            &[
                O::RCX,
                O::RDX,
                O::ATTRIBUTES,
                O::XFAM,
                O::EXEC_CONTROLS,
                O::EPTP_CONTROLS,
                O::MAX_VCPUS,
                O::CPUID_CONFIG,
                O::TSC_FREQUENCY,
                O::NUM_L2_VMS,
            ],
        ),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
    ],
};

/// TDH.MNG.INIT: RCX = TDR, RDX = TD_PARAMS (1 KiB, aligned).
pub(super) fn init<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    if !regs.rdx.is_multiple_of(1024) || regs.rdx >> crate::tdx::HKID_SHIFT != 0 {
        return fail(StatusName::OperandInvalid, Operand::RDX);
    }
    cx.need_tdcs(&td)?;
    cx.need_op_state(&td, &[OpState::Uninitialized])?;
    let params = cx.module.td_params.read(regs.rdx);
    if let Err(operand) = params.check() {
        return fail(StatusName::OperandInvalid, operand);
    }
    cx.spend(cx.module.costs().mng_init);
    let root = cx.load(Object::Tdr, td.tdr + tdr::TDCX_PA + SEPT_ROOT);
    cx.store(Object::Tdcs, td.tdcs + tdcs::EPTP, root / PAGE_BYTES);
    cx.store(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH, 1);
    cx.store16(Object::Tdcs, td.tdcs, tdcs::MAX_VCPUS, params.max_vcpus as u16);
    cx.xadd16(Object::Globals, globals::TD_BUILD_COUNT, 1);
    cx.set_op_state(&td, OpState::Initialized);
    Ok(())
}
