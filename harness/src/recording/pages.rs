//! Which pages of a recording are held: each page is got and put in turn.
//!
//! A recording may begin while TDs run: a page whose first operation is a put was held before. Memory is
//! a few words for each 2 MiB region that the recording names, whatever its length.

use rustc_hash::FxHashMap;

use pamt_strategies::units::{PAGES_PER_REGION, Pfn};

use super::error::Problem;

const WORDS: usize = PAGES_PER_REGION as usize / 64;

/// What a get or put changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The page's region has no other page in use: a transition 0->1 or 1->0.
    pub edge: bool,
    /// The page was held before the recording began.
    pub held_before: bool,
    /// No operation on this region came before.
    pub new_region: bool,
}

#[derive(Clone, Debug, Default)]
struct Region {
    named: [u64; WORDS],
    held: [u64; WORDS],
    count: u32,
}

/// Pages that are held.
#[derive(Debug, Default)]
pub(super) struct Pages {
    regions: FxHashMap<u32, Region>,
}

impl Pages {
    pub(super) fn get(&mut self, pfn: u64) -> Result<Step, Problem> {
        let (region, word, bit, new_region) = self.find(pfn);
        if region.held[word] & bit != 0 {
            return Err(Problem::GotTwice { pfn });
        }
        region.named[word] |= bit;
        region.held[word] |= bit;
        region.count += 1;
        Ok(Step { edge: region.count == 1, held_before: false, new_region })
    }

    pub(super) fn put(&mut self, pfn: u64) -> Result<Step, Problem> {
        let (region, word, bit, new_region) = self.find(pfn);
        let held_before = region.named[word] & bit == 0;
        if region.held[word] & bit == 0 && !held_before {
            return Err(Problem::PutTwice { pfn });
        }
        region.named[word] |= bit;
        if !held_before {
            region.held[word] &= !bit;
            region.count -= 1;
        }
        Ok(Step { edge: region.count == 0, held_before, new_region })
    }

    fn find(&mut self, pfn: u64) -> (&mut Region, usize, u64, bool) {
        let at = Pfn(pfn).region().0;
        let page = (pfn % PAGES_PER_REGION) as usize;
        let new = !self.regions.contains_key(&at);
        (self.regions.entry(at).or_default(), page / 64, 1 << (page % 64), new)
    }
}
