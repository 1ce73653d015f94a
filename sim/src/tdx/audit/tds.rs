//! Invariants of TDs: counts, key ids, locks, and that the Secure EPT maps what the TD owns.

use pamt_strategies::platform::Platform;
use pamt_strategies::units::Pfn;

use super::Audit;
use crate::tdx::kot::{KotState, PRIVATE_HKIDS};
use crate::tdx::layout::{self, Half, Level, PageType, globals, tdcs, tdr};
use crate::tdx::locks::sept_entry::TDEL;
use crate::tdx::locks::sharex_hp;
use crate::tdx::memory::{Object, SEPT_ENTRIES};
use crate::tdx::pamt::entry_at;
use crate::tdx::sept::{self, EntryAt, EntryState, ROOT_LEVEL};
use crate::tdx::td::{Lifecycle, OpState, TDCX_PAGES};

impl<P: Platform> Audit<'_, P> {
    fn peek16(&self, object: Object, base: usize, at: Half) -> u16 {
        (self.peek(object, base + at.word) >> (16 * at.half)) as u16
    }

    /// All TDs that have been met, and the key ids that they hold.
    pub(super) fn tds(&mut self) {
        let mut held = 0;
        for td in std::mem::take(&mut self.tdrs) {
            let Some(slot) = self.module.slots.get(td) else {
                self.wrong.push(format!("pfn {:#x} is a TDR page without its contents", td.0));
                continue;
            };
            let (tdr, tdcs) = (slot as usize * tdr::WORDS, slot as usize * tdcs::WORDS);
            self.children(td, tdr);
            held += u64::from(self.key_id(td, tdr));
            if self.peek16(Object::Tdr, tdr, tdr::NUM_TDCX) >= TDCX_PAGES {
                self.td_locks(td, tdcs);
                self.sept(td, tdr, tdcs);
            }
        }
        let in_use = PRIVATE_HKIDS.filter(|hkid| self.kot(*hkid) != KotState::Free as u16).count();
        if in_use as u64 != held {
            self.wrong.push(format!("{in_use} key ids are in use, but TDs hold {held}"));
        }
        for (owner, pages) in std::mem::take(&mut self.owned) {
            self.wrong.push(format!("pfn {:#x} owns {pages} pages but is no TD", owner.0));
        }
    }

    fn children(&mut self, td: Pfn, tdr: usize) {
        let pages = self.owned.remove(&td).unwrap_or_default();
        let counted = self.peek(Object::Tdr, tdr + tdr::CHLDCNT);
        if counted != pages {
            self.wrong.push(format!("TD {:#x}: chldcnt {counted}, but {pages} pages", td.0));
        }
    }

    fn kot(&self, hkid: u64) -> u16 {
        self.peek16(Object::Globals, 0, globals::kot_state(hkid))
    }

    /// Whether the TD holds its key id; the KOT knows.
    fn key_id(&mut self, td: Pfn, tdr: usize) -> bool {
        let lifecycle = self.peek(Object::Tdr, tdr + tdr::LIFECYCLE);
        let hkid = self.peek(Object::Tdr, tdr + tdr::HKID);
        let expected = match lifecycle {
            state if state <= Lifecycle::KeysConfigured as u64 => KotState::Assigned,
            state if state == Lifecycle::Blocked as u64 => KotState::Flushed,
            _ => return false,
        };
        let found = self.kot(hkid);
        if found != expected as u16 {
            let id = td.0;
            self.wrong.push(format!("TD {id:#x}: key id {hkid} is {found}, not {expected:?}"));
        }
        true
    }

    /// What only a leaf in execution holds.
    fn td_locks(&mut self, td: Pfn, tdcs: usize) {
        let locks = [
            ("OP_STATE", tdcs::OP_STATE_LOCK, !sharex_hp::HOST_PRIORITY),
            ("Secure EPT", tdcs::SEPT_LOCK, !sharex_hp::HOST_PRIORITY),
            ("epoch", tdcs::EPOCH_LOCK, u16::MAX),
        ];
        for (name, at, held) in locks {
            let word = self.peek16(Object::Tdcs, tdcs, at);
            if word & held != 0 {
                self.wrong.push(format!("TD {:#x}: its {name} lock is {word:#06x}", td.0));
            }
        }
        let inside = tdcs::EPOCH_REFCOUNT.map(|at| self.peek16(Object::Tdcs, tdcs, at));
        if !self.guests && inside != [0; 2] {
            self.wrong.push(format!("TD {:#x}: VCPUs in its epochs: {inside:?}", td.0));
        }
    }

    /// Every page that the TD owns as memory or as a table is mapped once, and nothing else is.
    fn sept(&mut self, td: Pfn, tdr: usize, tdcs: usize) {
        let lifecycle = self.peek(Object::Tdr, tdr + tdr::LIFECYCLE);
        let op_state = self.peek16(Object::Tdcs, tdcs, tdcs::OP_STATE);
        // Without a root there is no tree yet; while pages are reclaimed there is none any more.
        if op_state == OpState::Uninitialized as u16 || lifecycle == Lifecycle::Teardown as u64 {
            return;
        }
        let root = Pfn(self.peek(Object::Tdcs, tdcs + tdcs::EPTP));
        let mapped = self.table(td, root, ROOT_LEVEL);
        let owned = self.memory.remove(&td).unwrap_or_default();
        if mapped != owned {
            let text = format!("TD {:#x}: {mapped} pages in the Secure EPT, {owned} owned", td.0);
            self.wrong.push(text);
        }
    }

    /// Pages mapped by a table and those below it, tables included.
    fn table(&mut self, td: Pfn, table: Pfn, level: u64) -> u64 {
        let Some(slot) = self.module.slots.get(table) else {
            self.wrong.push(format!("pfn {:#x} is a table without its contents", table.0));
            return 0;
        };
        let first = slot as usize * SEPT_ENTRIES;
        (first..first + SEPT_ENTRIES).map(|word| self.sept_entry(td, EntryAt { word, level })).sum()
    }

    fn sept_entry(&mut self, td: Pfn, entry: EntryAt) -> u64 {
        let value = self.peek(Object::Sept, entry.word);
        if value >> TDEL & 1 == 1 {
            self.wrong.push(format!("TD {:#x}: a Secure EPT entry is locked: {value:#x}", td.0));
        }
        let page = sept::page_of(value, entry);
        match EntryState::of(value) {
            EntryState::Free => 0,
            EntryState::NlMapped | EntryState::NlBlocked => {
                self.belongs(td, page, Level::K4, PageType::Ept);
                1 + self.table(td, page, entry.level - 1)
            }
            _ => {
                let level = if entry.level == 0 { Level::K4 } else { Level::M2 };
                self.belongs(td, page, level, PageType::Reg);
                level.pages()
            }
        }
    }

    fn belongs(&mut self, td: Pfn, page: Pfn, level: Level, page_type: PageType) {
        let (object, base) = entry_at(page, level);
        let q0 = self.peek(object, base);
        let found = (layout::q0_type(q0), layout::q0_owner(q0));
        if found != (page_type, td) {
            let (id, pfn) = (td.0, page.0);
            self.wrong.push(format!("TD {id:#x} maps pfn {pfn:#x}, whose entry says {found:x?}"));
        }
    }
}
