//! Lines that one core's cache handed to another's, counted by pair of cores: who bounces a line with whom.
//!
//! Only lines that one core alone had are counted: of a shared one nobody in particular is the giver.

use pamt_strategies::units::CpuId;

/// Lines that went from one core to another. Cores are named by their first CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Whose cache had the line.
    pub from: CpuId,
    /// Whose asked for it.
    pub to: CpuId,
    /// How often.
    pub count: u64,
}

/// The counts of one object; nothing is kept before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct HandedBook {
    counts: Vec<u64>,
}

impl HandedBook {
    /// A line went `from` one core `to` another, of so many `cores`.
    #[inline]
    pub(super) fn count(&mut self, from: u16, to: u16, cores: usize) {
        let pair = usize::from(from) * cores + usize::from(to);
        match self.counts.get_mut(pair) {
            Some(count) => *count += 1,
            None => self.begin(pair, cores),
        }
    }

    #[cold]
    fn begin(&mut self, pair: usize, cores: usize) {
        self.counts = vec![0; cores * cores];
        self.counts[pair] = 1;
    }

    /// The pairs of different cores that occurred, in order of giver and taker.
    pub(super) fn rows(&self, cores: usize) -> Vec<Handed> {
        let pairs = self.counts.iter().enumerate();
        let pairs = pairs.filter(|(at, count)| **count > 0 && at / cores != at % cores);
        // A core's first thread has the core's number.
        let core = |index: usize| CpuId(index as u16);
        pairs
            .map(|(at, count)| Handed {
                from: core(at / cores),
                to: core(at % cores),
                count: *count,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_listed_by_giver_and_a_core_gives_itself_nothing() {
        let mut book = HandedBook::default();
        for (from, to) in [(2, 0), (0, 1), (2, 0), (1, 1)] {
            book.count(from, to, 3);
        }
        let rows: Vec<_> = book.rows(3).iter().map(|r| (r.from.0, r.to.0, r.count)).collect();
        assert_eq!(rows, [(0, 1, 1), (2, 0, 2)]);
    }
}
