//! State of a cache line as a word; a line that CPUs share has a record beside it.
//!
//! # Cold lines
//! A line that is in memory only, or that one core alone has used, is a packed word: its core, whether
//! it is dirty, and the core's fill count when it was last used. The fill count tells how much the core
//! has brought in since, and so in which level of cache the line still is: exact for fully associative
//! LRU caches when fills are distinct lines.

/// No core, no CPU.
pub(super) const NONE: u16 = u16::MAX;
/// No record.
pub(super) const NO_RECORD: u32 = u32::MAX;

const TAG_MASK: u64 = 0b11;
const TAG_OWNED: u64 = 1;
const TAG_RECORD: u64 = 3;
const DIRTY: u64 = 1 << 2;
const CORE_SHIFT: u32 = 3;
const CORE_MASK: u64 = 0x3ff;
const HOME_SHIFT: u32 = 14;
const HOME_MASK: u64 = 0x3f;
const STAMP_SHIFT: u32 = 20;

/// Meaning of a line's state word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineState {
    /// In memory only.
    Memory,
    /// In one core's caches only, or in the last-level cache after it fell out of them.
    Owned { core: u16, dirty: bool, stamp: u64 },
    /// See the record of this number.
    Record(u32),
}

/// A line's state word: state and, when its memory was replaced, the node of the new memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LineWord(pub(super) u64);

impl LineWord {
    pub(super) fn state(self) -> LineState {
        match self.0 & TAG_MASK {
            TAG_OWNED => LineState::Owned {
                core: (self.0 >> CORE_SHIFT & CORE_MASK) as u16,
                dirty: self.0 & DIRTY != 0,
                stamp: self.0 >> STAMP_SHIFT,
            },
            TAG_RECORD => LineState::Record((self.0 >> STAMP_SHIFT) as u32),
            _ => LineState::Memory,
        }
    }

    /// The line's record, if it has one.
    #[inline]
    pub(super) fn record(self) -> Option<u32> {
        (self.0 & TAG_MASK == TAG_RECORD).then_some((self.0 >> STAMP_SHIFT) as u32)
    }

    /// Whether one core alone has the line: this one.
    #[inline]
    pub(super) fn is_owned_by(self, core: u16) -> bool {
        self.0 & (TAG_MASK | CORE_MASK << CORE_SHIFT) == TAG_OWNED | u64::from(core) << CORE_SHIFT
    }

    /// Of a line that one core alone has: that core's fill count when it last used it.
    #[inline]
    pub(super) fn stamp(self) -> u64 {
        self.0 >> STAMP_SHIFT
    }

    /// Of such a line: its core uses it, and modifies it or not.
    #[inline]
    pub(super) fn used(self, stamp: u64, modified: bool) -> Self {
        let below = self.0 & !(u64::MAX << STAMP_SHIFT);
        Self(below | stamp << STAMP_SHIFT | if modified { DIRTY } else { 0 })
    }

    /// The same home, another state.
    pub(super) fn with(self, state: LineState) -> Self {
        let home = self.0 & (HOME_MASK << HOME_SHIFT);
        Self(match state {
            LineState::Memory => home,
            LineState::Owned { core, dirty, stamp } => {
                let dirty = if dirty { DIRTY } else { 0 };
                home | TAG_OWNED | dirty | u64::from(core) << CORE_SHIFT | stamp << STAMP_SHIFT
            }
            LineState::Record(index) => home | TAG_RECORD | u64::from(index) << STAMP_SHIFT,
        })
    }

    /// Node of the line's memory, where it is not the one its array's placement says.
    pub(super) fn home(self) -> Option<u8> {
        (self.0 >> HOME_SHIFT & HOME_MASK).checked_sub(1).map(|node| node as u8)
    }

    /// The same state on memory of another node.
    pub(super) fn rehomed(self, node: u8) -> Self {
        let cleared = self.0 & !(HOME_MASK << HOME_SHIFT);
        Self(cleared | (u64::from(node) + 1) << HOME_SHIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_word_keeps_state_and_home_apart() {
        let owned = LineState::Owned { core: 511, dirty: true, stamp: 1 << 40 };
        let word = LineWord::default().rehomed(31).with(owned);
        assert_eq!((word.state(), word.home()), (owned, Some(31)));
        let word = word.with(LineState::Record(u32::MAX));
        assert_eq!((word.state(), word.home()), (LineState::Record(u32::MAX), Some(31)));
        assert_eq!(word.with(LineState::Memory).state(), LineState::Memory);
        assert_eq!(LineWord::default().home(), None);
    }
}
