//! TDH.MEM.PAGE.DEMOTE and .PROMOTE between one 2 MiB page and 512 pages of 4 KiB.
//!
//! DEMOTE takes the page pair of the region that it splits, and walks the regions of both backing
//! pages shared, like PAMT.ADD but without the exemption for its own region. It runs outside any lock
//! of the kernel for page pairs, so an ADD or REMOVE on a region that holds a backing page can make
//! either of the two BUSY.
//!
//! Up to their commit both can end with INTERRUPTED_RESTARTABLE, nothing done, and nothing bounds how
//! often; hosts with large pages require a module that defers interrupts here (TDX_FEATURES0 bit 51),
//! which is the default. INTERRUPTED_BUSY belongs to the tables of L2 VMs, which are not modelled.

use pamt_strategies::measure::Observation;
use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform, Until, Words};
use pamt_strategies::units::{PAGES_PER_REGION, Pfn};

use crate::tdx::config::SplitInterrupt;
use crate::tdx::cx::{Cx, Mode, Step, fail, fatal};
use crate::tdx::hardware::InterruptWatch;
use crate::tdx::layout::{self, Level, PageType};
use crate::tdx::leaves::phymem_pamt;
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::{Object, SEPT_ENTRIES};
use crate::tdx::pamt::{Walked, entry_at, entry_lock};
use crate::tdx::sept::{self, EntryState};
use crate::tdx::td::{BUILT, Td};

const SPLITTABLE: &[EntryState] =
    &[EntryState::Mapped, EntryState::Blocked, EntryState::Pending, EntryState::PendingBlocked];

/// Sheet of [`demote`].
pub(super) const DEMOTE: LeafSheet = LeafSheet {
    leaf: Leaf::MemPageDemote,
    summary: "splits a 2 MiB page; takes the pair of its region in R12 and R13",
    locks: &[
        TDR_RDX_S,
        OP_STATE,
        TREE_S,
        ENTRY,
        lock("walk to the new table's page", X, O::R8),
        lock("2 MiB entry of the page", X, O::RCX),
        lock("walk to backing page 0", S, O::R12),
        lock("walk to backing page 1", S, O::R13),
    ],
    rmw: (34, 39),
    pamt: "new table NDA to EPT, + 1; 2 MiB REG to PAMT, page_count 512",
    work: "4 KiB table and 8 KiB of PAMT entries by MOVDIR64B; 2 bitmap BTS",
    costs: &[DIRECT_STORE],
    statuses: &[
        (St::OperandInvalid, &[O::RCX, O::RDX, O::R8, O::R12, O::R13]),
        (St::OperandAddrRangeError, &[O::RDX, O::R8, O::R12, O::R13]),
        (St::PageMetadataIncorrect, &[O::RDX, O::R8]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::TdcsNotAllocated, &[O::TDCS]),
        (St::OpStateIncorrect, &[]),
        (St::EptWalkFailed, &[O::RCX]),
        (St::EptEntryStateIncorrect, &[O::RCX]),
        (St::MissingPamtPagePair, &[O::R8]),
        (St::GpaRangeNotBlocked, &[O::RCX]),
        (St::TlbTrackingNotDone, &[O::RCX]),
        (St::PageNotFree, &[O::R12, O::R13]),
        (St::InterruptedRestartable, &[]),
    ],
};

/// TDH.MEM.PAGE.DEMOTE: RCX = GPA | level 1, RDX = TDR, R8 = page of the new table, R12 and R13 =
/// the pair (dynamic mode).
pub(super) fn demote<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let watch = cx.watch_interrupts();
    let gpa = sept::gpa_operand(regs.rcx, 1..=1)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Shared, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    cx.need_entry_state(found, entry, SPLITTABLE, regs)?;
    let table = cx.walk_free_page(regs.r8, Operand::R8)?;
    let page = sept::page_of(found, entry);
    let large = cx.implicit(page, Level::M2, Mode::Exclusive, Operand::RCX)?;
    cx.need_tlb_tracked(&td, found, cx.bepoch(large))?;
    need_no_interrupt(cx, watch)?;
    take_pair(cx, large, &td, regs)?;
    let state = unblocked(EntryState::of(found));
    cx.new_table_of(table.pfn, sept::split_value(state, page))?;
    cx.assign(table, PageType::Ept, td.pfn());
    cx.count_page(table)?;
    cx.add_children(&td, 1);
    cx.write_entry_locked(entry, sept::value(EntryState::NlMapped, table.pfn));
    Ok(())
}

/// The last point before the commit.
fn need_no_interrupt<P: Platform>(cx: &Cx<'_, P>, watch: InterruptWatch) -> Step {
    match cx.module.config().split_interrupt {
        SplitInterrupt::Restartable if cx.interrupted(watch) => {
            fail(StatusName::InterruptedRestartable, Operand(0))
        }
        _ => Ok(()),
    }
}

const fn unblocked(state: EntryState) -> EntryState {
    match state {
        EntryState::Blocked => EntryState::Mapped,
        EntryState::PendingBlocked => EntryState::Pending,
        other => other,
    }
}

/// The region's entry goes from a 2 MiB page to a pair whose 512 entries are all assigned.
fn take_pair<P: Platform>(cx: &Cx<'_, P>, large: Walked, td: &Td, regs: &Regs) -> Step {
    let region = large.pfn.region();
    let (object, base) = entry_at(large.pfn, Level::M2);
    let q0 = layout::leaf_q0(PageType::Reg, td.pfn());
    if !cx.module.config().dynamic {
        let first = layout::entry(large.pfn.0);
        let range = first..first + layout::entry(PAGES_PER_REGION);
        let words = cx.words(Object::Pamt4k, first);
        words.fill(cx.cpu, range, q0, BulkKind::DirectStore, None);
        cx.store(object, base + 1, 0);
        cx.store_above_lock(object, base, 0);
        return Ok(());
    }
    let page0 = cx.page_operand(regs.r12, Level::K4, Operand::R12)?;
    let page1 = cx.page_operand(regs.r13, Level::K4, Operand::R13)?;
    let pair = [(page0, Operand::R12), (page1, Operand::R13)];
    phymem_pamt::claim_pair(cx, region, pair, false)?;
    phymem_pamt::write_pair(cx, region, [page0, page1], q0);
    let [above, q1] = layout::pair_entry([page0, page1], PAGES_PER_REGION);
    cx.store(object, base + 1, q1);
    cx.store_above_lock(object, base, above);
    P::observe(cx.cpu, Observation::Pair { region, added: true });
    Ok(())
}

/// Sheet of [`promote`].
pub(super) const PROMOTE: LeafSheet = LeafSheet {
    leaf: Leaf::MemPagePromote,
    summary: "merges 512 pages; returns the pair of their region in R12 and R13",
    locks: &[
        TDR_RDX_S,
        OP_STATE,
        TREE_X,
        ENTRY,
        lock("4 KiB entry of the table's page", X, O::RCX),
        lock("2 MiB entry of the pages", X, O::RCX),
    ],
    rmw: (22, 23),
    pamt: "table EPT to NDA, - 1; 2 MiB PAMT to REG",
    work: "scan of the table; 2 bitmap BTR",
    costs: &[SCAN],
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
        (St::EptInvalidPromoteConditions, &[O::RCX]),
        (St::GpaRangeNotBlocked, &[O::RCX]),
        (St::TlbTrackingNotDone, &[O::RCX]),
        (St::InterruptedRestartable, &[]),
    ],
};

/// TDH.MEM.PAGE.PROMOTE: RCX = GPA | level 1, RDX = TDR. Out: RCX = page of the table with the
/// removal hint, R12 and R13 = the pair.
pub(super) fn promote<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let watch = cx.watch_interrupts();
    let gpa = sept::gpa_operand(regs.rcx, 1..=1)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Exclusive, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    cx.need_entry_state(found, entry, &[EntryState::NlMapped, EntryState::NlBlocked], regs)?;
    let table_page = sept::page_of(found, entry);
    let table = cx.implicit(table_page, Level::K4, Mode::Exclusive, Operand::RCX)?;
    let (state, first) = promotable(cx, table_page)?;
    cx.acquire(entry_lock(first, Level::M2), Mode::Exclusive, Operand::RCX)?;
    cx.need_tlb_tracked(&td, found, cx.bepoch(table))?;
    need_no_interrupt(cx, watch)?;
    return_pair(cx, first, &td, regs)?;
    cx.free_table(table_page);
    cx.unassign(table);
    let hint = cx.uncount_page(table)?;
    cx.add_children(&td, 1_u64.wrapping_neg());
    cx.write_entry_locked(entry, sept::value(state, first));
    regs.rcx = table_page.hpa() | hint.bit();
    Ok(())
}

/// The common state of a table's entries and its first page, when the pages are one whole region.
fn promotable<P: Platform>(cx: &Cx<'_, P>, table: Pfn) -> Step<(EntryState, Pfn)> {
    let first_word = cx.sept_table(table)?;
    let words = cx.words(Object::Sept, first_word);
    let range = first_word..first_word + SEPT_ENTRIES;
    let page_at = |word: usize, value| sept::page_of(value, sept::EntryAt { word, level: 0 });
    let first = words.peek(cx.cpu, first_word);
    let (state, page) = (EntryState::of(first), page_at(first_word, first));
    let other_state = Until::bits_ne(sept::STATE_MASK, state as u64);
    let mixed = words.scan(cx.cpu, range.clone(), 1, other_state).is_some();
    // The scan has paid for the lines; the tree is locked, so nothing changes in between.
    let whole = page.0.is_multiple_of(PAGES_PER_REGION)
        && (0..)
            .zip(range)
            .all(|(i, word)| page_at(word, words.peek(cx.cpu, word)) == Pfn(page.0 + i));
    if !matches!(state, EntryState::Mapped | EntryState::Pending) || mixed || !whole {
        return fail(StatusName::EptInvalidPromoteConditions, Operand::RCX);
    }
    Ok((state, page))
}

/// The region's entry goes from a pair back to a 2 MiB page.
fn return_pair<P: Platform>(cx: &Cx<'_, P>, first: Pfn, td: &Td, regs: &mut Regs) -> Step {
    let (object, base) = entry_at(first, Level::M2);
    if cx.module.config().dynamic {
        let (q0, q1) = (cx.load(object, base), cx.load(object, base + 1));
        if layout::page_count(q1) != PAGES_PER_REGION {
            let what = "PROMOTE of a region whose page_count is not 512";
            return fatal(what, Some(first), layout::page_count(q1));
        }
        let pair = layout::pair_of(q0, q1);
        pair.into_iter().for_each(|page| cx.drop_backing(page));
        [regs.r12, regs.r13] = pair.map(|page| page.hpa());
        let region = first.region();
        P::observe(cx.cpu, Observation::Pair { region, added: false });
    }
    cx.store(object, base + 1, 0);
    cx.store_above_lock(object, base, layout::leaf_q0(PageType::Reg, td.pfn()));
    Ok(())
}
