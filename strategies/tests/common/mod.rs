//! A small module and host for tests of strategies: the lock rules of PAMT.ADD and PAMT.REMOVE on one
//! word a region, nothing else. The full model is `pamt-sim`'s.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering as HostOrdering};

use pamt_strategies::measure::Observation;
use pamt_strategies::module::{Leaf, Operand, PamtOps, PamtPair, Regs, Status, StatusName};
use pamt_strategies::pamt::{HostMemory, PamtCache};
use pamt_strategies::platform::{Ordering, Place, Platform, Words};
use pamt_strategies::units::{PAGES_PER_REGION, Pfn, Region};

const EXCLUSIVE: u64 = 1;
const SHARER: u64 = 2;
const LOCK_MASK: u64 = 0xffff;
const PAGE: u64 = 1 << 16;
const PRESENT: u64 = 1 << 63;

/// The module.
pub(crate) struct ToyModule<P: Platform> {
    regions: P::Words<u64>,
    pairs: P::Words<u64>,
}

impl<P: Platform> ToyModule<P> {
    pub(crate) fn new(build: &mut P::Build, regions: usize) -> Self {
        Self {
            regions: P::words(build, Place::packed("pamt_2m", regions)),
            pairs: P::words(build, Place::packed("pairs", 2 * regions)),
        }
    }

    fn word(&self, cpu: &P::Cpu, region: Region) -> u64 {
        self.regions.load(cpu, region.0 as usize, Ordering::Acquire)
    }

    fn try_lock(&self, cpu: &P::Cpu, region: Region) -> bool {
        let seen = self.word(cpu, region);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        seen & LOCK_MASK == 0
            && self
                .regions
                .compare_exchange(cpu, region.0 as usize, seen, seen | EXCLUSIVE, order.0, order.1)
                .is_ok()
    }

    fn try_share(&self, cpu: &P::Cpu, region: Region) -> bool {
        let old = self.regions.fetch_add(cpu, region.0 as usize, SHARER, Ordering::AcqRel);
        if old & EXCLUSIVE != 0 {
            self.unshare(cpu, region);
            return false;
        }
        true
    }

    fn unshare(&self, cpu: &P::Cpu, region: Region) {
        self.regions.fetch_sub(cpu, region.0 as usize, SHARER, Ordering::AcqRel);
    }

    fn unlock(&self, cpu: &P::Cpu, region: Region) {
        self.regions.fetch_and(cpu, region.0 as usize, !EXCLUSIVE, Ordering::AcqRel);
    }

    fn add_locked(&self, cpu: &P::Cpu, region: Region, pair: PamtPair) -> Status {
        if self.word(cpu, region) & PRESENT != 0 {
            return Status::with(StatusName::HpaRangeNotFree, Operand::RCX);
        }
        let others = pair.0.map(Pfn::region);
        let mut shared = Vec::new();
        let mut status = Status::SUCCESS;
        for (other, operand) in others.into_iter().zip([Operand::RDX, Operand::R8]) {
            if other != region {
                if !self.try_share(cpu, other) {
                    status = Status::busy(operand);
                    break;
                }
                shared.push(other);
            }
        }
        if status == Status::SUCCESS {
            for (i, page) in pair.0.iter().enumerate() {
                self.pairs.store(cpu, 2 * region.0 as usize + i, page.0, Ordering::Release);
            }
            self.regions.fetch_or(cpu, region.0 as usize, PRESENT, Ordering::AcqRel);
            P::observe(cpu, Observation::Pair { region, added: true });
        }
        for other in shared {
            self.unshare(cpu, other);
        }
        status
    }

    /// TDH.MEM.PAGE.AUG of a 4K page: the pair must be there.
    pub(crate) fn aug(&self, cpu: &P::Cpu, pfn: Pfn) -> Regs {
        let region = pfn.region();
        let status = if self.try_share(cpu, region) {
            let status = if self.word(cpu, region) & PRESENT == 0 {
                Status::with(StatusName::MissingPamtPagePair, Operand::R8)
            } else {
                self.regions.fetch_add(cpu, region.0 as usize, PAGE, Ordering::AcqRel);
                Status::SUCCESS
            };
            self.unshare(cpu, region);
            status
        } else {
            Status::busy(Operand::R8)
        };
        Regs { rax: status.0, ..Regs::default() }
    }

    /// TDH.MEM.PAGE.REMOVE of a 4K page: no lock on the region, and the hint when it was the last.
    pub(crate) fn page_remove(&self, cpu: &P::Cpu, pfn: Pfn) -> Regs {
        let at = pfn.region().0 as usize;
        let old = self.regions.fetch_sub(cpu, at, PAGE, Ordering::AcqRel);
        assert!(old & PRESENT != 0, "{} without a pair", Leaf::MemPageRemove);
        let last = (old & !PRESENT) / PAGE == 1;
        Regs { rcx: if last { Regs::REMOVAL_HINT } else { 0 }, ..Regs::default() }
    }

    /// Regions that hold a pair.
    pub(crate) fn present(&self, cpu: &P::Cpu) -> usize {
        (0..self.regions.len()).filter(|i| self.regions.peek(cpu, *i) & PRESENT != 0).count()
    }
}

impl<P: Platform> PamtOps<P> for ToyModule<P> {
    fn pamt_add(&self, cpu: &P::Cpu, region: Region, pair: PamtPair) -> Status {
        if !self.try_lock(cpu, region) {
            return Status::busy(Operand::RCX);
        }
        let status = self.add_locked(cpu, region, pair);
        self.unlock(cpu, region);
        status
    }

    fn pamt_remove(&self, cpu: &P::Cpu, region: Region) -> Result<PamtPair, Status> {
        if !self.try_lock(cpu, region) {
            return Err(Status::busy(Operand::RCX));
        }
        let word = self.word(cpu, region);
        let outcome = if word & PRESENT == 0 {
            Err(Status::with(StatusName::NoPamtPagePair, Operand::RCX))
        } else if (word & !PRESENT) / PAGE != 0 {
            Err(Status::with(StatusName::PamtPageNotEmpty, Operand::RAX))
        } else {
            let at = 2 * region.0 as usize;
            let pages = [at, at + 1].map(|i| Pfn(self.pairs.load(cpu, i, Ordering::Acquire)));
            self.regions.fetch_and(cpu, region.0 as usize, !PRESENT, Ordering::AcqRel);
            P::observe(cpu, Observation::Pair { region, added: false });
            Ok(PamtPair(pages))
        };
        self.unlock(cpu, region);
        outcome
    }

    fn pamt_present(&self, cpu: &P::Cpu, region: Region) -> Result<bool, Status> {
        Ok(self.word(cpu, region) & PRESENT != 0)
    }
}

/// Hands out backing pages of chosen regions in turn, and knows how many are out.
pub(crate) struct ToyHost {
    backing: Vec<Region>,
    next: AtomicU64,
    free: Mutex<Vec<PamtPair>>,
    out: AtomicU64,
}

impl ToyHost {
    pub(crate) fn new(backing: Vec<Region>) -> Self {
        let (next, out) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { backing, next, free: Mutex::new(Vec::new()), out }
    }

    /// Pairs that somebody holds.
    pub(crate) fn pairs_out(&self) -> u64 {
        self.out.load(HostOrdering::SeqCst)
    }
}

impl<P: Platform> HostMemory<P> for ToyHost {
    fn alloc_pair(
        &self,
        _cpu: &P::Cpu,
        _cache: Option<&mut PamtCache>,
        _near: Region,
    ) -> Option<PamtPair> {
        self.out.fetch_add(1, HostOrdering::SeqCst);
        if let Some(pair) = self.free.lock().expect("no panic under it").pop() {
            return Some(pair);
        }
        let n = self.next.fetch_add(1, HostOrdering::SeqCst);
        let region = self.backing[n as usize % self.backing.len()];
        let page = region.first_pfn().0 + 2 * n % PAGES_PER_REGION;
        Some(PamtPair([Pfn(page), Pfn(page + 1)]))
    }

    fn reset_pair(&self, _cpu: &P::Cpu, _pair: PamtPair) {}

    fn free_pair(&self, _cpu: &P::Cpu, pair: PamtPair) {
        self.out.fetch_sub(1, HostOrdering::SeqCst);
        self.free.lock().expect("no panic under it").push(pair);
    }

    fn recache_pair(&self, cpu: &P::Cpu, _cache: &mut PamtCache, pair: PamtPair) {
        HostMemory::<P>::free_pair(self, cpu, pair);
    }
}
