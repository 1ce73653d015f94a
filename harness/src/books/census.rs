//! What page pairs cost in memory, at one instant: pairs held against the least that would do, and 2 MiB
//! regions that pairs keep from being mapped as such.

use std::sync::atomic::Ordering;

use pamt_strategies::platform::Platform;
use pamt_strategies::units::{Cycles, PAGES_PER_REGION, Pfn};

use super::{Books, Depth};

/// A look at all regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    /// When.
    pub(crate) at: Cycles,
    /// Pages of the pairs that the module holds.
    pub(crate) pamt_pages: u64,
    /// The same if the 4 KiB pages in use were packed into as few regions as hold them.
    pub(crate) pamt_pages_least: u64,
    /// Regions without a page in use that cannot become a 2 MiB mapping: they still have a pair, or
    /// hold a backing page of another region's.
    pub(crate) unmappable_regions: u64,
}

impl Books {
    /// Counts all regions. The run does not notice; on real threads nothing is counted.
    pub(crate) fn take_census<P: Platform>(&self, cpu: &P::Cpu) {
        if self.depth == Depth::Full {
            let census = self.census(P::now(cpu));
            self.censuses.lock().push(census);
        }
    }

    /// All censuses so far.
    pub(crate) fn censuses(&self) -> Vec<Census> {
        self.censuses.lock().clone()
    }

    fn census(&self, at: Cycles) -> Census {
        let mut blocked = vec![false; self.users.len()];
        let (mut pairs, mut users) = (0, 0);
        for (region, pair) in self.pairs.iter().enumerate() {
            for page in pair.iter().filter_map(|page| page.load(Ordering::Relaxed).checked_sub(1)) {
                blocked[Pfn(page.into()).region().0 as usize] = true;
                blocked[region] = true;
                pairs += 1;
            }
        }
        let mut unmappable = 0;
        for (in_use, blocked) in self.users.iter().zip(blocked) {
            let in_use = u64::from(in_use.load(Ordering::Relaxed));
            users += in_use;
            unmappable += u64::from(blocked && in_use == 0);
        }
        let least = if pairs == 0 { 0 } else { 2 * users.div_ceil(PAGES_PER_REGION) };
        Census { at, pamt_pages: pairs, pamt_pages_least: least, unmappable_regions: unmappable }
    }
}

#[cfg(test)]
mod tests {
    use pamt_strategies::module::PamtPair;
    use pamt_strategies::units::Region;

    use super::*;

    #[test]
    fn a_region_that_only_backs_others_is_unmappable_and_one_in_use_is_not_counted() {
        let books = Books::new(Depth::Full, 4, 1);
        books.used(Pfn(3));
        books.used(Pfn(512));
        books.added(Region(0), PamtPair([Pfn(1024), Pfn(513)]));
        books.added(Region(1), PamtPair([Pfn(514), Pfn(515)]));
        let census = books.census(Cycles(7));
        assert_eq!((census.pamt_pages, census.pamt_pages_least), (4, 2));
        assert_eq!(census.unmappable_regions, 1, "region 2");
    }
}
