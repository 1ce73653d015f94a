//! Placements that are formulas or plain pools, without the kernel's allocator.

use parking_lot::Mutex;

use pamt_strategies::module::PamtPair;
use pamt_strategies::units::{PAGES_PER_REGION, Pfn, Region};

use super::{MemoryMap, Placement};

/// Which unit of a node's guest memory (4 KiB page, or 2 MiB region) a TD's unit gets, for the
/// placements that fix it beforehand.
#[derive(Clone, Debug)]
pub(crate) struct GuestOrder {
    placement: Placement,
    tds_per_node: u64,
    units_per_td: u64,
    /// Contiguous TDs start at a multiple of this.
    granule: u64,
    /// Multiplier and offset of a permutation of a node's units.
    scatter: (u64, u64),
}

impl GuestOrder {
    pub(crate) fn new(
        placement: Placement,
        tds_per_node: u64,
        (units_per_td, granule): (u64, u64),
        seed: u64,
    ) -> Self {
        let scatter = permutation(tds_per_node * units_per_td, seed);
        Self { placement, tds_per_node, units_per_td, granule, scatter }
    }

    /// Number of the unit; `slot` is the TD's place among the TDs of its node.
    pub(crate) fn unit(&self, slot: u64, at: u64) -> u64 {
        match self.placement {
            Placement::Interleaved => at * self.tds_per_node + slot,
            Placement::Random => {
                let total = self.tds_per_node * self.units_per_td;
                let (factor, offset) = self.scatter;
                let linear = slot * self.units_per_td + at;
                ((u128::from(linear) * u128::from(factor) + u128::from(offset)) % u128::from(total))
                    as u64
            }
            Placement::Neighbours => {
                let (region, page) = (at / self.granule, at % self.granule);
                (region * self.tds_per_node + slot) * self.granule + page
            }
            _ => slot * self.units_per_td.next_multiple_of(self.granule) + at,
        }
    }
}

/// Factor and offset of `i -> (i * factor + offset) % total`, a permutation.
fn permutation(total: u64, seed: u64) -> (u64, u64) {
    // An odd multiplier near the golden ratio of the range spreads neighbours far apart.
    let mut factor = ((total as f64 * 0.618_033_988_749_895) as u64).max(1) + seed % 1024;
    while gcd(factor, total) != 1 {
        factor += 1;
    }
    (factor, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % total.max(1))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// PAMT backing pages outside the kernel's allocator.
#[derive(Debug)]
pub(crate) struct PairPool {
    placement: Placement,
    nodes: Vec<Mutex<Vec<Pfn>>>,
}

impl PairPool {
    pub(crate) fn new(placement: Placement, map: &MemoryMap) -> Self {
        let nodes = (0..map.nodes).map(|node| Mutex::new(pool_pages(placement, map, node)));
        Self { placement, nodes: nodes.collect() }
    }

    /// A page from `node`; `draw` are random bits.
    pub(crate) fn take(&self, node: usize, draw: u64) -> Option<Pfn> {
        let mut pages = self.nodes[node].lock();
        let last = pages.len().checked_sub(1)?;
        let at = match self.placement {
            Placement::Random => (draw % pages.len() as u64) as usize,
            _ => last,
        };
        Some(pages.swap_remove(at))
    }

    /// Gives a page back to its node.
    pub(crate) fn give(&self, node: usize, page: Pfn) {
        self.nodes[node].lock().push(page);
    }

    /// Pages in it.
    pub(crate) fn free_pages(&self) -> u64 {
        self.nodes.iter().map(|pages| pages.lock().len() as u64).sum()
    }
}

fn pool_pages(placement: Placement, map: &MemoryMap, node: u32) -> Vec<Pfn> {
    match placement {
        Placement::DedicatedPool => {
            let part = map.pool_part(node);
            let count = u64::from(map.pool_regions) * PAGES_PER_REGION;
            // Taken from the back: lowest page first.
            (0..count).rev().map(|i| map.usable_page(&part, i)).collect()
        }
        Placement::Random => {
            let regions = map.allocator_part(node).chain(map.guest_part(node));
            regions.flat_map(|region| own_pair(Region(region)).0).collect()
        }
        _ => Vec::new(),
    }
}

/// The reserved tail of a region.
pub(crate) fn own_pair(region: Region) -> PamtPair {
    let end = region.first_pfn().0 + PAGES_PER_REGION;
    PamtPair([Pfn(end - 2), Pfn(end - 1)])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::map::Demand;
    use super::*;

    fn map(guest: Placement, pamt: Placement, tds: u64, pages_per_td: u64) -> MemoryMap {
        let demand = Demand {
            nodes: 2,
            tds,
            pages_per_td,
            recorded_regions: 0,
            large: false,
            ageing: 0.0,
            kernel_pages_per_td: 64,
            host_bytes: 4096,
            guest,
            pamt,
        };
        MemoryMap::new(&demand).expect("fits")
    }

    proptest! {
        #[test]
        fn a_fixed_placement_gives_each_guest_page_a_page_of_its_own(
            tds in 1_u64..6, pages in 1_u64..3000, seed: u64, which in 0..4_usize, tail: bool,
        ) {
            let guest = [
                Placement::Contiguous,
                Placement::Interleaved,
                Placement::Random,
                Placement::Neighbours,
            ][which];
            let pamt = if tail { Placement::SameRegion } else { Placement::UnmovablePcp };
            let map = map(guest, pamt, tds, pages);
            let tds_per_node = tds.div_ceil(2);
            let usable = PAGES_PER_REGION - map.reserved_tail;
            let order = GuestOrder::new(guest, tds_per_node, (pages, usable), seed);
            let mut seen = BTreeSet::new();
            for td in 0..tds {
                for gfn in 0..pages {
                    let part = map.guest_part((td % 2) as u32);
                    let page = map.usable_page(&part, order.unit(td / 2, gfn));
                    prop_assert!(part.contains(&page.region().0));
                    prop_assert!(seen.insert(page), "{page:?} twice");
                }
            }
        }
    }

    #[test]
    fn pool_pages_lie_in_regions_that_are_never_targets() {
        let map = map(Placement::UnmovablePcp, Placement::DedicatedPool, 2, 5000);
        let pool = PairPool::new(Placement::DedicatedPool, &map);
        let page = pool.take(1, 7).expect("pages");
        assert!(map.pool_part(1).contains(&page.region().0));
        let before = pool.free_pages();
        pool.give(1, page);
        assert_eq!(pool.free_pages(), before + 1);
    }
}
