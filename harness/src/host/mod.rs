//! The host: physical memory, page allocator, TDs and KVM's paths around a strategy.
//!
//! Generic over the world only. [`Host`] owns everything that the actors of a run share; a workload
//! makes actors that call its paths ([`kvm`]).

mod costs;
mod kvm;
mod memory;
mod pace;
mod page_size;
mod pages;
mod plan;
mod td;

use std::sync::Arc;

use pamt_sim::tdx::{Census as ModuleCensus, Module};
use pamt_strategies::locks::{LockPlan, LockShared, QRwLock};
use pamt_strategies::module::{PamtOps, PamtPair, Status, StatusName, TdLeaves};
use pamt_strategies::pamt::{Env, HostMemory, PamtCache, Strategy};
use pamt_strategies::platform::{Home, Platform};
use pamt_strategies::units::{CpuId, Pfn, Region};

use crate::books::{Books, Census, Depth, Holdings};

pub(crate) use costs::{HostCosts, exponential};
use kvm::GlobalLocks;
pub(crate) use kvm::{HostError, STRETCH, share, stretches};
pub(crate) use memory::PageAllocator;
use memory::PagesHeld;
pub(crate) use pace::Pace;
pub(crate) use page_size::LARGE_PAGES;
pub use page_size::UnknownPageSize;
pub use pages::{PLACEMENTS, Placement, PlacementInfo, UnknownPlacement, Use};
pub use plan::PlanError;
pub(crate) use plan::{HostPlan, PARAMS, Purpose};
pub(crate) use td::{Td, Vcpu};

/// The module as the host sees it: both traits in one object, and what is around the module.
pub(crate) trait Seam<P: Platform>: PamtOps<P> + TdLeaves<P> {
    /// A CPU of each package: whom the host asks to act for the package.
    fn package_cpus(&self) -> Vec<CpuId>;
    /// Counts what the module holds while no leaf runs; `None` where that cannot be seen.
    ///
    /// # Errors
    /// One sentence for each of its invariants that is broken.
    fn audit(&self, cpu: &P::Cpu) -> Option<Result<ModuleCensus, Vec<String>>>;
}

impl<P: Platform> Seam<P> for Module<P> {
    fn package_cpus(&self) -> Vec<CpuId> {
        Self::package_cpus(self).collect()
    }

    fn audit(&self, cpu: &P::Cpu) -> Option<Result<ModuleCensus, Vec<String>>> {
        // A static module has entries for every page of the host: nothing is conserved there, and
        // looking at all of them takes long.
        self.config().dynamic.then(|| Self::audit(self, cpu, false))
    }
}

/// Everything that the actors of a run share.
pub(crate) struct Host<P: Platform> {
    pub(crate) plan: HostPlan,
    pub(crate) costs: HostCosts,
    pub(crate) strategy: Box<dyn Strategy<P>>,
    module: Arc<dyn Seam<P>>,
    pages: PageAllocator<P>,
    mmu_lock: QRwLock<P>,
    global: GlobalLocks<P>,
    package_cpus: Vec<CpuId>,
    books: Books,
    pub(crate) tds: Vec<Td>,
}

/// What a [`Host`] is built from, besides its plan.
pub(crate) struct Parts<P: Platform> {
    pub(crate) costs: HostCosts,
    pub(crate) strategy: Box<dyn Strategy<P>>,
    pub(crate) module: Arc<dyn Seam<P>>,
    pub(crate) locks: LockShared<P>,
    pub(crate) pages: PageAllocator<P>,
    pub(crate) tds: Vec<Td>,
    pub(crate) depth: Depth,
}

impl<P: Platform> Host<P> {
    /// A host with TDs that hold no memory yet.
    pub(crate) fn new(build: &mut P::Build, plan: HostPlan, parts: Parts<P>) -> Arc<Self> {
        let package_cpus = parts.module.package_cpus();
        let locks = LockPlan::new("mmu_lock", plan.tds as usize).home(Home::Interleaved);
        Arc::new(Self {
            costs: parts.costs,
            strategy: parts.strategy,
            module: parts.module,
            pages: parts.pages,
            mmu_lock: QRwLock::new(build, &locks, &parts.locks),
            global: GlobalLocks::new(build, package_cpus.len(), &parts.locks),
            package_cpus,
            books: Books::new(parts.depth, plan.map.regions(), P::cpu_count(build)),
            tds: parts.tds,
            plan,
        })
    }

    /// What the strategy works with.
    fn env(&self) -> Env<'_, P> {
        Env { ops: self, host: self }
    }

    /// Pages of the strategy's pairs that the module holds.
    pub(crate) fn pamt_pages(&self) -> u64 {
        2 * self.books.pairs_held()
    }

    /// Notes what pairs cost in memory now.
    pub(crate) fn take_census(&self, cpu: &P::Cpu) {
        self.books.take_census::<P>(cpu);
    }

    /// All that was noted so.
    pub(crate) fn censuses(&self) -> Vec<Census> {
        self.books.censuses()
    }

    /// Ends a run: gives back what the strategy kept on purpose, and checks the books. Called once,
    /// when no other CPU is in a path of this host.
    pub(crate) fn conclude(&self, cpu: &P::Cpu) {
        if let Err(error) = self.strategy.quiesce(cpu, &self.env()) {
            self.books.put_failed::<P>(cpu, Pfn(0), &error);
        }
        let pages = self.tds.iter().flat_map(|td| td.mapped.pages().chain(td.kernel_pages()));
        let held = Holdings {
            pages,
            folios: self.tds.iter().flat_map(Td::folios),
            tds: match &self.plan.replay {
                Some(replay) => replay.tds.len(),
                None => self.tds.iter().filter(|td| td.exists()).count(),
            },
            dynamic: self.plan.dynamic,
        };
        self.books.check_end::<P>(cpu, &*self.strategy, held);
        let sum = |count: &dyn Fn(&Td) -> usize| self.tds.iter().map(count).sum::<usize>() as u64;
        self.pages.check_end(
            cpu,
            &PagesHeld {
                small: sum(&|td| td.small_folios().count()),
                large: sum(&|td| td.folios.first.pages().count()),
                kernel: sum(&|td| td.kernel_pages().count()),
                pairs: self.pamt_pages(),
            },
        );
        self.check_module(cpu);
    }

    /// The module agrees with itself, and with the books.
    fn check_module(&self, cpu: &P::Cpu) {
        let large = |td: &Td| td.tables[0].leaves().count() as u64 * LARGE_PAGES;
        let small = |td: &Td| (td.mapped.pages().count() + td.kernel_pages().count()) as u64;
        // Pages that are replayed reach no leaf.
        let pages: u64 = match self.plan.replay {
            Some(_) => 0,
            None => self.tds.iter().map(|td| large(td) + small(td)).sum(),
        };
        let wrong = match self.module.audit(cpu) {
            None => Vec::new(),
            Some(Err(wrong)) => wrong,
            Some(Ok(census)) => {
                let held = (census.pages, census.pairs as u64);
                let booked = (pages, self.books.pairs_held());
                let told = || {
                    format!(
                        "the module holds (pages, pairs) {held:?} at the end, the host {booked:?}"
                    )
                };
                (held != booked).then(told).into_iter().collect()
            }
        };
        for detail in wrong {
            self.books.unbalanced::<P>(cpu, detail);
        }
    }
}

impl<P: Platform> PamtOps<P> for Host<P> {
    fn pamt_add(&self, cpu: &P::Cpu, region: Region, pair: PamtPair) -> Status {
        let status = self.module.pamt_add(cpu, region, pair);
        if !status.is_error() {
            self.books.added(region, pair);
        } else if status.is(StatusName::OperandBusy) {
            self.books.turned_down::<P>(cpu, region, "PAMT.ADD met BUSY");
        }
        status
    }

    fn pamt_remove(&self, cpu: &P::Cpu, region: Region) -> Result<PamtPair, Status> {
        let outcome = self.module.pamt_remove(cpu, region);
        match &outcome {
            Ok(_) => self.books.removed::<P>(cpu, region),
            Err(status) if status.is(StatusName::OperandBusy) => {
                self.books.turned_down::<P>(cpu, region, "PAMT.REMOVE met BUSY");
            }
            Err(_) => {}
        }
        outcome
    }

    fn pamt_present(&self, cpu: &P::Cpu, region: Region) -> Result<bool, Status> {
        self.module.pamt_present(cpu, region)
    }
}

impl<P: Platform> HostMemory<P> for Host<P> {
    fn alloc_pair(
        &self,
        cpu: &P::Cpu,
        cache: Option<&mut PamtCache>,
        near: Region,
    ) -> Option<PamtPair> {
        self.pages.alloc_pair(cpu, cache, near)
    }

    fn reset_pair(&self, cpu: &P::Cpu, pair: PamtPair) {
        self.pages.reset_pair(cpu, pair);
    }

    fn free_pair(&self, cpu: &P::Cpu, pair: PamtPair) {
        self.pages.free_pair(cpu, pair);
    }

    fn recache_pair(&self, cpu: &P::Cpu, cache: &mut PamtCache, pair: PamtPair) {
        self.pages.recache_pair(cpu, cache, pair);
    }
}
