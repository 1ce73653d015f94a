//! TDH.MEM.SEPT.ADD and .REMOVE: tables of the Secure EPT.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::{BulkKind, Platform, Until, Words};
use pamt_strategies::units::Pfn;

use crate::tdx::cx::{Cx, Mode, Step, fail};
use crate::tdx::layout::{Level, PageType};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::{Object, SEPT_ENTRIES};
use crate::tdx::sept::{self, EntryState, ROOT_LEVEL};
use crate::tdx::td::BUILT;

/// Sheet of [`add`].
pub(super) const ADD: LeafSheet = LeafSheet {
    leaf: Leaf::MemSeptAdd,
    summary: "adds a table to the Secure EPT",
    locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("walk to the table's page", X, O::R8)],
    rmw: (22, 22),
    pamt: "NDA to EPT, page_count + 1",
    work: "4 KiB MOVDIR64B; chldcnt XADD",
    costs: &[DIRECT_STORE],
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

/// TDH.MEM.SEPT.ADD: RCX = GPA | level of the entry that will point to the table, RDX = TDR, R8 =
/// table page.
pub(super) fn add<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 1..=ROOT_LEVEL)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Shared, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    cx.need_entry_state(found, entry, &[EntryState::Free], regs)?;
    let page = cx.walk_free_page(regs.r8, Operand::R8)?;
    cx.new_table(page.pfn)?;
    cx.assign(page, PageType::Ept, td.pfn());
    cx.count_page(page)?;
    cx.add_children(&td, 1);
    cx.write_entry_locked(entry, sept::value(EntryState::NlMapped, page.pfn));
    Ok(())
}

/// Sheet of [`remove`].
pub(super) const REMOVE: LeafSheet = LeafSheet {
    leaf: Leaf::MemSeptRemove,
    summary: "takes an empty table from the Secure EPT",
    locks: &[
        TDR_RDX_S,
        OP_STATE,
        TREE_X,
        ENTRY,
        lock("4 KiB entry of the table's page", X, O::RCX),
    ],
    rmw: (17, 18),
    pamt: "EPT to NDA, page_count - 1 (hint in RCX)",
    work: "scan of the table; chldcnt XADD",
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
        (St::GpaRangeNotBlocked, &[O::RCX]),
        (St::TlbTrackingNotDone, &[O::RCX]),
        (St::EptPageNotFree, &[O::RCX]),
    ],
};

/// TDH.MEM.SEPT.REMOVE: RCX = GPA | level of the entry that points to the table, RDX = TDR. Out: RCX
/// = table page, with the removal hint.
pub(super) fn remove<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 1..=ROOT_LEVEL)?;
    let td = cx.td(regs.rdx, Mode::Shared, Operand::RDX)?;
    cx.lock_op_state(&td, BUILT)?;
    cx.acquire(td.sept_lock(), Mode::Exclusive, Operand::SEPT_TREE)?;
    let entry = cx.sept_walk(&td, gpa, regs)?;
    let found = cx.lock_entry(entry)?;
    cx.need_entry_state(found, entry, &[EntryState::NlMapped, EntryState::NlBlocked], regs)?;
    let page = sept::page_of(found, entry);
    let at = cx.implicit(page, Level::K4, Mode::Exclusive, Operand::RCX)?;
    cx.need_tlb_tracked(&td, found, cx.bepoch(at))?;
    let first = cx.sept_table(page)?;
    let table = cx.words(Object::Sept, first);
    let in_use = Until::bits_ne(sept::STATE_MASK, EntryState::Free as u64);
    if table.scan(cx.cpu, first..first + SEPT_ENTRIES, 1, in_use).is_some() {
        return fail(StatusName::EptPageNotFree, Operand::RCX);
    }
    cx.free_table(page);
    cx.unassign(at);
    let hint = cx.uncount_page(at)?;
    cx.add_children(&td, 1_u64.wrapping_neg());
    cx.write_entry_and_release(entry, sept::FREE);
    regs.rcx = page.hpa() | hint.bit();
    Ok(())
}

impl<P: Platform> Cx<'_, P> {
    /// Makes a page a table of free entries, by MOVDIR64B.
    pub(in crate::tdx) fn new_table(&self, page: Pfn) -> Step {
        self.new_table_of(page, sept::FREE)
    }

    /// Makes a page a table of equal entries.
    pub(super) fn new_table_of(&self, page: Pfn, entry: u64) -> Step {
        let slot = self.claim_record(&self.module.sept_pages, page, "sept_pages")?;
        self.spend(self.module.costs().map_miss);
        let first = slot * SEPT_ENTRIES;
        let home = Some(self.module.node_of(page));
        let words = self.words(Object::Sept, first);
        words.fill(self.cpu, first..first + SEPT_ENTRIES, entry, BulkKind::DirectStore, home);
        Ok(())
    }

    /// Forgets the contents of a table.
    pub(super) fn free_table(&self, page: Pfn) {
        if let Some(slot) = self.module.slots.take(page) {
            self.module.sept_pages.release(slot);
        }
    }
}
