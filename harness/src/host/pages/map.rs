//! How the host's physical memory is divided before a run.
//!
//! Nodes are equal, contiguous and in order. Inside a node, from below: the page allocator's part,
//! guest memory that a fixed placement owns, the 2 MiB guest pages that the allocator cannot give, and
//! the pool of PAMT backing pages. A part that its placement does not need has no size.

use core::ops::Range;

use pamt_strategies::units::{PAGE_BYTES, PAGES_PER_REGION, Pfn, Region};
use thiserror::Error;

use super::Placement;

/// Regions of a 4 GiB window: one line of PAMT_1G entries, and the granule of a node's size.
const REGIONS_PER_WINDOW: u64 = 2048;

/// Pages that the books can name: their numbers fit in 31 bits.
const MOST_PAGES: u64 = 1 << 31;

/// What must fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) nodes: u64,
    pub(crate) tds: u64,
    pub(crate) pages_per_td: u64,
    /// Regions of a recording, whose pages lie where they lay.
    pub(crate) recorded_regions: u64,
    /// TDs map memory as 2 MiB pages, too.
    pub(crate) large: bool,
    /// Share of the page allocator's memory that others hold, page by page.
    pub(crate) ageing: f64,
    /// Pages that the kernel takes for each TD besides guest memory: control and S-EPT pages, caches.
    pub(crate) kernel_pages_per_td: u64,
    /// Least size of the whole memory, in bytes.
    pub(crate) host_bytes: u64,
    pub(crate) guest: Placement,
    pub(crate) pamt: Placement,
}

/// The host would be too large for the ids that name its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{tds} TDs of this size need {tib} TiB of host memory, more than the 8 TiB that can be modelled; lower --tds or --memory"
)]
pub struct MapError {
    tds: u64,
    tib: u64,
}

/// The division, equal on all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryMap {
    pub(crate) nodes: u32,
    pub(crate) regions_per_node: u32,
    pub(crate) allocator_regions: u32,
    pub(crate) guest_regions: u32,
    pub(crate) large_regions: u32,
    pub(crate) pool_regions: u32,
    /// Pages at the end of each region that are kept for the region's own pair.
    pub(crate) reserved_tail: u64,
    /// Pages of the allocator's part that are free, but scattered, when the run begins.
    pub(crate) aged_pages: u64,
}

impl MemoryMap {
    pub(crate) fn new(demand: &Demand) -> Result<Self, MapError> {
        let reserved_tail = match demand.pamt {
            // Random pairs are drawn from the tails of all regions.
            Placement::SameRegion | Placement::Random => 2,
            _ => 0,
        };
        let usable = PAGES_PER_REGION - reserved_tail;
        let tds_per_node = demand.tds.div_ceil(demand.nodes);
        let guest = tds_per_node * demand.pages_per_td;
        let fixed_guest = demand.guest != Placement::UnmovablePcp;
        let guest_regions =
            if fixed_guest { tds_per_node * demand.pages_per_td.div_ceil(usable) } else { 0 };
        let large_regions = if demand.large && (fixed_guest || reserved_tail > 0) {
            tds_per_node * demand.pages_per_td.div_ceil(PAGES_PER_REGION)
        } else {
            0
        };
        let touched = (guest + tds_per_node * demand.kernel_pages_per_td).div_ceil(usable)
            + demand.recorded_regions;
        // A quarter is slack: per-CPU lists, blocks that fragment, pairs from the same allocator.
        let by_allocator = if fixed_guest { touched - touched.min(guest_regions) } else { touched };
        let by_allocator = by_allocator + by_allocator / 4;
        let aged_pages = if demand.ageing > 0.0 { by_allocator * usable } else { 0 };
        let spread = (by_allocator as f64 / (1.0 - demand.ageing)).ceil() as u64;
        let pool_regions = match demand.pamt {
            // Two pages a region that may be touched, what vCPUs have at hand (a part of the kernel's
            // pages), and a chunk for rounding.
            Placement::DedicatedPool => {
                let at_hand = tds_per_node * demand.kernel_pages_per_td;
                (2 * (spread + guest_regions) + at_hand).div_ceil(PAGES_PER_REGION) + 1
            }
            _ => 0,
        };
        let fixed = guest_regions + large_regions + pool_regions;
        let needed = spread + 64 + fixed;
        let asked = demand.host_bytes.div_ceil(demand.nodes * PAGE_BYTES * PAGES_PER_REGION);
        let regions = needed.max(asked).next_multiple_of(REGIONS_PER_WINDOW);
        if regions * demand.nodes * PAGES_PER_REGION > MOST_PAGES {
            let bytes = regions * demand.nodes * PAGES_PER_REGION * PAGE_BYTES;
            return Err(MapError { tds: demand.tds, tib: bytes >> 40 });
        }
        Ok(Self {
            nodes: demand.nodes as u32,
            regions_per_node: regions as u32,
            allocator_regions: (regions - fixed) as u32,
            guest_regions: guest_regions as u32,
            large_regions: large_regions as u32,
            pool_regions: pool_regions as u32,
            reserved_tail,
            aged_pages,
        })
    }

    /// All regions.
    pub(crate) fn regions(&self) -> u32 {
        self.regions_per_node * self.nodes
    }

    pub(crate) fn allocator_part(&self, node: u32) -> Range<u32> {
        let start = node * self.regions_per_node;
        start..start + self.allocator_regions
    }

    pub(crate) fn guest_part(&self, node: u32) -> Range<u32> {
        let start = self.allocator_part(node).end;
        start..start + self.guest_regions
    }

    pub(crate) fn large_part(&self, node: u32) -> Range<u32> {
        let start = self.guest_part(node).end;
        start..start + self.large_regions
    }

    pub(crate) fn pool_part(&self, node: u32) -> Range<u32> {
        let start = self.large_part(node).end;
        start..start + self.pool_regions
    }

    /// Page `i` of the pages of `part` that are not reserved tails.
    pub(crate) fn usable_page(&self, part: &Range<u32>, i: u64) -> Pfn {
        let usable = PAGES_PER_REGION - self.reserved_tail;
        let region = Region(part.start + (i / usable) as u32);
        Pfn(region.first_pfn().0 + i % usable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand() -> Demand {
        Demand {
            nodes: 2,
            tds: 8,
            pages_per_td: 65536,
            recorded_regions: 0,
            large: true,
            ageing: 0.0,
            kernel_pages_per_td: 400,
            host_bytes: 16 << 30,
            guest: Placement::UnmovablePcp,
            pamt: Placement::UnmovablePcp,
        }
    }

    #[test]
    fn parts_fill_a_node_without_overlap() {
        for guest in [Placement::UnmovablePcp, Placement::Contiguous] {
            for pamt in [Placement::UnmovablePcp, Placement::DedicatedPool, Placement::SameRegion] {
                let map = MemoryMap::new(&Demand { guest, pamt, ..demand() }).expect("fits");
                for node in 0..map.nodes {
                    let (a, g) = (map.allocator_part(node), map.guest_part(node));
                    let (l, p) = (map.large_part(node), map.pool_part(node));
                    assert_eq!(a.start, node * map.regions_per_node);
                    assert_eq!((g.start, l.start, p.start), (a.end, g.end, l.end));
                    assert_eq!(p.end, (node + 1) * map.regions_per_node);
                }
            }
        }
    }

    #[test]
    fn the_pool_has_a_pair_for_each_region_that_scattered_memory_touches() {
        for ageing in [0.0, 0.5, 0.9] {
            let pamt = Placement::DedicatedPool;
            let map = MemoryMap::new(&Demand { ageing, pamt, ..demand() }).expect("fits");
            let touched = (4 * 65_936) as f64 / PAGES_PER_REGION as f64 / (1.0 - ageing);
            let pages = f64::from(map.pool_regions) * PAGES_PER_REGION as f64;
            assert!(pages > 2.0 * touched, "{pages} pages for {touched} regions");
        }
    }

    #[test]
    fn a_host_beyond_the_modelled_address_space_is_refused() {
        let wrong = MemoryMap::new(&Demand { tds: 1 << 16, pages_per_td: 1 << 20, ..demand() });
        assert!(wrong.expect_err("too large").to_string().contains("--tds"));
    }
}
