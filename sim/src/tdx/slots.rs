//! Which record holds the contents of a control page.
//!
//! The real module finds a TD's fields at the physical address of its pages. The model keeps them in
//! arrays of records, and this book says which record a page has. It is bookkeeping of the model, not
//! of the module: it costs no modelled time. The owner of a page's PAMT entry is the only one that
//! changes its place here.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGES_PER_REGION, Pfn};

use super::cx::{Cx, Exit, Step};

type Chunk = Box<[AtomicU32; PAGES_PER_REGION as usize]>;

/// Records by page.
pub(super) struct SlotMap {
    regions: Box<[OnceLock<Chunk>]>,
}

impl SlotMap {
    pub(super) fn new(regions: u32) -> Self {
        Self { regions: (0..regions).map(|_| OnceLock::new()).collect() }
    }

    /// The record of a page that has one.
    pub(super) fn get(&self, pfn: Pfn) -> Option<u32> {
        let chunk = self.regions.get(pfn.region().0 as usize)?.get()?;
        chunk[(pfn.0 % PAGES_PER_REGION) as usize].load(Ordering::Acquire).checked_sub(1)
    }

    /// Notes the record of a page. The first note in a region allocates the region's part.
    pub(super) fn set(&self, pfn: Pfn, slot: u32) {
        if let Some(region) = self.regions.get(pfn.region().0 as usize) {
            let chunk = region.get_or_init(|| Box::new([const { AtomicU32::new(0) }; 512]));
            chunk[(pfn.0 % PAGES_PER_REGION) as usize].store(slot + 1, Ordering::Release);
        }
    }

    /// Forgets the record of a page and returns it.
    pub(super) fn take(&self, pfn: Pfn) -> Option<u32> {
        let chunk = self.regions.get(pfn.region().0 as usize)?.get()?;
        chunk[(pfn.0 % PAGES_PER_REGION) as usize].swap(0, Ordering::AcqRel).checked_sub(1)
    }
}

/// Free records of one kind; the lowest number is handed out first.
pub(super) struct Pool {
    len: usize,
    free: Mutex<Vec<u32>>,
}

impl Pool {
    pub(super) fn new(len: u32) -> Self {
        Self { len: len as usize, free: Mutex::new((0..len).rev().collect()) }
    }

    /// A free record; `None` when all are in use.
    pub(super) fn claim(&self) -> Option<u32> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Gives a record back.
    pub(super) fn release(&self, slot: u32) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }

    /// Number of records in use.
    pub(super) fn in_use(&self) -> usize {
        self.len - self.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<P: Platform> Cx<'_, P> {
    /// A record for the contents of a page; `kind` names the pool in the configuration.
    pub(super) fn claim_record(&self, pool: &Pool, page: Pfn, kind: &'static str) -> Step<usize> {
        let slot = pool.claim().ok_or(Exit::Full(kind))?;
        self.module.slots.set(page, slot);
        Ok(slot as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_record_noted_until_it_is_taken() {
        let map = SlotMap::new(2);
        map.set(Pfn(513), 7);
        assert_eq!(map.get(Pfn(513)), Some(7));
        assert_eq!(map.get(Pfn(512)), None);
        assert_eq!(map.take(Pfn(513)), Some(7));
        assert_eq!(map.take(Pfn(513)), None);
        assert_eq!(map.get(Pfn(99_999)), None);
    }

    #[test]
    fn a_pool_hands_out_each_record_once() {
        let pool = Pool::new(2);
        assert_eq!((pool.claim(), pool.claim(), pool.claim()), (Some(0), Some(1), None));
        pool.release(1);
        assert_eq!((pool.claim(), pool.in_use()), (Some(1), 2));
    }
}
