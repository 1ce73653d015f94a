//! Counting while a run goes on: one addition an access, and counters at its end.

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

/// How often each kind of access met what: one addition an access; the report makes counters of it.
#[derive(Clone, Debug)]
struct Tally([u64; ALL_WANT.len() * ALL_MET.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; ALL_WANT.len() * ALL_MET.len()])
    }
}

impl Tally {
    #[inline]
    fn count(&mut self, want: Want, met: Met) {
        self.0[want as usize * ALL_MET.len() + met as usize] += 1;
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

/// One offset of a line.
#[derive(Clone, Debug)]
struct OffsetStats {
    offset: u8,
    tally: Tally,
    /// CPUs that loaded, then CPUs that stored or locked, by bit.
    users: Box<[u64]>,
}

/// What happened on a line since it has a record.
#[derive(Clone, Debug, Default)]
pub(super) struct LineStats {
    /// In order of first use.
    offsets: Vec<OffsetStats>,
    /// The offset used last: mostly the next one too.
    last: usize,
    /// Reads of quiet spinners; they hit.
    pub(super) parked: u64,
    pub(super) invalidations: u64,
    pub(super) transfer_cycles: u64,
    pub(super) queue_cycles: u64,
}

impl LineStats {
    /// Counts an access of `cpu` at `offset`; a set of CPUs has so many `words`.
    #[inline]
    pub(super) fn count(&mut self, offset: u8, cpu: u16, want: Want, met: Met, words: usize) {
        if self.offsets.get(self.last).is_none_or(|stats| stats.offset != offset) {
            self.turn_to(offset, words);
        }
        let stats = &mut self.offsets[self.last];
        stats.tally.count(want, met);
        let first = if want == Want::Load { 0 } else { words };
        stats.users[first + usize::from(cpu / 64)] |= 1 << (cpu % 64);
    }

    #[cold]
    fn turn_to(&mut self, offset: u8, words: usize) {
        let found = self.offsets.iter().position(|stats| stats.offset == offset);
        self.last = found.unwrap_or_else(|| {
            let (tally, users) = (Tally::default(), vec![0; 2 * words].into_boxed_slice());
            self.offsets.push(OffsetStats { offset, tally, users });
            self.offsets.len() - 1
        });
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
        self.offsets.iter().for_each(|stats| stats.tally.expand(&mut counters));
        counters.bounces = counters.rfo + counters.upgrades;
        counters
    }

    /// The offsets, ascending.
    pub(super) fn rows(&self) -> Vec<OffsetRow> {
        let row = |stats: &OffsetStats| {
            let (readers, writers) = stats.users.split_at(stats.users.len() / 2);
            OffsetRow {
                offset: stats.offset,
                accesses: stats.tally.accesses(),
                hitm: stats.tally.hitm(),
                readers: readers.to_vec(),
                writers: writers.to_vec(),
            }
        };
        let mut rows: Vec<OffsetRow> = self.offsets.iter().map(row).collect();
        rows.sort_by_key(|row| row.offset);
        rows
    }
}
