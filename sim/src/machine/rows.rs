//! What happened at each offset of the lines that have records.
//!
//! An offset that was used has a *row*: for each group of 256 CPUs a chunk for loads, one for stores and one
//! for LOCK operations. A chunk is a cache line of the host: how often what was met, and who came, by bit. So
//! counting an access touches one line of the host. All rows of a machine lie in one place.

use pamt_strategies::units::LINE_BYTES;

use super::coherence::Want;
use super::tally::{ALL_WANT, MET_ON_SHARED, Met, Tally};

/// Words of 32 CPUs in a chunk.
const SET_WORDS: usize = 8;
/// CPUs that have chunks of their own.
const GROUP: usize = 32 * SET_WORDS;

/// Accesses of one kind by a group of CPUs.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Chunk {
    counts: [u32; MET_ON_SHARED],
    cpus: [u32; SET_WORDS],
}

impl Chunk {
    const EMPTY: Self = Self { counts: [0; MET_ON_SHARED], cpus: [0; SET_WORDS] };
}

/// Of a line, by offset: the first chunk of its row, or 0.
#[derive(Clone, Debug)]
pub(super) struct RowOf([u32; LINE_BYTES as usize]);

impl Default for RowOf {
    fn default() -> Self {
        Self([0; LINE_BYTES as usize])
    }
}

impl RowOf {
    /// The offsets that were used, ascending, with their rows.
    fn used(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        let rows = self.0.iter().enumerate().filter(|(_, row)| **row != 0);
        rows.map(|(offset, row)| (offset as u8, *row))
    }
}

/// What a row says.
pub(super) struct Row {
    pub(super) offset: u8,
    pub(super) tally: Tally,
    /// CPUs that loaded, by bit.
    pub(super) readers: Vec<u64>,
    /// CPUs that stored or locked.
    pub(super) writers: Vec<u64>,
}

/// The rows of all lines.
#[derive(Debug)]
pub(super) struct Rows {
    /// The first one belongs to no row.
    chunks: Vec<Chunk>,
    /// Chunks of a row.
    row: usize,
    /// Rows of retired records.
    free: Vec<u32>,
    /// Counts that have passed 2^32, once for each time: chunk and place in it.
    passed: Vec<(usize, usize)>,
    /// Words of a set of CPUs, 64 CPUs each.
    set_words: usize,
}

impl Rows {
    pub(super) fn new(cpus: usize) -> Self {
        let row = cpus.div_ceil(GROUP) * ALL_WANT.len();
        let set_words = cpus.div_ceil(64);
        Self { chunks: vec![Chunk::EMPTY], row, free: vec![], passed: vec![], set_words }
    }

    /// Counts an access of `cpu` at an address of the line whose rows are `of`.
    #[inline(always)]
    pub(super) fn count(&mut self, of: &mut RowOf, addr: u64, cpu: u16, want: Want, met: Met) {
        let row = &mut of.0[(addr % LINE_BYTES) as usize];
        if *row == 0 {
            *row = self.add();
        }
        let group = usize::from(cpu) / GROUP * ALL_WANT.len();
        let at = *row as usize + group + want as usize;
        debug_assert!(met != Met::L2, "a line that has a record is in no second-level cache alone");
        let kind = met as usize % MET_ON_SHARED;
        let chunk = &mut self.chunks[at];
        chunk.cpus[usize::from(cpu / 32) % SET_WORDS] |= 1 << (cpu % 32);
        let count = &mut chunk.counts[kind];
        *count = count.wrapping_add(1);
        if *count == 0 {
            self.pass(at, kind);
        }
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let row = self.chunks.len();
            self.chunks.resize(row + self.row, Chunk::EMPTY);
            row as u32
        })
    }

    #[cold]
    #[inline(never)]
    fn pass(&mut self, at: usize, kind: usize) {
        self.passed.push((at, kind));
    }

    /// Forgets the rows of a line.
    pub(super) fn release(&mut self, of: &RowOf) {
        for (_, row) in of.used() {
            let chunks = row as usize..row as usize + self.row;
            self.chunks[chunks.clone()].fill(Chunk::EMPTY);
            self.passed.retain(|(chunk, _)| !chunks.contains(chunk));
            self.free.push(row);
        }
    }

    /// What happened on a line, at all offsets together.
    pub(super) fn tally(&self, of: &RowOf) -> Tally {
        let mut tally = Tally::default();
        of.used().for_each(|(_, row)| self.tally_row(row as usize, &mut tally));
        tally
    }

    fn tally_row(&self, row: usize, tally: &mut Tally) {
        let chunks = row..row + self.row;
        for (chunk, want) in self.chunks[chunks.clone()].iter().zip(ALL_WANT.into_iter().cycle()) {
            for (kind, count) in chunk.counts.iter().enumerate() {
                tally.add(want, kind, u64::from(*count));
            }
        }
        for (chunk, kind) in self.passed.iter().filter(|(chunk, _)| chunks.contains(chunk)) {
            tally.add(ALL_WANT[(chunk - row) % ALL_WANT.len()], *kind, 1 << 32);
        }
    }

    /// The rows of a line, by ascending offset.
    pub(super) fn of(&self, of: &RowOf) -> Vec<Row> {
        of.used().map(|(offset, row)| self.row(offset, row as usize)).collect()
    }

    fn row(&self, offset: u8, row: usize) -> Row {
        let mut tally = Tally::default();
        self.tally_row(row, &mut tally);
        let mut users = ALL_WANT.map(|_| vec![0_u64; self.set_words]);
        for n in 0..self.row {
            let (group, want) = (n / ALL_WANT.len(), n % ALL_WANT.len());
            let Chunk { cpus, .. } = &self.chunks[row + n];
            let sets = users[want].iter_mut().skip(group * SET_WORDS / 2);
            for (set, halves) in sets.zip(cpus.chunks_exact(2)) {
                *set = u64::from(halves[0]) | u64::from(halves[1]) << 32;
            }
        }
        let [readers, stored, locked] = users;
        let writers = stored.iter().zip(&locked).map(|(a, b)| a | b).collect();
        Row { offset, tally, readers, writers }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::LineCounters;
    use super::*;

    fn counters(row: &Row) -> LineCounters {
        let mut counters = LineCounters::default();
        row.tally.expand(&mut counters);
        counters
    }

    #[test]
    fn a_row_knows_its_cpus_on_any_machine() {
        for cpus in [1, 256, 257, 1024] {
            let mut rows = Rows::new(cpus);
            let mut of = RowOf::default();
            let last = cpus as u16 - 1;
            rows.count(&mut of, 64, last, Want::Load, Met::L1);
            rows.count(&mut of, 72, 0, Want::Store, Met::Memory);
            rows.count(&mut of, 72, last, Want::Locked, Met::DirtyLocal);
            let [first, second] = &rows.of(&of)[..] else { panic!("two offsets were used") };
            assert_eq!((first.offset, second.offset), (0, 8));
            let bit = 1_u64 << (last % 64);
            assert_eq!(
                (first.readers.len(), first.readers.last()),
                (cpus.div_ceil(64), Some(&bit))
            );
            assert_eq!(first.writers.iter().sum::<u64>(), 0);
            assert!(
                second.writers[0] & 1 == 1 && second.writers.last().is_some_and(|w| w & bit != 0)
            );
            assert_eq!((counters(second).rfo_hitm_local, counters(second).rfo), (1, 2));
        }
    }

    #[test]
    fn a_count_goes_on_beyond_32_bits() {
        let mut rows = Rows::new(1);
        let mut of = RowOf::default();
        rows.count(&mut of, 0, 0, Want::Load, Met::L1);
        rows.chunks[of.0[0] as usize].counts[Met::L1 as usize] = u32::MAX;
        rows.count(&mut of, 0, 0, Want::Load, Met::L1);
        rows.count(&mut of, 0, 0, Want::Load, Met::L1);
        assert_eq!(counters(&rows.of(&of)[0]).l1_hits, (1 << 32) + 1);
    }

    #[test]
    fn a_released_row_is_empty_when_it_is_used_again() {
        let mut rows = Rows::new(1);
        let mut old = RowOf::default();
        rows.count(&mut old, 0, 0, Want::Store, Met::Llc);
        rows.passed.push((old.0[0] as usize, 0));
        rows.release(&old);
        let mut new = RowOf::default();
        rows.count(&mut new, 8, 0, Want::Load, Met::L1);
        assert_eq!(new.0[8], old.0[0]);
        let row = &rows.of(&new)[0];
        let all = LineCounters { loads: 1, l1_hits: 1, ..LineCounters::default() };
        assert_eq!((counters(row), row.writers[0]), (all, 0));
    }
}
