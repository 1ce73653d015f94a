//! `PamtOps` over the helper: PAMT.ADD, PAMT.REMOVE and PAGE.RDMD as real SEAMCALLs.
//!
//! A run works with the physical memory of its host model, which the helper does not own. Each region
//! of the model that a SEAMCALL names is given a region of the helper when it is first touched, and
//! keeps it: page `p` of the one stands for page `p` of the other. Two regions of the model never
//! share one of the helper, so the module sees the same collisions of targets and backing pages that
//! the model describes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use pamt_strategies::module::{PamtOps, PamtPair, Status};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGES_PER_REGION, Pfn, Region};

use crate::abi;
use crate::device::{Device, DeviceError};

/// RDMD's RCX: the entry is not a leaf, that is, the region has a pair.
const NON_LEAF: u64 = 1 << 63;
/// Returned where no SEAMCALL was made; [`HwOps::failure`] says why.
const NOT_CALLED: Status = Status(0x8000_ff00_ffff_ffff);

/// The map between regions of the model and regions of the helper. 0 stands for none.
struct RegionMap {
    /// By region of the model: index of the helper's, plus 1.
    forward: Vec<AtomicU32>,
    /// By region of the helper: number of the model's, plus 1.
    back: Vec<AtomicU32>,
    used: AtomicU32,
}

impl RegionMap {
    fn new(modelled: usize, owned: usize) -> Self {
        let zeroes = |len| (0..len).map(|_| AtomicU32::new(0)).collect();
        Self { forward: zeroes(modelled), back: zeroes(owned), used: AtomicU32::new(0) }
    }

    /// The helper's region for `region`; `None` when all are taken or the region is not of the model.
    fn assign(&self, region: Region) -> Option<u32> {
        let slot = self.forward.get(region.0 as usize)?;
        if let Some(index) = slot.load(Ordering::Acquire).checked_sub(1) {
            return Some(index);
        }
        let index = self.used.fetch_add(1, Ordering::Relaxed);
        let back = self.back.get(index as usize)?;
        back.store(region.0 + 1, Ordering::Release);
        match slot.compare_exchange(0, index + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(index),
            // Another thread was first; the region that was taken here stays unused.
            Err(theirs) => theirs.checked_sub(1),
        }
    }

    fn page(&self, pfn: Pfn) -> Option<abi::Page> {
        let region = self.assign(pfn.region())?;
        Some(abi::Page::new(region, (pfn.0 % PAGES_PER_REGION) as u32))
    }

    fn pfn(&self, page: abi::Page) -> Option<Pfn> {
        let region = self.back.get(page.region as usize)?.load(Ordering::Acquire).checked_sub(1)?;
        Some(Pfn(Region(region).first_pfn().0 + u64::from(page.page)))
    }
}

/// Why a SEAMCALL of a run could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpsFailure {
    /// The run touches more regions than the helper gave.
    #[error(
        "the run touches more than {owned} regions of 2 MiB, which is what the helper gave: lower \
         --memory or --tds, or reload pamt_hw with a larger max_regions"
    )]
    TooManyRegions {
        /// Regions that the helper gave.
        owned: usize,
    },
    /// The module returned a page that was never given to it through this run.
    #[error("PAMT.REMOVE of region {region} returned a page that was not given to the module")]
    ForeignPair {
        /// The region.
        region: Region,
    },
    /// The helper refused the call.
    #[error("{0}")]
    Refused(String),
}

/// PAMT operations of a run, on regions of the helper.
pub struct HwOps {
    device: Device,
    map: RegionMap,
    failure: Mutex<Option<OpsFailure>>,
}

impl HwOps {
    /// Takes `owned` regions from the helper for a host model of `modelled` regions.
    ///
    /// # Errors
    /// The helper cannot give that many.
    pub fn new(device: Device, modelled: usize, owned: u32) -> Result<Self, DeviceError> {
        device.alloc(owned)?;
        let map = RegionMap::new(modelled, owned as usize);
        Ok(Self { device, map, failure: Mutex::new(None) })
    }

    /// The first reason for which a SEAMCALL was not made, if any. A run with one is void.
    #[must_use]
    pub fn failure(&self) -> Option<OpsFailure> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn fail(&self, failure: OpsFailure) -> Status {
        let mut first = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert(failure);
        NOT_CALLED
    }

    fn region(&self, region: Region) -> Result<u32, Status> {
        self.map.assign(region).ok_or_else(|| self.too_many())
    }

    fn too_many(&self) -> Status {
        self.fail(OpsFailure::TooManyRegions { owned: self.map.back.len() })
    }

    /// Makes the call; the status is an error only where no SEAMCALL was made.
    fn call(&self, leaf: &mut abi::Leaf) -> Result<Status, Status> {
        match self.device.leaf(leaf) {
            Ok(()) => Ok(Status(leaf.status)),
            Err(error) => Err(self.fail(OpsFailure::Refused(error.to_string()))),
        }
    }

    fn add(&self, region: Region, pair: PamtPair) -> Result<Status, Status> {
        let target = self.region(region)?;
        let page = |pfn| self.map.page(pfn).ok_or_else(|| self.too_many());
        let pages = [page(pair.0[0])?, page(pair.0[1])?];
        self.call(&mut abi::Leaf::add(target, pages))
    }

    fn remove(&self, region: Region) -> Result<PamtPair, Status> {
        let mut leaf = abi::Leaf::remove(self.region(region)?);
        let status = self.call(&mut leaf)?;
        if status != Status::SUCCESS {
            return Err(status);
        }
        match leaf.pair.map(|page| self.map.pfn(page)) {
            [Some(first), Some(second)] => Ok(PamtPair([first, second])),
            _ => Err(self.fail(OpsFailure::ForeignPair { region })),
        }
    }

    fn present(&self, region: Region) -> Result<bool, Status> {
        let mut leaf = abi::Leaf::rdmd(abi::Page::new(self.region(region)?, 0), 1);
        let status = self.call(&mut leaf)?;
        if status == Status::SUCCESS { Ok(leaf.value & NON_LEAF != 0) } else { Err(status) }
    }
}

impl<P: Platform> PamtOps<P> for HwOps {
    fn pamt_add(&self, _cpu: &P::Cpu, region: Region, pair: PamtPair) -> Status {
        self.add(region, pair).unwrap_or_else(|not_called| not_called)
    }

    fn pamt_remove(&self, _cpu: &P::Cpu, region: Region) -> Result<PamtPair, Status> {
        self.remove(region)
    }

    fn pamt_present(&self, _cpu: &P::Cpu, region: Region) -> Result<bool, Status> {
        self.present(region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_its_place_in_its_region_there_and_back() {
        let map = RegionMap::new(1000, 4);
        let pfn = Pfn(Region(700).first_pfn().0 + 13);
        let page = map.page(pfn).expect("room");
        assert_eq!(page.page, 13);
        assert_eq!(map.pfn(page), Some(pfn));
        assert_eq!(map.page(pfn), Some(page), "a region keeps what it was given");
    }

    #[test]
    fn regions_of_the_model_never_share_one_of_the_helper() {
        let map = RegionMap::new(64, 64);
        let mut seen: Vec<_> = (0..64).filter_map(|n| map.assign(Region(n))).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 64);
    }

    #[test]
    fn a_region_too_many_is_refused_and_not_folded_onto_another() {
        let map = RegionMap::new(8, 2);
        assert!(map.assign(Region(5)).is_some());
        assert!(map.assign(Region(6)).is_some());
        assert_eq!(map.assign(Region(7)), None);
        assert_eq!(map.assign(Region(8)), None, "outside the model");
        assert_eq!(map.assign(Region(5)), Some(0));
    }

    #[test]
    fn threads_that_race_for_a_region_agree_on_it() {
        let map = RegionMap::new(4, 64);
        let results: Vec<Vec<_>> = std::thread::scope(|scope| {
            let run = || (0..4).map(|n| map.assign(Region(n))).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|t| t.join().expect("no panic")).collect()
        });
        for result in &results {
            assert_eq!(result, &results[0]);
            assert!(result.iter().all(Option::is_some));
        }
    }
}
