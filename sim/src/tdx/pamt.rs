//! Walks over the three levels of PAMT entries, implicit accesses, page counts and the page bitmap.
//!
//! A *walk* serves an explicit physical address: it takes the 1 GiB entry and the 2 MiB entry shared
//! and the 4 KiB entry in the mode asked for, and holds them until the leaf ends. It stops early at a
//! leaf or, in dynamic mode, at a region without a pair; there it promotes its last hold when
//! exclusive mode was asked for (`pamt_walk`). An *implicit* access locks the 4 KiB entry alone and
//! takes the rest on trust: finding no pair there is fatal (`pamt_implicit_get`).

use pamt_strategies::measure::{Observation, Violation, ViolationKind};
use pamt_strategies::module::{Operand, StatusName};
use pamt_strategies::platform::{Platform, Words};
use pamt_strategies::units::{Pfn, Region};

use super::cx::{Cx, LockAt, LockType, Mode, Step, fail, fatal};
use super::layout::{self, HKID_SHIFT, Half, Level, PageType};
use super::memory::Object;

/// Q0 bits 15:0 of a PAMT entry, and bits 15:0 of Q1.
const LOW: Half = Half { word: 0, half: 0 };
/// 1 GiB index of a page.
const G1_PAGES: u64 = 1 << 18;

/// Where a walk ended, with the entry's Q0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    pub(super) pfn: Pfn,
    pub(super) level: Level,
    pub(super) q0: u64,
}

impl Walked {
    pub(super) fn page_type(self) -> PageType {
        layout::q0_type(self.q0)
    }

    pub(super) fn owner(self) -> Pfn {
        layout::q0_owner(self.q0)
    }

    /// The entry it ended at.
    pub(super) fn entry(self) -> (Object, usize) {
        entry_at(self.pfn, self.level)
    }
}

/// The PAMT entry of a page at a level: its array and first word.
pub(super) fn entry_at(pfn: Pfn, level: Level) -> (Object, usize) {
    match level {
        Level::K4 => (Object::Pamt4k, layout::entry(pfn.0)),
        Level::M2 => (Object::Pamt2m, layout::entry(u64::from(pfn.region().0))),
        Level::G1 => (Object::Pamt1g, layout::entry(pfn.0 / G1_PAGES)),
    }
}

/// The lock of a PAMT entry.
pub(super) fn entry_lock(pfn: Pfn, level: Level) -> LockAt {
    let (object, base) = entry_at(pfn, level);
    LockAt::new(LockType::SharexHp, object, base, LOW)
}

/// Word and bit of a page in the bitmap.
fn bitmap_at(pfn: Pfn) -> (usize, u32) {
    ((pfn.0 / 64) as usize, (pfn.0 % 64) as u32)
}

/// Effect of freeing a page on its region's page_count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RemovalHint(pub(super) bool);

impl RemovalHint {
    /// The hint as bit 62 of an output register.
    pub(super) fn bit(self) -> u64 {
        u64::from(self.0) << 62
    }
}

impl<P: Platform> Cx<'_, P> {
    /// Checks the format of a physical address operand and that it lies in initialised memory.
    pub(super) fn page_operand(&self, hpa: u64, level: Level, operand: Operand) -> Step<Pfn> {
        let size = level.pages() * pamt_strategies::units::PAGE_BYTES;
        if !hpa.is_multiple_of(size) || hpa >> HKID_SHIFT != 0 {
            return fail(StatusName::OperandInvalid, operand);
        }
        let pfn = Pfn(hpa / pamt_strategies::units::PAGE_BYTES);
        if !self.module.config().covers(pfn) {
            return fail(StatusName::OperandAddrRangeError, operand);
        }
        Ok(pfn)
    }

    /// Walks to the entry of a page at `target` level or above.
    pub(super) fn walk(
        &self,
        pfn: Pfn,
        target: Level,
        mode: Mode,
        operand: Operand,
    ) -> Step<Walked> {
        for level in [Level::G1, Level::M2] {
            self.acquire(entry_lock(pfn, level), Mode::Shared, operand)?;
            self.spend(self.module.costs().map_hit);
            let (object, base) = entry_at(pfn, level);
            let q0 = self.load(object, base);
            if level == target || self.is_leaf(level, layout::q0_type(q0)) {
                if mode == Mode::Exclusive {
                    self.promote_last(operand)?;
                }
                return Ok(Walked { pfn, level, q0 });
            }
        }
        self.acquire(entry_lock(pfn, Level::K4), mode, operand)?;
        self.spend(self.module.costs().map_hit);
        let (object, base) = entry_at(pfn, Level::K4);
        Ok(Walked { pfn, level: Level::K4, q0: self.load(object, base) })
    }

    /// Whether a walk ends at an entry of this type: it maps a page, or has nothing below.
    fn is_leaf(&self, level: Level, found: PageType) -> bool {
        match level {
            Level::M2 if self.module.config().dynamic => found != PageType::Pamt,
            _ => found != PageType::Nda,
        }
    }

    /// Walks to a page that is to be assigned: exclusive, and free.
    pub(super) fn walk_free_page(&self, hpa: u64, operand: Operand) -> Step<Walked> {
        let pfn = self.page_operand(hpa, Level::K4, operand)?;
        let walked = self.walk(pfn, Level::K4, Mode::Exclusive, operand)?;
        match (walked.level, walked.page_type()) {
            (Level::K4, PageType::Nda) => {}
            (Level::M2, PageType::Nda) => return fail(StatusName::MissingPamtPagePair, operand),
            _ => return fail(StatusName::PageMetadataIncorrect, operand),
        }
        if self.backs_pamt(pfn) {
            return fail(StatusName::PageMetadataIncorrect, operand);
        }
        Ok(walked)
    }

    /// Locks the leaf entry of a page that must be assigned, and returns where it is.
    pub(super) fn implicit(
        &self,
        pfn: Pfn,
        level: Level,
        mode: Mode,
        operand: Operand,
    ) -> Step<Walked> {
        self.need_pair_of(pfn, level)?;
        self.acquire(entry_lock(pfn, level), mode, operand)?;
        self.assigned_entry(pfn, level)
    }

    /// The same without any lock (RANGE.BLOCK).
    pub(super) fn implicit_unlocked(&self, pfn: Pfn, level: Level) -> Step<Walked> {
        self.need_pair_of(pfn, level)?;
        self.assigned_entry(pfn, level)
    }

    fn need_pair_of(&self, pfn: Pfn, level: Level) -> Step {
        let (object, base) = entry_at(pfn, Level::M2);
        let above = layout::q0_type(self.load(object, base));
        if level == Level::K4 && self.is_leaf(Level::M2, above) {
            return fatal("implicit access to a page without a page pair", Some(pfn), above as u64);
        }
        Ok(())
    }

    fn assigned_entry(&self, pfn: Pfn, level: Level) -> Step<Walked> {
        let (object, base) = entry_at(pfn, level);
        let q0 = self.load(object, base);
        match layout::q0_type(q0) {
            PageType::Nda | PageType::Rsvd => {
                fatal("implicit access to a page that is not assigned", Some(pfn), q0)
            }
            _ => Ok(Walked { pfn, level, q0 }),
        }
    }

    /// Writes type and owner of a leaf entry that is held exclusively; its lock stays as it is.
    pub(super) fn assign(&self, at: Walked, page_type: PageType, owner: Pfn) {
        let (object, base) = at.entry();
        self.store_above_lock(object, base, layout::leaf_q0(page_type, owner));
        self.store(object, base + 1, 0);
    }

    /// Plain stores to everything in a Q0 but its lock.
    pub(super) fn store_above_lock(&self, object: Object, base: usize, q0: u64) {
        for half in 1..4 {
            self.store16(object, base, Half { word: 0, half }, (q0 >> (16 * half)) as u16);
        }
    }

    /// Writes type NDA to a leaf entry that is held exclusively.
    pub(super) fn unassign(&self, at: Walked) {
        self.assign(at, PageType::Nda, Pfn(0));
    }

    /// The epoch in which a page was blocked. DEMOTE writes both words of an entry alike with its bulk
    /// store: a Q1 that repeats Q0 stands for "never".
    pub(super) fn bepoch(&self, at: Walked) -> u64 {
        let (object, base) = at.entry();
        let q1 = self.load(object, base + 1);
        if q1 == layout::leaf_q0(at.page_type(), at.owner()) { 0 } else { q1 }
    }

    /// Counts an assigned 4 KiB page in its region's page_count.
    pub(super) fn count_page(&self, at: Walked) -> Step {
        match self.add_to_page_count(at, 1)? {
            Some(512..) => fatal("page_count above 512", Some(at.pfn), 512),
            _ => Ok(()),
        }
    }

    /// Takes a freed 4 KiB page out of its region's page_count.
    pub(super) fn uncount_page(&self, at: Walked) -> Step<RemovalHint> {
        match self.add_to_page_count(at, 1_u16.wrapping_neg())? {
            Some(0) => fatal("page_count below 0", Some(at.pfn), 0),
            old => Ok(RemovalHint(old == Some(1))),
        }
    }

    /// Returns the old value; `None` where pages are not counted (static mode, larger pages).
    fn add_to_page_count(&self, at: Walked, value: u16) -> Step<Option<u64>> {
        if !self.module.config().dynamic || at.level != Level::K4 {
            return Ok(None);
        }
        let (object, base) = entry_at(at.pfn, Level::M2);
        let old = self.xadd16(object, Half { word: base + 1, half: 0 }, value);
        Ok(Some(layout::page_count(old.into())))
    }

    /// Reports the release of a 4 KiB entry whose page pair is gone: the module then writes to a page
    /// that it has given back (the race of PAMT.REMOVE with an implicit access). Only a checker can see
    /// that, so it costs nothing and changes nothing.
    pub(super) fn check_pair_is_there(&self, word: usize) {
        let pfn = Pfn(word as u64 / 2);
        let (object, base) = entry_at(pfn, Level::M2);
        let q0 = self.module.words(object).peek(self.cpu, base);
        if self.is_leaf(Level::M2, layout::q0_type(q0)) {
            let detail = format!(
                "the module writes to the PAMT entry of pfn {:#x} after its page pair was taken back",
                pfn.0
            );
            let region = Some(pfn.region());
            let violation = Violation { kind: ViolationKind::EarlyRelease, region, detail };
            P::observe(self.cpu, Observation::Violation(violation));
        }
    }

    /// Whether a page backs PAMT entries, by a plain read of the bitmap.
    pub(super) fn backs_pamt(&self, pfn: Pfn) -> bool {
        let (word, bit) = bitmap_at(pfn);
        self.module.config().dynamic && self.load(Object::PageBitmap, word) >> bit & 1 == 1
    }

    /// Claims a page as PAMT backing; false when it is one already.
    pub(super) fn claim_backing(&self, pfn: Pfn) -> bool {
        let (word, bit) = bitmap_at(pfn);
        !self.bts(Object::PageBitmap, word, bit)
    }

    /// Gives a PAMT backing page up.
    pub(super) fn drop_backing(&self, pfn: Pfn) {
        let (word, bit) = bitmap_at(pfn);
        self.btr(Object::PageBitmap, word, bit);
    }

    /// Whether no page of a region backs PAMT entries: 8 words, one line.
    pub(super) fn no_backing_in(&self, region: Region) -> bool {
        let (first, _) = bitmap_at(region.first_pfn());
        (first..first + 8).all(|word| self.load(Object::PageBitmap, word) == 0)
    }
}
