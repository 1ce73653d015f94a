//! State of cache lines: a word for a cold line, a record for one that CPUs share.
//!
//! # Cold lines
//! A line that is in memory only, or that one core alone has used, is a packed word: its core, whether
//! it is dirty, and the core's fill count when it was last used. The fill count tells how much the core
//! has brought in since, and so in which level of cache the line still is: exact for fully associative
//! LRU caches when fills are distinct lines.
//!
//! # Records
//! When a second core comes, or somebody waits, a line gets a record: sharers, clean copies in last-level
//! caches, the time until which the line is busy, the waiters, and counters for the report. Records of
//! quiet lines that never got hot are turned back into words when there are many of them.

use super::stats::LineCounters;
use super::tally::LineStats;

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

/// The record of a shared line. Its sharers are a set of cores in [`Records`].
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// First address of the line.
    pub(super) addr: u64,
    pub(super) object: u32,
    /// Core that has it modified or exclusive, or [`NONE`].
    pub(super) owner: u16,
    /// CPU whose transaction made it the owner, or [`NONE`].
    pub(super) taker: u16,
    pub(super) dirty: bool,
    /// The owner's fill count when it last used the line.
    pub(super) stamp: u64,
    /// Last-level caches with a clean copy, by bit.
    pub(super) llcs: u64,
    /// Last-level caches whose cores share it, by bit.
    pub(super) sharer_llcs: u64,
    /// Number of cores that share it.
    pub(super) sharers: u32,
    /// Until then the home serves earlier requests.
    pub(super) busy_until: u64,
    /// The owner has the data from then on.
    pub(super) ready_at: u64,
    /// The owner's operations on it have taken effect, and none locks it, from then on.
    pub(super) free_at: u64,
    /// A core of the owner's socket can get it from then on: `free_at`, if it had come from nearby.
    pub(super) leaves_at: u64,
    /// When other cores last lost their copies.
    pub(super) lost_at: u64,
    /// First of the CPUs that wait for a change, or [`NONE`]; the list goes on in the CPUs.
    pub(super) waiters: u16,
    pub(super) stats: LineStats,
}

impl Record {
    pub(super) fn counters(&self) -> LineCounters {
        self.stats.counters()
    }
}

/// Lines that moved this often keep their record, so that their row in the report is complete.
const HOT_TRANSFERS: u64 = 64;
/// Records before quiet ones are first turned back into words.
const FIRST_LIMIT: usize = 1 << 16;

/// All records, and their sets of sharers.
#[derive(Debug)]
pub(super) struct Records {
    records: Vec<Record>,
    free: Vec<u32>,
    sharers: Vec<u64>,
    words_per_set: usize,
    limit: usize,
}

impl Records {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            records: Vec::new(),
            free: Vec::new(),
            sharers: Vec::new(),
            words_per_set: cores.div_ceil(64),
            limit: FIRST_LIMIT,
        }
    }

    /// A new record for a line that nobody has.
    pub(super) fn add(&mut self, addr: u64, object: u32) -> u32 {
        let record = Record {
            addr,
            object,
            owner: NONE,
            taker: NONE,
            dirty: false,
            stamp: 0,
            llcs: 0,
            sharer_llcs: 0,
            sharers: 0,
            busy_until: 0,
            ready_at: 0,
            free_at: 0,
            leaves_at: 0,
            lost_at: 0,
            waiters: NONE,
            stats: LineStats::default(),
        };
        if let Some(index) = self.free.pop() {
            // It was retired without sharers.
            self.records[index as usize] = record;
            return index;
        }
        self.records.push(record);
        self.sharers.resize(self.records.len() * self.words_per_set, 0);
        self.records.len() as u32 - 1
    }

    /// Whether it is time for [`Records::retire`].
    pub(super) fn full(&self) -> bool {
        self.free.is_empty() && self.records.len() >= self.limit
    }

    /// Takes out the records that are quiet at `now`, not hot and held by one core or none; hands each
    /// to `fold`. Raises the limit when that did not help much.
    pub(super) fn retire(&mut self, now: u64, mut fold: impl FnMut(Record)) {
        for index in 0..self.records.len() as u32 {
            let record = &self.records[index as usize];
            let quiet = record.waiters == NONE && record.busy_until.max(record.free_at) <= now;
            if quiet && record.counters().transfers() < HOT_TRANSFERS && record.sharers == 0 {
                self.free.push(index);
                fold(self.records[index as usize].clone());
            }
        }
        if self.free.len() < self.records.len() / 2 {
            self.limit = self.records.len() * 2;
        }
    }

    pub(super) fn get(&self, index: u32) -> &Record {
        &self.records[index as usize]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Record {
        &mut self.records[index as usize]
    }

    /// Records in use, in order of creation.
    pub(super) fn live(&self) -> impl Iterator<Item = &Record> {
        let mut free = self.free.clone();
        free.sort_unstable();
        let live =
            move |(index, _): &(usize, &Record)| free.binary_search(&(*index as u32)).is_err();
        self.records.iter().enumerate().filter(live).map(|(_, record)| record)
    }

    /// Where the bit of a core lies.
    #[inline]
    fn bit(&self, index: u32, core: u16) -> (usize, u64) {
        (index as usize * self.words_per_set + usize::from(core / 64), 1 << (core % 64))
    }

    #[inline]
    pub(super) fn shares(&self, index: u32, core: u16) -> bool {
        let (word, bit) = self.bit(index, core);
        self.sharers[word] & bit != 0
    }

    /// A core of last-level cache `llc` shares the line.
    pub(super) fn share(&mut self, index: u32, core: u16, llc: u16) {
        let (word, bit) = self.bit(index, core);
        if self.sharers[word] & bit == 0 {
            self.sharers[word] |= bit;
            let record = self.get_mut(index);
            record.sharers += 1;
            record.sharer_llcs |= 1 << llc;
        }
    }

    pub(super) fn clear_sharers(&mut self, index: u32) {
        let record = self.get_mut(index);
        if record.sharers > 0 {
            (record.sharers, record.sharer_llcs) = (0, 0);
            let (first, _) = self.bit(index, 0);
            self.sharers[first..first + self.words_per_set].fill(0);
        }
    }

    /// Sharers other than `core`: how many.
    pub(super) fn other_sharers(&self, index: u32, core: u16) -> u32 {
        self.get(index).sharers - u32::from(self.shares(index, core))
    }

    /// All sharers, ascending.
    #[cfg(test)]
    pub(super) fn sharers(&self, index: u32) -> Vec<u16> {
        (0..self.words_per_set as u16 * 64).filter(|core| self.shares(index, *core)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::coherence::Want;
    use super::super::tally::Met;
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

    #[test]
    fn sharers_are_counted_once_and_forgotten_together() {
        let mut records = Records::new(200);
        let index = records.add(0, 0);
        for core in [63, 128, 63] {
            records.share(index, core, core / 64);
        }
        assert_eq!(records.sharers(index), [63, 128]);
        assert_eq!((records.other_sharers(index, 128), records.other_sharers(index, 5)), (1, 2));
        assert_eq!(records.get(index).sharer_llcs, 0b101);
        records.clear_sharers(index);
        assert_eq!((records.sharers(index).len(), records.get(index).sharer_llcs), (0, 0));
    }

    #[test]
    fn retiring_keeps_what_is_busy_shared_or_hot() {
        let mut records = Records::new(64);
        let quiet = records.add(0, 0);
        let busy = records.add(64, 0);
        records.get_mut(busy).busy_until = 100;
        let shared = records.add(128, 0);
        records.share(shared, 3, 0);
        let hot = records.add(192, 0);
        let stats = &mut records.get_mut(hot).stats;
        (0..HOT_TRANSFERS).for_each(|_| stats.count(0, 0, Want::Load, Met::DirtyLocal, 1));
        let mut gone = Vec::new();
        records.retire(50, |record| gone.push(record.addr));
        assert_eq!(gone, [0]);
        assert_eq!(records.live().count(), 3);
        assert_eq!(records.add(256, 0), quiet);
    }
}
