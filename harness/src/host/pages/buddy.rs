//! The buddy allocator of one node, as unmovable order-0 allocations see it.
//!
//! Linux (`mm/page_alloc.c`): an allocation takes a block of the smallest order that has one and
//! splits it, pushing the upper halves back; when no unmovable block is left, it claims a whole 2 MiB
//! pageblock from the movable side. A freed page merges with its buddy as long as that is free. So
//! unmovable pages of all users (guest memory, S-EPT, control pages, PAMT pages) fill one 2 MiB
//! region after the other, and freed ones are used again last in, first out.
//!
//! Plain bookkeeping: the zone lock that protects it is modelled in [`super::zone`].

use pamt_strategies::units::{PAGES_PER_REGION, Pfn};
use rustc_hash::{FxHashMap, FxHashSet};

/// Order of a 2 MiB pageblock; larger blocks do not matter to order-0 allocations.
const MAX_ORDER: usize = 9;

/// Free memory of one node.
#[derive(Debug)]
pub(crate) struct Buddy {
    lists: [Vec<u64>; MAX_ORDER + 1],
    /// Where a free block lies: its order and its place in the list.
    free: FxHashMap<u64, (usize, usize)>,
    fresh: core::ops::Range<u64>,
    /// Regions of `fresh` that were claimed out of turn.
    claimed: FxHashSet<u64>,
    reserved_tail: u64,
}

impl Buddy {
    /// All pages of `regions` are free, except for the last `reserved_tail` of each region.
    pub(crate) fn new(regions: core::ops::Range<u32>, reserved_tail: u64) -> Self {
        Self {
            lists: Default::default(),
            free: FxHashMap::default(),
            fresh: u64::from(regions.start)..u64::from(regions.end),
            claimed: FxHashSet::default(),
            reserved_tail,
        }
    }

    /// Others hold `pages`, in order: their regions are claimed, and what is left of those is free.
    pub(crate) fn withhold(&mut self, pages: &[Pfn]) {
        let mine = |page: &&Pfn| self.fresh.contains(&u64::from(page.region().0));
        let pages: Vec<Pfn> = pages.iter().filter(mine).copied().collect();
        for held in pages.chunk_by(|a, b| a.region() == b.region()) {
            let region = held[0].region();
            self.claimed.insert(region.0.into());
            let first = region.first_pfn().0;
            let all = first..first + PAGES_PER_REGION - self.reserved_tail;
            let free = all.map(Pfn).filter(|page| held.binary_search(page).is_err());
            free.for_each(|page| self.give(page));
        }
    }

    /// The next region that nobody has claimed.
    fn claim(&mut self) -> Option<u64> {
        let claimed = &mut self.claimed;
        self.fresh.find(|region| !claimed.remove(region))
    }

    /// Memory as after long use: pageblocks are claimed until `wanted` pages in them are free, scattered
    /// at random; the others, a share of `used`, belong to other users for good.
    pub(crate) fn age(&mut self, used: f64, wanted: u64, mut random: impl FnMut() -> u64) {
        let mut free = Vec::new();
        while (free.len() as u64) < wanted {
            let Some(region) = self.claim() else { break };
            let first = region * PAGES_PER_REGION;
            let pages = first..first + PAGES_PER_REGION - self.reserved_tail;
            free.extend(pages.filter(|_| (random() >> 11) as f64 / (1_u64 << 53) as f64 >= used));
        }
        for left in (1..=free.len()).rev() {
            let chosen = (random() % left as u64) as usize;
            self.give(Pfn(free[chosen]));
            free[chosen] = free[left - 1];
        }
    }

    /// One page, or none when the node is full.
    pub(crate) fn take(&mut self) -> Option<Pfn> {
        let order = match self.lists.iter().position(|list| !list.is_empty()) {
            Some(order) => order,
            None => {
                self.claim_pageblock()?;
                self.lists.iter().position(|list| !list.is_empty())?
            }
        };
        let block = self.lists[order].pop()?;
        self.free.remove(&block);
        for lower in (0..order).rev() {
            self.push(block + (1 << lower), lower);
        }
        Some(Pfn(block))
    }

    fn claim_pageblock(&mut self) -> Option<()> {
        let region = self.claim()?;
        let start = region * PAGES_PER_REGION;
        let usable = PAGES_PER_REGION - self.reserved_tail;
        let mut at = 0;
        for order in (0..=MAX_ORDER).rev() {
            if usable - at >= 1 << order {
                self.push(start + at, order);
                at += 1 << order;
            }
        }
        Some(())
    }

    /// A whole region; none when no free one is left, or all have a reserved tail.
    pub(crate) fn take_region(&mut self) -> Option<Pfn> {
        if self.lists[MAX_ORDER].is_empty() {
            self.claim_pageblock()?;
        }
        let block = self.lists[MAX_ORDER].pop()?;
        self.free.remove(&block);
        Some(Pfn(block))
    }

    /// Gives a page back.
    pub(crate) fn give(&mut self, page: Pfn) {
        self.merge(page.0, 0);
    }

    /// Gives a region back.
    pub(crate) fn give_region(&mut self, first: Pfn) {
        self.merge(first.0, MAX_ORDER);
    }

    fn merge(&mut self, mut block: u64, mut order: usize) {
        while order < MAX_ORDER {
            let buddy = block ^ (1 << order);
            match self.free.get(&buddy) {
                Some((found, _)) if *found == order => self.unlink(buddy),
                _ => break,
            }
            block &= !(1 << order);
            order += 1;
        }
        self.push(block, order);
    }

    fn push(&mut self, block: u64, order: usize) {
        self.free.insert(block, (order, self.lists[order].len()));
        self.lists[order].push(block);
    }

    fn unlink(&mut self, block: u64) {
        let Some((order, at)) = self.free.remove(&block) else {
            return;
        };
        self.lists[order].swap_remove(at);
        if let Some(moved) = self.lists[order].get(at) {
            self.free.insert(*moved, (order, at));
        }
    }

    /// Free pages in claimed pageblocks and fresh ones.
    pub(crate) fn free_pages(&self) -> u64 {
        let listed: u64 =
            self.lists.iter().enumerate().map(|(order, list)| (list.len() as u64) << order).sum();
        let fresh = self.fresh.end - self.fresh.start - self.claimed.len() as u64;
        listed + fresh * (PAGES_PER_REGION - self.reserved_tail)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_fill_one_region_before_the_next() {
        let mut buddy = Buddy::new(4..8, 0);
        let regions: Vec<_> = (0..1024).map(|_| buddy.take().expect("free").region().0).collect();
        assert!(regions[..512].iter().all(|r| *r == 4));
        assert!(regions[512..].iter().all(|r| *r == 5));
    }

    #[test]
    fn a_region_is_given_whole_only_where_no_page_of_it_is_out() {
        let mut buddy = Buddy::new(0..2, 0);
        let page = buddy.take().expect("free");
        assert_eq!(buddy.take_region(), Some(Pfn(512)));
        assert_eq!(buddy.take_region(), None);
        buddy.give(page);
        assert_eq!(buddy.take_region(), Some(Pfn(0)));
        buddy.give_region(Pfn(512));
        assert_eq!(buddy.free_pages(), 512);
        assert_eq!(Buddy::new(0..2, 2).take_region(), None);
    }

    #[test]
    fn aged_memory_is_scattered_and_what_others_hold_never_comes_out() {
        use rand_core::Rng;
        let mut random = rand_pcg::Pcg64::new(1, 2);
        let mut buddy = Buddy::new(0..64, 0);
        buddy.age(0.75, 512, || random.next_u64());
        let pages: Vec<_> = (0..64).map(|_| buddy.take().expect("free")).collect();
        let regions: BTreeSet<_> = pages.iter().map(|page| page.region()).collect();
        assert!(regions.len() > 2, "{regions:?}");
        assert!(buddy.free_pages() < 64 * 512 - 64, "others hold pages");
    }

    #[test]
    fn withheld_pages_never_come_out_and_the_rest_of_their_regions_comes_first() {
        let mut buddy = Buddy::new(0..4, 0);
        let held: Vec<Pfn> = (512..1024).step_by(2).map(Pfn).collect();
        buddy.withhold(&held);
        assert_eq!(buddy.free_pages(), 3 * 512 + 256);
        let pages: Vec<_> = std::iter::from_fn(|| buddy.take()).collect();
        assert_eq!(pages.len(), 3 * 512 + 256);
        assert!(pages[..256].iter().all(|page| page.region().0 == 1));
        assert!(pages.iter().all(|page| held.binary_search(page).is_err()));
    }

    #[test]
    fn a_reserved_tail_is_never_given_out() {
        let mut buddy = Buddy::new(0..1, 2);
        let pages: Vec<_> = std::iter::from_fn(|| buddy.take()).collect();
        assert_eq!(pages.len(), 510);
        assert!(pages.iter().all(|page| page.0 < 510));
    }

    proptest! {
        #[test]
        fn no_page_is_given_out_twice_and_all_come_back(ops in prop::collection::vec(any::<u16>(), 1..400)) {
            let mut buddy = Buddy::new(0..4, 0);
            let mut held = Vec::new();
            for op in ops {
                if op % 3 == 0 && !held.is_empty() {
                    buddy.give(held.swap_remove(usize::from(op) % held.len()));
                } else if let Some(page) = buddy.take() {
                    held.push(page);
                }
                let distinct: BTreeSet<_> = held.iter().collect();
                prop_assert_eq!(distinct.len(), held.len());
                prop_assert_eq!(buddy.free_pages() + held.len() as u64, 2048);
            }
            for page in held {
                buddy.give(page);
            }
            let whole = buddy.lists[MAX_ORDER].len() as u64;
            let listed: u64 = buddy.lists.iter().map(|list| list.len() as u64).sum();
            prop_assert_eq!(whole, listed, "all blocks merged to pageblocks");
        }
    }
}
