//! TDH.MEM.SEPT.ADD: tables of the Secure EPT.

use pamt_strategies::module::{Operand, Regs};
use pamt_strategies::platform::{BulkKind, Platform, Words};

use crate::tdx::cx::{Cx, Mode, Step};
use crate::tdx::layout::PageType;
use crate::tdx::memory::{Object, SEPT_ENTRIES};
use crate::tdx::sept::{self, EntryState, ROOT_LEVEL};
use crate::tdx::td::BUILT;

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

impl<P: Platform> Cx<'_, P> {
    /// Makes a page a table of free entries, by MOVDIR64B.
    pub(in crate::tdx) fn new_table(&self, page: pamt_strategies::units::Pfn) -> Step {
        let slot = self.claim_record(&self.module.sept_pages, page, "sept_pages")?;
        self.spend(self.module.costs().map_miss);
        let first = slot * SEPT_ENTRIES;
        let home = Some(self.module.node_of(page));
        let words = self.words(Object::Sept, first);
        words.fill(self.cpu, first..first + SEPT_ENTRIES, sept::FREE, BulkKind::DirectStore, home);
        Ok(())
    }
}
