//! Counters of lines, in the words of `perf c2c`.

use super::rows::Row;

/// What happened on a line, or on all lines of an object.
///
/// *Local* is inside the socket of the CPU that asks. The simulator counts every access; `perf c2c`
/// samples them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounters {
    /// Loads.
    pub loads: u64,
    /// Plain stores.
    pub stores: u64,
    /// LOCK operations.
    pub locked: u64,
    /// Accesses that hit the core's own first-level cache.
    pub l1_hits: u64,
    /// Accesses that hit its second-level cache.
    pub l2_hits: u64,
    /// Accesses served by a last-level cache.
    pub llc_hits: u64,
    /// Loads of a line modified in another core of the socket.
    pub hitm_local: u64,
    /// Loads of a line modified in another socket.
    pub hitm_remote: u64,
    /// Loads of a clean line that another core of the socket forwarded.
    pub forward_local: u64,
    /// Loads of a clean line that another socket forwarded.
    pub forward_remote: u64,
    /// Reads for ownership: stores and LOCK operations on a line that the core did not have.
    pub rfo: u64,
    /// Those of them that took the line modified from another core of the socket.
    pub rfo_hitm_local: u64,
    /// Those that took it modified from another socket.
    pub rfo_hitm_remote: u64,
    /// Stores and LOCK operations on a line that the core held shared.
    pub upgrades: u64,
    /// Copies in other cores that were invalidated.
    pub invalidations: u64,
    /// Changes of the owning core.
    pub bounces: u64,
    /// Fetches from the socket's own memory.
    pub dram_local: u64,
    /// Fetches from another socket's memory.
    pub dram_remote: u64,
    /// Latency of all transactions that left the core, in cycles.
    pub transfer_cycles: u64,
    /// Time that transactions waited for earlier ones on the same line, in cycles.
    pub queue_cycles: u64,
}

impl LineCounters {
    /// Transfers between cores.
    #[must_use]
    pub fn transfers(&self) -> u64 {
        self.hitm() + self.forward_local + self.forward_remote + self.upgrades
    }

    /// Accesses that met a line modified elsewhere: loads and reads for ownership.
    #[must_use]
    pub fn hitm(&self) -> u64 {
        self.hitm_local + self.hitm_remote + self.rfo_hitm_local + self.rfo_hitm_remote
    }

    /// Adds another line's counters.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.loads, other.loads),
            (&mut self.stores, other.stores),
            (&mut self.locked, other.locked),
            (&mut self.l1_hits, other.l1_hits),
            (&mut self.l2_hits, other.l2_hits),
            (&mut self.llc_hits, other.llc_hits),
            (&mut self.hitm_local, other.hitm_local),
            (&mut self.hitm_remote, other.hitm_remote),
            (&mut self.forward_local, other.forward_local),
            (&mut self.forward_remote, other.forward_remote),
            (&mut self.rfo, other.rfo),
            (&mut self.rfo_hitm_local, other.rfo_hitm_local),
            (&mut self.rfo_hitm_remote, other.rfo_hitm_remote),
            (&mut self.upgrades, other.upgrades),
            (&mut self.invalidations, other.invalidations),
            (&mut self.bounces, other.bounces),
            (&mut self.dram_local, other.dram_local),
            (&mut self.dram_remote, other.dram_remote),
            (&mut self.transfer_cycles, other.transfer_cycles),
            (&mut self.queue_cycles, other.queue_cycles),
        ];
        for (mine, theirs) in pairs {
            *mine += theirs;
        }
    }
}

/// Who used one byte offset of a line, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetRow {
    /// First byte of the access inside the line.
    pub offset: u8,
    /// Loads, stores and LOCK operations at the offset.
    pub accesses: u64,
    /// Those that met the line modified elsewhere.
    pub hitm: u64,
    /// CPUs that loaded, by bit.
    pub readers: Vec<u64>,
    /// CPUs that stored or locked, by bit.
    pub writers: Vec<u64>,
}

impl From<Row> for OffsetRow {
    fn from(Row { offset, tally, readers, writers }: Row) -> Self {
        Self { offset, accesses: tally.accesses(), hitm: tally.hitm(), readers, writers }
    }
}

/// Whether CPUs that use different offsets of a line only meet because the offsets share it: some CPU
/// writes one offset while another CPU uses only others.
pub(super) fn false_sharing(rows: &[OffsetRow]) -> bool {
    rows.iter().any(|written| {
        let writes = written.writers.iter().any(|word| *word != 0);
        let others = || rows.iter().filter(|other| other.offset != written.offset);
        writes && others().any(|other| stranger(written, other))
    })
}

/// Whether some CPU uses `other` and never `written`.
fn stranger(written: &OffsetRow, other: &OffsetRow) -> bool {
    let words = written.readers.len();
    (0..words).any(|w| {
        let here = written.readers[w] | written.writers[w];
        (other.readers[w] | other.writers[w]) & !here != 0
    })
}

#[cfg(test)]
mod tests {
    use super::super::coherence::Want;
    use super::super::rows::{RowOf, Rows};
    use super::super::tally::Met;
    use super::*;

    /// The rows of a line with these accesses: address, CPU, what was wanted and met.
    fn rows(accesses: &[(u64, u16, Want, Met)]) -> Vec<OffsetRow> {
        let (mut rows, mut of) = (Rows::new(64), RowOf::default());
        for (addr, cpu, want, met) in accesses {
            rows.count(&mut of, *addr, *cpu, *want, *met);
        }
        rows.of(&of).into_iter().map(OffsetRow::from).collect()
    }

    #[test]
    fn two_cpus_on_two_offsets_share_falsely_and_on_one_truly() {
        let truly = [(0, 1, Want::Store, Met::Memory), (0, 2, Want::Store, Met::DirtyLocal)];
        assert!(!false_sharing(&rows(&truly)));
        let falsely = [truly[0], truly[1], (8, 3, Want::Load, Met::DirtyLocal)];
        assert!(false_sharing(&rows(&falsely)));
    }

    #[test]
    fn reading_alone_is_no_false_sharing() {
        let read = [(0, 1, Want::Load, Met::L1), (8, 2, Want::Load, Met::L1)];
        assert!(!false_sharing(&rows(&read)));
    }
}
