//! The Secure EPT: entries and their states, the walk, and the TLB-tracking rule.
//!
//! Four levels of tables of 512 eight-byte entries, eight to a cache line. A walk reads without
//! locks; only the entry that a leaf changes is locked (bit 11). A new value is written by CMPXCHG
//! that keeps the host priority bit, which another host caller may set at any time.

use pamt_strategies::module::{Operand, Regs, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use super::cx::{Cx, LockAt, LockType, Mode, Step, fail, fatal};
use super::layout::{Half, Level, tdcs};
use super::locks::sept_entry::{TDEL, TDHP};
use super::memory::{Object, SEPT_ENTRIES};
use super::td::{OpState, Td};

/// Level of the root table's entries (512 GiB each).
pub(super) const ROOT_LEVEL: u64 = 3;
/// Guest physical address bits; the highest is the shared bit.
const GPA_BITS: u32 = 48;

/// A free entry: only "suppress #VE".
pub(super) const FREE: u64 = 1 << 63;
/// Bits of an entry that hold its page.
const HPA_MASK: u64 = 0x000F_FFFF_FFFF_F000;
/// Bits of an entry that hold its state.
pub(super) const STATE_MASK: u64 = 0xF;
/// The entry is one of 512 that DEMOTE wrote alike: its page is the one named plus its index.
const SPLIT: u64 = 1 << 8;

/// First of nine bits of a pending 2 MiB entry: the progress of ACCEPT (bits are the model's choice).
const ACCEPTED_SHIFT: u32 = 54;

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryState {
    /// Maps nothing.
    Free = 0,
    /// Maps a page that the guest may use.
    Mapped = 1,
    /// Maps a page that the guest has not accepted.
    Pending = 2,
    /// Mapped, but blocked for new translations.
    Blocked = 3,
    /// Pending, and blocked.
    PendingBlocked = 4,
    /// Points to a table.
    NlMapped = 5,
    /// Points to a table, and is blocked.
    NlBlocked = 6,
}

impl EntryState {
    /// The state in an entry's value.
    #[must_use]
    pub const fn of(value: u64) -> Self {
        match value & STATE_MASK {
            1 => Self::Mapped,
            2 => Self::Pending,
            3 => Self::Blocked,
            4 => Self::PendingBlocked,
            5 => Self::NlMapped,
            6 => Self::NlBlocked,
            _ => Self::Free,
        }
    }

    /// Name, as the ABI spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "FREE",
            Self::Mapped => "MAPPED",
            Self::Pending => "PENDING",
            Self::Blocked => "BLOCKED",
            Self::PendingBlocked => "PENDING_BLOCKED",
            Self::NlMapped => "NL_MAPPED",
            Self::NlBlocked => "NL_BLOCKED",
        }
    }
}

/// An entry's value: a state and a page.
pub(super) const fn value(state: EntryState, page: Pfn) -> u64 {
    FREE | page.hpa() | state as u64
}

/// The value of all entries of a table that DEMOTE makes: entry `i` maps page `first` + i.
pub(super) const fn split_value(state: EntryState, first: Pfn) -> u64 {
    value(state, first) | SPLIT
}

/// The same value in another state.
pub(super) const fn with_state(value: u64, state: EntryState) -> u64 {
    value & !STATE_MASK | state as u64
}

/// How many 4 KiB of a pending 2 MiB page an interrupted ACCEPT has zeroed.
pub(super) const fn accepted(value: u64) -> u64 {
    value >> ACCEPTED_SHIFT & 0x1ff
}

/// The same value with that number.
pub(super) const fn with_accepted(value: u64, pages: u64) -> u64 {
    value & !(0x1ff << ACCEPTED_SHIFT) | pages << ACCEPTED_SHIFT
}

/// The page in an entry's value.
pub(super) const fn page_of(value: u64, entry: EntryAt) -> Pfn {
    let index = if value & SPLIT == 0 { 0 } else { (entry.word % SEPT_ENTRIES) as u64 };
    Pfn((value & HPA_MASK) / PAGE_BYTES + index)
}

/// A guest physical address and level: an operand of the memory leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gpa {
    address: u64,
    pub(super) level: u64,
}

impl Gpa {
    pub(super) fn page_number(self) -> u64 {
        self.address / PAGE_BYTES
    }

    pub(super) fn index(self, level: u64) -> usize {
        (self.address >> (12 + 9 * level)) as usize % SEPT_ENTRIES
    }

    /// The size of a page mapped at this level.
    pub(super) fn page_level(self) -> Level {
        match self.level {
            0 => Level::K4,
            1 => Level::M2,
            _ => Level::G1,
        }
    }
}

/// The operand in RCX: level in bits 2:0, address in bits 51:12, aligned; `levels` are those that the
/// leaf works on.
pub(super) fn gpa_operand(rcx: u64, levels: core::ops::RangeInclusive<u64>) -> Step<Gpa> {
    let (level, address) = (rcx & 7, rcx & !7);
    let wrong = !levels.contains(&level)
        || address % (PAGE_BYTES << (9 * level)) != 0
        || address >> (GPA_BITS - 1) != 0;
    if wrong { fail(StatusName::OperandInvalid, Operand::RCX) } else { Ok(Gpa { address, level }) }
}

/// An entry that a walk reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryAt {
    pub(super) word: usize,
    pub(super) level: u64,
}

impl EntryAt {
    pub(super) fn lock(self) -> LockAt {
        let half = Half { word: self.word, half: 0 };
        LockAt::new(LockType::SeptEntry, Object::Sept, 0, half)
    }
}

impl<P: Platform> Cx<'_, P> {
    /// Walks from the root to the entry of `gpa` at its level. RCX and RDX report where a walk failed.
    pub(super) fn sept_walk(&self, td: &Td, gpa: Gpa, regs: &mut Regs) -> Step<EntryAt> {
        let mut table = Pfn(self.load(Object::Tdcs, td.tdcs + tdcs::EPTP));
        for level in (gpa.level..=ROOT_LEVEL).rev() {
            let entry = EntryAt { word: self.sept_table(table)? + gpa.index(level), level };
            if level == gpa.level {
                return Ok(entry);
            }
            let found = self.entry(entry);
            if EntryState::of(found) != EntryState::NlMapped {
                report_entry(regs, found, level);
                return fail(StatusName::EptWalkFailed, Operand::RCX);
            }
            table = page_of(found, entry);
        }
        fatal("a walk below the lowest level", None, gpa.level)
    }

    /// First word of a table's record; maps the page.
    pub(super) fn sept_table(&self, table: Pfn) -> Step<usize> {
        self.spend(self.module.costs().map_hit);
        match self.module.slots.get(table) {
            Some(slot) => Ok(slot as usize * SEPT_ENTRIES),
            None => fatal("a Secure EPT page without its contents", Some(table), table.0),
        }
    }

    /// Locks an entry and returns its value without the lock bits.
    pub(super) fn lock_entry(&self, entry: EntryAt) -> Step<u64> {
        self.acquire(entry.lock(), Mode::Exclusive, Operand::RCX)?;
        Ok(self.entry(entry))
    }

    /// An entry's value without its lock bits.
    pub(super) fn entry(&self, entry: EntryAt) -> u64 {
        self.load(Object::Sept, entry.word) & !(1 << TDEL | 1 << TDHP)
    }

    /// Ends the leaf with EPT_ENTRY_STATE_INCORRECT unless the entry's state is one of `allowed`.
    pub(super) fn need_entry_state(
        &self,
        found: u64,
        entry: EntryAt,
        allowed: &[EntryState],
        regs: &mut Regs,
    ) -> Step {
        if allowed.contains(&EntryState::of(found)) {
            return Ok(());
        }
        self.wrong_entry_state(found, entry, regs)
    }

    /// Ends the leaf with EPT_ENTRY_STATE_INCORRECT.
    pub(super) fn wrong_entry_state(&self, found: u64, entry: EntryAt, regs: &mut Regs) -> Step {
        report_entry(regs, found, entry.level);
        fail(StatusName::EptEntryStateIncorrect, Operand::RCX)
    }

    /// Writes a locked entry's new value and releases its lock in the same instruction.
    pub(super) fn write_entry_and_release(&self, entry: EntryAt, value: u64) {
        self.write_entry(entry, value, 0);
        self.forget(entry.lock());
    }

    /// Writes a locked entry's new value; the lock stays.
    pub(super) fn write_entry_locked(&self, entry: EntryAt, value: u64) {
        self.write_entry(entry, value, 1 << TDEL);
    }

    fn write_entry(&self, entry: EntryAt, value: u64, lock: u64) {
        let mut found = self.load(Object::Sept, entry.word);
        while let Err(now) =
            self.cas(Object::Sept, entry.word, found, value | lock | found & 1 << TDHP)
        {
            found = now;
        }
    }

    /// In operation state RUNNABLE a page or table may go only when it is blocked and no TLB can hold
    /// it: its BEPOCH is at least two epochs back, or one and no VCPU of that epoch is inside.
    pub(super) fn need_tlb_tracked(&self, td: &Td, found: u64, bepoch: u64) -> Step {
        if self.op_state(td) != OpState::Runnable as u16 {
            return Ok(());
        }
        match EntryState::of(found) {
            EntryState::Blocked | EntryState::PendingBlocked | EntryState::NlBlocked => {}
            _ => return fail(StatusName::GpaRangeNotBlocked, Operand::RCX),
        }
        self.touch_16b(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH);
        let epoch = self.load(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH);
        let refcount = tdcs::EPOCH_REFCOUNT[(bepoch & 1) as usize];
        let tracked = bepoch + 1 < epoch
            || bepoch + 1 == epoch && self.load16(Object::Tdcs, td.tdcs, refcount) == 0;
        if tracked { Ok(()) } else { fail(StatusName::TlbTrackingNotDone, Operand::RCX) }
    }
}

/// What the memory leaves report about an entry that stopped them: its value in RCX, level and state
/// in RDX (bits 2:0 and 15:8).
pub(super) fn report_entry(regs: &mut Regs, found: u64, level: u64) {
    regs.rcx = found & !(1 << TDEL | 1 << TDHP);
    regs.rdx = level | (EntryState::of(found) as u64) << 8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_a_split_page_counts_from_the_first() {
        let entry = |word| EntryAt { word, level: 0 };
        let plain = value(EntryState::Pending, Pfn(0x12345));
        assert_eq!(page_of(plain, entry(512 + 7)), Pfn(0x12345));
        let split = split_value(EntryState::Pending, Pfn(0x12200));
        assert_eq!(page_of(split, entry(512 + 7)), Pfn(0x12207));
        let blocked = with_state(split, EntryState::PendingBlocked);
        assert_eq!(EntryState::of(blocked), EntryState::PendingBlocked);
        assert_eq!(page_of(blocked, entry(512 + 7)), Pfn(0x12207));
    }

    #[test]
    fn a_gpa_operand_has_a_level_and_its_alignment() {
        assert!(gpa_operand(0x20_0001, 0..=1).is_ok());
        assert!(gpa_operand(0x20_1001, 0..=1).is_err());
        assert!(gpa_operand(0x20_0002, 0..=1).is_err());
        assert!(gpa_operand(1 << 47, 0..=1).is_err());
    }
}
