//! Counting while a run goes on: one addition an access, and counters at its end.

use super::coherence::Want;
use super::stats::LineCounters;

/// What an access met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// The core's own first-level cache.
    L1,
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
    /// Its second-level cache; of lines that no other core has had, and so have no record.
    L2,
}

/// What can be met on a line that has a record.
pub(super) const MET_ON_SHARED: usize = Met::L2 as usize;

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
    Met::Llc,
    Met::SharedHere,
    Met::CleanLocal,
    Met::CleanRemote,
    Met::DirtyLocal,
    Met::DirtyRemote,
    Met::Memory,
    Met::L2,
];
pub(super) const ALL_WANT: [Want; 3] = [Want::Load, Want::Store, Want::Locked];

/// Pairs of what an access wanted and what it met.
const KINDS: usize = ALL_WANT.len() * ALL_MET.len();

/// Place of a pair among all of them.
#[inline]
const fn kind(want: Want, met: Met) -> usize {
    want as usize * ALL_MET.len() + met as usize
}

/// How often each kind of access met what: one addition an access; the report makes counters of it.
#[derive(Clone, Debug)]
pub(super) struct Tally([u64; KINDS]);

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

    /// Adds a count of what has this place among [`ALL_MET`].
    pub(super) fn add(&mut self, want: Want, met: usize, count: u64) {
        self.0[want as usize * ALL_MET.len() + met] += count;
    }

    fn entries(&self) -> impl Iterator<Item = (Want, Met, u64)> + '_ {
        let pairs = ALL_WANT.iter().flat_map(|want| ALL_MET.iter().map(move |met| (*want, *met)));
        pairs.zip(self.0).map(|((want, met), count)| (want, met, count))
    }

    pub(super) fn accesses(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn hitm(&self) -> u64 {
        let hitm = |met| matches!(met, Met::DirtyLocal | Met::DirtyRemote);
        self.entries().filter(|(_, met, _)| hitm(*met)).map(|(_, _, count)| count).sum()
    }

    /// The counters that follow from what was met.
    pub(super) fn expand(&self, into: &mut LineCounters) {
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

    pub(super) fn retire(&mut self, record: &LineCounters) {
        self.retired.add(record);
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

/// What happened on a line since it has a record, beside the counts of its [rows](super::rows).
#[derive(Clone, Debug, Default)]
pub(super) struct LineStats {
    /// Reads of quiet spinners; they hit.
    pub(super) parked: u64,
    pub(super) invalidations: u64,
    pub(super) transfer_cycles: u64,
    pub(super) queue_cycles: u64,
}

impl LineStats {
    /// With the counts of the line's rows.
    pub(super) fn counters(&self, tally: &Tally) -> LineCounters {
        let mut counters = LineCounters {
            loads: self.parked,
            l1_hits: self.parked,
            invalidations: self.invalidations,
            transfer_cycles: self.transfer_cycles,
            queue_cycles: self.queue_cycles,
            ..LineCounters::default()
        };
        tally.expand(&mut counters);
        counters.bounces = counters.rfo + counters.upgrades;
        counters
    }
}
