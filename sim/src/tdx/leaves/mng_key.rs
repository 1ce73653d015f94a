//! The end of a TD's key: TDH.MNG.VPFLUSHDONE, TDH.PHYMEM.CACHE.WB, TDH.MNG.KEY.FREEID and
//! .RECLAIMID.
//!
//! CACHE.WB holds the KOT shared for its whole length (milliseconds), so VPFLUSHDONE, FREEID and
//! CREATE of other TDs meet OPERAND_BUSY|KOT meanwhile.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{Platform, Until, Words};

use crate::tdx::cx::{Cx, LockAt, LockType, Mode, Step, fail};
use crate::tdx::kot::{KotState, PRIVATE_HKIDS};
use crate::tdx::layout::{globals, tdcs, tdr, wbt};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::td::{Lifecycle, OpState, TDCX_PAGES};

/// Blocks of a package's cache, as CACHE.WB goes through them.
const CACHE_BLOCKS: u64 = 16;

/// Sheet of [`vpflushdone`].
pub(super) const VPFLUSHDONE: LeafSheet = LeafSheet {
    leaf: Leaf::MngVpflushdone,
    summary: "says that all VCPUs of a TD are flushed",
    locks: &[TDR_RCX_X, KOT_X],
    rmw: (8, 9),
    pamt: "none",
    work: "KOT entry ASSIGNED to FLUSHED; life cycle to BLOCKED",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::LifecycleStateIncorrect, &[O::TDR]),
        (St::FlushvpNotDone, &[]),
    ],
};

/// TDH.MNG.VPFLUSHDONE: RCX = TDR.
pub(super) fn vpflushdone<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    cx.lock_kot(Mode::Exclusive)?;
    let lifecycle = cx.lifecycle(&td);
    if lifecycle > Lifecycle::KeysConfigured as u64 {
        return fail(StatusName::LifecycleStateIncorrect, Operand::TDR);
    }
    if cx.num_tdcx(&td) >= TDCX_PAGES {
        if cx.load16(Object::Tdcs, td.tdcs, tdcs::NUM_ASSOC_VCPUS) != 0 {
            return fail(StatusName::FlushvpNotDone, Operand(0));
        }
        if cx.op_state(&td) == OpState::Initialized as u16 {
            cx.xadd16(Object::Globals, globals::TD_BUILD_COUNT, 1_u16.wrapping_neg());
        }
    }
    let hkid = cx.load(Object::Tdr, td.tdr + tdr::HKID);
    let all_packages = (1 << cx.module.config().packages) - 1;
    cx.store16(Object::Globals, 0, globals::kot_wbinvd_bitmap(hkid), all_packages);
    cx.set_kot_state(hkid, KotState::Flushed);
    cx.set_lifecycle(&td, Lifecycle::Blocked);
    Ok(())
}

/// Sheet of [`cache_wb`].
pub(super) const CACHE_WB: LeafSheet = LeafSheet {
    leaf: Leaf::PhymemCacheWb,
    summary: "writes a package's caches back; one more locked instruction a key id",
    locks: &[
        lock("WBT entry of the package", X, O::WBCACHE),
        lock("KOT (held for the whole call)", S, O::KOT),
    ],
    rmw: (5, 2051),
    pamt: "none",
    work: "16 blocks; a timer interrupt ends the call, RCX = 1 resumes",
    costs: &[SCAN, "tdx.cache_wb_block_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::NoHkidReadyToWbcache, &[]),
        (St::WbcacheResumeError, &[O::RCX]),
        (St::InterruptedResumable, &[]),
    ],
};

/// TDH.PHYMEM.CACHE.WB: RCX = 0 starts, 1 resumes. At least one block is done a call; an
/// interrupt then ends it.
///
/// A host has all packages do it at the same time and waits for the slowest. So what another package
/// does for the caller passes beside the caller's own call, and takes no time of it.
pub(super) fn cache_wb<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    if regs.rcx > 1 {
        return fail(StatusName::OperandInvalid, Operand::RCX);
    }
    let package = cx.module.package_of(cx.on);
    let base = package * wbt::WORDS;
    let mutex = LockAt::new(LockType::Mutex, Object::Wbt, base, wbt::MUTEX);
    cx.acquire(mutex, Mode::Exclusive, Operand::WBCACHE)?;
    cx.lock_kot(Mode::Shared)?;
    let next = cx.load(Object::Wbt, base + wbt::NEXT_BLOCK);
    if regs.rcx == 1 && next == 0 {
        return fail(StatusName::WbcacheResumeError, Operand::RCX);
    }
    let first = if regs.rcx == 1 { next } else { 0 };
    if flushed_hkid(cx, package, FIRST).is_none() {
        return fail(StatusName::NoHkidReadyToWbcache, Operand(0));
    }
    write_back(cx, base, first)?;
    let mut from = FIRST;
    while let Some(hkid) = flushed_hkid(cx, package, from) {
        cx.and16(Object::Globals, globals::kot_wbinvd_bitmap(hkid), !(1 << package));
        from = hkid + 1;
    }
    Ok(())
}

const FIRST: u64 = *PRIVATE_HKIDS.start();

/// The first key id from `from` on whose lines this package may still hold.
fn flushed_hkid<P: Platform>(cx: &Cx<'_, P>, package: usize, from: u64) -> Option<u64> {
    let word = |hkid: u64| globals::kot_wbinvd_bitmap(hkid).word;
    let range = word(from)..word(*PRIVATE_HKIDS.end()) + 1;
    if range.is_empty() {
        return None;
    }
    let words = cx.words(Object::Globals, range.start);
    let found = words.scan(cx.cpu, range.clone(), 1, Until::bits_ne(1 << package, 0))?;
    Some(from + (found - range.start) as u64)
}

fn write_back<P: Platform>(cx: &Cx<'_, P>, base: usize, first: u64) -> Step {
    let watch = cx.watch_interrupts();
    let own = cx.module.package_of(P::cpu(cx.cpu)) == cx.module.package_of(cx.on);
    for block in first..CACHE_BLOCKS {
        if own {
            cx.spend(cx.module.costs().cache_wb_block);
        }
        let next = block + 1;
        if next < CACHE_BLOCKS && cx.interrupted(watch) {
            cx.store(Object::Wbt, base + wbt::NEXT_BLOCK, next);
            return fail(StatusName::InterruptedResumable, Operand(0));
        }
    }
    cx.store(Object::Wbt, base + wbt::NEXT_BLOCK, 0);
    Ok(())
}

/// Sheet of [`freeid`].
pub(super) const FREEID: LeafSheet = LeafSheet {
    leaf: Leaf::MngKeyFreeid,
    summary: "frees a TD's key id",
    locks: &[TDR_RCX_X, KOT_X],
    rmw: (8, 8),
    pamt: "none",
    work: "KOT entry FLUSHED to FREE; life cycle to TEARDOWN",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::LifecycleStateIncorrect, &[O::TDR]),
        (St::WbcacheNotComplete, &[]),
    ],
};

/// TDH.MNG.KEY.FREEID: RCX = TDR.
pub(super) fn freeid<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let td = cx.td(regs.rcx, Mode::Exclusive, Operand::RCX)?;
    cx.lock_kot(Mode::Exclusive)?;
    cx.need_lifecycle(&td, Lifecycle::Blocked)?;
    let hkid = cx.load(Object::Tdr, td.tdr + tdr::HKID);
    if cx.load16(Object::Globals, 0, globals::kot_wbinvd_bitmap(hkid)) != 0 {
        return fail(StatusName::WbcacheNotComplete, Operand(0));
    }
    cx.set_kot_state(hkid, KotState::Free);
    cx.set_lifecycle(&td, Lifecycle::Teardown);
    Ok(())
}

/// Sheet of TDH.MNG.KEY.RECLAIMID, which does nothing.
pub(super) const RECLAIMID: LeafSheet = LeafSheet {
    leaf: Leaf::MngKeyReclaimid,
    summary: "does nothing, always SUCCESS",
    locks: &[],
    rmw: (0, 0),
    pamt: "none",
    work: "none",
    costs: &[],
    statuses: &[],
};
