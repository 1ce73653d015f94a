//! TDH.PHYMEM.PAMT.ADD and .REMOVE (tdx-module.md 2.3 and 2.4).
//!
//! ADD holds the target's 2 MiB entry exclusively while it claims and zeroes the pair, and the
//! regions of the two backing pages shared; REMOVE holds only its target. Neither waits.

use pamt_strategies::measure::Observation;
use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform, Until, Words};
use pamt_strategies::units::{PAGES_PER_REGION, Pfn, Region};

use crate::tdx::config::{BackingLock, TargetLock};
use crate::tdx::cx::{Cx, Mode, Step, fail, fail_with, fatal};
use crate::tdx::layout::{self, Half, Level, PageType};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::pamt::Walked;

/// Entries in one page of a pair.
const ENTRIES_PER_PAGE: u64 = PAGES_PER_REGION / 2;

/// Steps 1, 2 and 5: dynamic mode, the format of RCX, and that the region is managed.
fn target<P: Platform>(cx: &Cx<'_, P>, rcx: u64) -> Step<Region> {
    if rcx & 0xfff != Level::M2 as u64 {
        return fail(StatusName::OperandInvalid, Operand::RCX);
    }
    Ok(cx.page_operand(rcx & !0xfff, Level::M2, Operand::RCX)?.region())
}

fn need_dynamic<P: Platform>(cx: &Cx<'_, P>) -> Step {
    if cx.module.config().dynamic { Ok(()) } else { fail(StatusName::OperandInvalid, Operand::RAX) }
}

/// Sheet of [`add`].
pub(super) const ADD: LeafSheet = LeafSheet {
    leaf: Leaf::PhymemPamtAdd,
    summary: "gives a page pair to a region",
    locks: &[
        lock("2 MiB entry of the target (S, then promoted)", X, O::RCX),
        lock("walk to backing page 0, if outside the target", S, O::RDX),
        lock("walk to backing page 1, if outside the target", S, O::R8),
    ],
    rmw: (7, 19),
    pamt: "2 MiB NDA to PAMT, page_count 0",
    work: "8 KiB MOVDIR64B; 2 bitmap BTS",
    costs: &[DIRECT_STORE],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX, O::R8]),
        (St::OperandAddrRangeError, &[O::RCX, O::RDX, O::R8]),
        (St::HpaRangeNotFree, &[O::RCX]),
        (St::PageNotFree, &[O::RDX, O::R8]),
    ],
};

/// TDH.PHYMEM.PAMT.ADD.
pub(super) fn add<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    need_dynamic(cx)?;
    if regs.rcx & 0xfff != Level::M2 as u64 {
        return fail(StatusName::OperandInvalid, Operand::RCX);
    }
    let page0 = cx.page_operand(regs.rdx, Level::K4, Operand::RDX)?;
    let page1 = cx.page_operand(regs.r8, Level::K4, Operand::R8)?;
    let region = target(cx, regs.rcx)?;
    let entry = lock_target(cx, region)?;
    let pair = [(page0, Operand::RDX), (page1, Operand::R8)];
    let claimed = claim_pair(cx, region, pair, true);
    let (object, base) = entry.entry();
    if claimed.is_err() && cx.module.config().locking.target == TargetLock::Shared {
        cx.store_above_lock(object, base, 0);
    }
    claimed?;
    write_pair(cx, region, [page0, page1], 0);
    let [q0, q1] = layout::pair_entry([page0, page1], 0);
    cx.store(object, base + 1, q1);
    cx.store_above_lock(object, base, q0);
    P::observe(cx.cpu, Observation::Pair { region, added: true });
    Ok(())
}

/// Steps 6 and 7: the target's entry, exclusive (or claimed, in the what-if) and without a pair.
fn lock_target<P: Platform>(cx: &Cx<'_, P>, region: Region) -> Step<Walked> {
    let mode = match cx.module.config().locking.target {
        TargetLock::Exclusive => Mode::Exclusive,
        TargetLock::Shared => Mode::Shared,
    };
    let entry = cx.walk(region.first_pfn(), Level::M2, mode, Operand::RCX)?;
    let free = entry.level == Level::M2 && entry.page_type() == PageType::Nda;
    if !free || mode == Mode::Shared && !claim_type(cx, entry) {
        return fail(StatusName::HpaRangeNotFree, Operand::RCX);
    }
    Ok(entry)
}

/// What-if: the type goes NDA to RSVD by one CMPXCHG, so that one of several sharers wins.
fn claim_type<P: Platform>(cx: &Cx<'_, P>, entry: Walked) -> bool {
    let (object, base) = entry.entry();
    cx.cas16(object, Half { word: base, half: 1 }, 0, PageType::Rsvd as u16).is_ok()
}

/// Steps 8 to 10: the backing pages are free, and from now on claimed. `exempt`: a page inside the
/// region itself is not walked (ADD; DEMOTE has no such exemption).
pub(super) fn claim_pair<P: Platform>(
    cx: &Cx<'_, P>,
    region: Region,
    pair: [(Pfn, Operand); 2],
    exempt: bool,
) -> Step {
    for (page, operand) in pair {
        let walked = cx.module.config().locking.backing == BackingLock::Shared;
        if walked && !(exempt && page.region() == region) {
            let at = cx.walk(page, Level::K4, Mode::Shared, operand)?;
            if at.page_type() != PageType::Nda {
                return fail(StatusName::PageNotFree, operand);
            }
        }
    }
    let [(page0, operand0), (page1, operand1)] = pair;
    if !cx.claim_backing(page0) {
        return fail(StatusName::PageNotFree, operand0);
    }
    if !cx.claim_backing(page1) {
        cx.drop_backing(page0);
        return fail(StatusName::PageNotFree, operand1);
    }
    Ok(())
}

/// Step 11: both pages, by MOVDIR64B; from now on the region's entries live in their memory. All
/// words of the entries are written alike (see [`Cx::bepoch`]).
pub(super) fn write_pair<P: Platform>(cx: &Cx<'_, P>, region: Region, pair: [Pfn; 2], value: u64) {
    let first = region.first_pfn().0;
    for (half, page) in (0..).zip(pair) {
        cx.spend(cx.module.costs().map_miss);
        let from = first + half * ENTRIES_PER_PAGE;
        let range = layout::entry(from)..layout::entry(from + ENTRIES_PER_PAGE);
        let home = Some(cx.module.node_of(page));
        let words = cx.words(Object::Pamt4k, range.start);
        words.fill(cx.cpu, range, value, BulkKind::DirectStore, home);
    }
}

/// Sheet of [`remove`].
pub(super) const REMOVE: LeafSheet = LeafSheet {
    leaf: Leaf::PhymemPamtRemove,
    summary: "takes the page pair of a region back",
    locks: &[lock("2 MiB entry of the target (S, then promoted)", X, O::RCX)],
    rmw: (7, 7),
    pamt: "2 MiB PAMT to NDA",
    work: "scan of 512 entries (8 KiB); 2 bitmap BTR",
    costs: &[SCAN, "tdx.pamt_remove_loop_ns"],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::NoPamtPagePair, &[O::RCX]),
        (St::PamtPageNotEmpty, &[]),
    ],
};

/// TDH.PHYMEM.PAMT.REMOVE. Its target is exclusive in every what-if: it must keep out the leaves
/// that assign pages of the region.
pub(super) fn remove<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    need_dynamic(cx)?;
    let region = target(cx, regs.rcx)?;
    let entry = cx.walk(region.first_pfn(), Level::M2, Mode::Exclusive, Operand::RCX)?;
    if entry.level != Level::M2 || entry.page_type() != PageType::Pamt {
        return fail(StatusName::NoPamtPagePair, Operand::RCX);
    }
    need_empty(cx, region)?;
    let (object, base) = entry.entry();
    let q1 = cx.load(object, base + 1);
    if layout::page_count(q1) != 0 {
        let what = "PAMT.REMOVE of a region whose entries are free but whose page_count is not 0";
        return fatal(what, Some(entry.pfn), layout::page_count(q1));
    }
    let [page0, page1] = layout::pair_of(entry.q0, q1);
    cx.drop_backing(page0);
    cx.drop_backing(page1);
    cx.store_above_lock(object, base, 0);
    cx.store(object, base + 1, 0);
    (regs.rdx, regs.r8) = (page0.hpa(), page1.hpa());
    P::observe(cx.cpu, Observation::Pair { region, added: false });
    Ok(())
}

/// Scans the types of all 512 entries; their locks are not looked at.
fn need_empty<P: Platform>(cx: &Cx<'_, P>, region: Region) -> Step {
    let first = region.first_pfn().0;
    for page in 0..2 {
        cx.spend(cx.module.costs().map_miss);
        let from = first + page * ENTRIES_PER_PAGE;
        let range = layout::entry(from)..layout::entry(from + ENTRIES_PER_PAGE);
        let assigned = Until::bits_ne(0x1f << 16, 0);
        let words = cx.words(Object::Pamt4k, range.start);
        if words.scan(cx.cpu, range, 2, assigned).is_some() {
            return fail_with(StatusName::PamtPageNotEmpty, page as u32);
        }
    }
    cx.spend(cx.module.costs().pamt_remove_loop);
    Ok(())
}
