//! Counting while a run goes on: one addition an access, and counters at its end.

use pamt_strategies::units::LINE_BYTES;

use super::coherence::Want;
use super::stats::{LineCounters, OffsetRow};

/// What an access met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// The core's own first-level cache.
    L1,
    /// Its second-level cache.
    L2,
    /// A last-level cache.
    Llc,
    /// The line shared here, to be written.
    SharedHere,
    /// Clean in the socket.
    CleanLocal,
    /// Clean in another socket.
    CleanRemote,
    /// Modified in another core of the socket.
    DirtyLocal,
    /// Modified in another socket.
    DirtyRemote,
    /// Nothing that has a counter by line: memory.
    Memory,
}

impl Met {
    /// The only copy in another core, or a clean one beside others.
    #[inline]
    pub(super) fn of_copy(dirty: bool, remote: bool) -> Self {
        match (dirty, remote) {
            (false, false) => Self::CleanLocal,
            (false, true) => Self::CleanRemote,
            (true, false) => Self::DirtyLocal,
            (true, true) => Self::DirtyRemote,
        }
    }
}

const ALL_MET: [Met; 9] = [
    Met::L1,
    Met::L2,
    Met::Llc,
    Met::SharedHere,
    Met::CleanLocal,
    Met::CleanRemote,
    Met::DirtyLocal,
    Met::DirtyRemote,
    Met::Memory,
];
const ALL_WANT: [Want; 3] = [Want::Load, Want::Store, Want::Locked];

/// Pairs of what an access wanted and what it met.
const KINDS: usize = ALL_WANT.len() * ALL_MET.len();

/// Place of a pair among all of them.
#[inline]
const fn kind(want: Want, met: Met) -> usize {
    want as usize * ALL_MET.len() + met as usize
}

/// How often each kind of access met what: one addition an access; the report makes counters of it.
#[derive(Clone, Debug)]
struct Tally([u64; KINDS]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; KINDS])
    }
}

impl Tally {
    #[inline]
    fn count(&mut self, want: Want, met: Met) {
        self.0[kind(want, met)] += 1;
    }

    fn entries(&self) -> impl Iterator<Item = (Want, Met, u64)> + '_ {
        let pairs = ALL_WANT.iter().flat_map(|want| ALL_MET.iter().map(move |met| (*want, *met)));
        pairs.zip(self.0).map(|((want, met), count)| (want, met, count))
    }

    fn accesses(&self) -> u64 {
        self.0.iter().sum()
    }

    fn hitm(&self) -> u64 {
        let hitm = |met| matches!(met, Met::DirtyLocal | Met::DirtyRemote);
        self.entries().filter(|(_, met, _)| hitm(*met)).map(|(_, _, count)| count).sum()
    }

    /// The counters that follow from what was met.
    fn expand(&self, into: &mut LineCounters) {
        for (want, met, count) in self.entries() {
            match want {
                Want::Load => into.loads += count,
                Want::Store => into.stores += count,
                Want::Locked => into.locked += count,
            }
            let write = want != Want::Load;
            if write && !matches!(met, Met::L1 | Met::L2 | Met::SharedHere) {
                into.rfo += count;
            }
            *match met {
                Met::L1 => &mut into.l1_hits,
                Met::L2 => &mut into.l2_hits,
                Met::Llc => &mut into.llc_hits,
                Met::SharedHere => &mut into.upgrades,
                Met::DirtyLocal if write => &mut into.rfo_hitm_local,
                Met::DirtyRemote if write => &mut into.rfo_hitm_remote,
                Met::DirtyLocal => &mut into.hitm_local,
                Met::DirtyRemote => &mut into.hitm_remote,
                Met::CleanLocal if !write => &mut into.forward_local,
                Met::CleanRemote if !write => &mut into.forward_remote,
                Met::CleanLocal | Met::CleanRemote | Met::Memory => continue,
            } += count;
        }
    }
}

/// What happened on an object's lines outside their records.
#[derive(Clone, Debug, Default)]
pub(super) struct ObjectStats {
    tally: Tally,
    pub(super) transfer_cycles: u64,
    pub(super) dram_local: u64,
    pub(super) dram_remote: u64,
    /// Of records that were turned back into words.
    retired: LineCounters,
}

impl ObjectStats {
    #[inline]
    pub(super) fn count(&mut self, want: Want, met: Met) {
        self.tally.count(want, met);
    }

    pub(super) fn retire(&mut self, record: &LineStats) {
        self.retired.add(&record.counters());
    }

    pub(super) fn counters(&self) -> LineCounters {
        let mut counters = self.retired;
        self.tally.expand(&mut counters);
        counters.transfer_cycles += self.transfer_cycles;
        counters.dram_local += self.dram_local;
        counters.dram_remote += self.dram_remote;
        counters
    }
}

/// What happened on a line since it has a record.
///
/// Each offset that was used has a row of words, all rows of a line in one piece behind an unused word: the
/// counts of its accesses by [`kind`], then the CPUs that loaded, then the CPUs that stored or locked, by bit.
#[derive(Clone, Debug)]
pub(super) struct LineStats {
    /// By offset: where its row begins, or 0.
    row_of: [u16; LINE_BYTES as usize],
    rows: Vec<u64>,
    /// Reads of quiet spinners; they hit.
    pub(super) parked: u64,
    pub(super) invalidations: u64,
    pub(super) transfer_cycles: u64,
    pub(super) queue_cycles: u64,
}

impl Default for LineStats {
    fn default() -> Self {
        Self {
            row_of: [0; LINE_BYTES as usize],
            rows: Vec::new(),
            parked: 0,
            invalidations: 0,
            transfer_cycles: 0,
            queue_cycles: 0,
        }
    }
}

impl LineStats {
    /// Counts an access of `cpu` at an address; a set of CPUs has so many `words`.
    #[inline]
    pub(super) fn count(&mut self, addr: u64, cpu: u16, want: Want, met: Met, words: usize) {
        let offset = (addr % LINE_BYTES) as usize;
        let row = match self.row_of[offset] {
            0 => self.add_row(offset, KINDS + 2 * words),
            row => usize::from(row),
        };
        self.rows[row + kind(want, met)] += 1;
        let users = if want == Want::Load { KINDS } else { KINDS + words };
        self.rows[row + users + usize::from(cpu / 64)] |= 1 << (cpu % 64);
    }

    /// Adds the row of an offset; returns where it begins.
    #[cold]
    fn add_row(&mut self, offset: usize, stride: usize) -> usize {
        let first = self.rows.len().max(1);
        self.rows.resize(first + stride, 0);
        self.row_of[offset] = first as u16;
        first
    }

    /// The offsets that were used, ascending, each with its counts and its users.
    fn used(&self) -> impl Iterator<Item = (u8, Tally, &[u64])> {
        let rows = self.row_of.iter().filter(|row| **row > 0).count();
        let stride = self.rows.len().saturating_sub(1) / rows.max(1);
        let used = self.row_of.iter().enumerate().filter(|(_, row)| **row > 0);
        used.filter_map(move |(offset, row)| {
            let (counts, users) = self.rows[usize::from(*row)..][..stride].split_first_chunk()?;
            Some((offset as u8, Tally(*counts), users))
        })
    }

    pub(super) fn counters(&self) -> LineCounters {
        let mut counters = LineCounters {
            loads: self.parked,
            l1_hits: self.parked,
            invalidations: self.invalidations,
            transfer_cycles: self.transfer_cycles,
            queue_cycles: self.queue_cycles,
            ..LineCounters::default()
        };
        self.used().for_each(|(_, tally, _)| tally.expand(&mut counters));
        counters.bounces = counters.rfo + counters.upgrades;
        counters
    }

    /// The offsets that were used, ascending.
    pub(super) fn rows(&self) -> Vec<OffsetRow> {
        let row = |(offset, tally, users): (u8, Tally, &[u64])| {
            let (readers, writers) = users.split_at(users.len() / 2);
            OffsetRow {
                offset,
                accesses: tally.accesses(),
                hitm: tally.hitm(),
                readers: readers.to_vec(),
                writers: writers.to_vec(),
            }
        };
        self.used().map(row).collect()
    }
}
