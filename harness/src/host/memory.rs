//! Guest pages and page pairs: the placements of a run over the page allocator.

use pamt_strategies::locks::LockShared;
use pamt_strategies::measure::{Observation, Op, Violation, ViolationKind};
use pamt_strategies::module::PamtPair;
use pamt_strategies::pamt::PamtCache;
use pamt_strategies::platform::{BulkKind, Platform, Stream};
use pamt_strategies::units::{CpuId, Cycles, NodeId, PAGE_BYTES, PAGES_PER_REGION, Pfn, Region};

use rand_core::Rng;
use rand_pcg::Pcg64;

use super::page_size::LARGE_PAGES;
use super::pages::{Buddy, GuestOrder, PairPool, Placement, ZonePlan, Zones, own_pair};
use super::plan::CACHE_PAGES;
use super::{HostCosts, HostPlan, Td};

/// Random streams of the page allocators' ageing, apart from those of CPUs.
const AGEING_STREAM: u128 = 1 << 64;

/// Pages of each kind that are in use when a run ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PagesHeld {
    /// 4 KiB folios of guests.
    pub(crate) small: u64,
    /// 2 MiB folios of guests.
    pub(crate) large: u64,
    /// Control pages and tables.
    pub(crate) kernel: u64,
    /// Pages of pairs.
    pub(crate) pairs: u64,
}

/// Where guest pages and page pairs come from in a run.
pub(crate) struct PageAllocator<P: Platform> {
    plan: HostPlan,
    zones: Zones<P>,
    guest: GuestOrder,
    large: GuestOrder,
    pool: PairPool,
    list_op: Cycles,
    erratum: bool,
    /// Pages free before anything was taken.
    free_at_start: u64,
    pool_at_start: u64,
}

impl<P: Platform> PageAllocator<P> {
    pub(crate) fn new(
        build: &mut P::Build,
        plan: &HostPlan,
        costs: &HostCosts,
        locks: &LockShared<P>,
    ) -> Self {
        let map = &plan.map;
        let buddies = (0..map.nodes).map(|node| {
            let mut buddy = Buddy::new(map.allocator_part(node), map.reserved_tail);
            // One stream of the run's seed a node.
            let mut random = Pcg64::new(plan.seed.into(), AGEING_STREAM + u128::from(node));
            if let Some(replay) = &plan.replay {
                buddy.withhold(&replay.pages);
            }
            buddy.age(plan.ageing, map.aged_pages, || random.next_u64());
            buddy
        });
        let zone_plan = ZonePlan {
            batch: plan.pcp_batch,
            high: plan.pcp_high,
            alloc: costs.page_alloc,
            free: costs.page_free,
            per_page: costs.zone_page,
        };
        let zones = Zones::new(build, locks, zone_plan, buddies.collect(), map.regions_per_node);
        let tds_per_node = u64::from(plan.tds).div_ceil(u64::from(map.nodes));
        let pool = PairPool::new(plan.pamt, map);
        let order = |units| GuestOrder::new(plan.guest, tds_per_node, units, plan.seed);
        Self {
            free_at_start: zones.free_pages(),
            pool_at_start: pool.free_pages(),
            zones,
            guest: order((plan.pages_per_td, PAGES_PER_REGION - map.reserved_tail)),
            large: order((plan.pages_per_td.div_ceil(LARGE_PAGES), 1)),
            pool,
            list_op: costs.list_op,
            erratum: costs.erratum,
            plan: plan.clone(),
        }
    }

    /// A page of the kernel's own: control pages, S-EPT pages.
    pub(crate) fn kernel_page(&self, cpu: &P::Cpu, on: CpuId, node: NodeId) -> Option<Pfn> {
        self.zones.take(cpu, on, node)
    }

    /// Gives a page of the kernel's own back.
    pub(crate) fn free_kernel_page(&self, cpu: &P::Cpu, on: CpuId, page: Pfn) {
        self.zones.give(cpu, on, page);
    }

    /// The page that will back `gfn` of a TD.
    pub(crate) fn guest_page(&self, cpu: &P::Cpu, on: CpuId, td: &Td, gfn: u64) -> Option<Pfn> {
        match self.plan.guest {
            Placement::UnmovablePcp => self.zones.take(cpu, on, td.node),
            _ => {
                let part = self.plan.map.guest_part(u32::from(td.node.0));
                Some(self.plan.map.usable_page(&part, self.guest.unit(td.slot, gfn)))
            }
        }
    }

    /// The 2 MiB folio that will back stretch `at` of a TD.
    pub(crate) fn large_page(&self, cpu: &P::Cpu, td: &Td, at: u64) -> Option<Pfn> {
        if self.plan.map.large_regions == 0 {
            return self.zones.take_region(cpu, td.node);
        }
        let part = self.plan.map.large_part(u32::from(td.node.0));
        Some(Region(part.start + self.large.unit(td.slot, at) as u32).first_pfn())
    }

    /// Gives a 2 MiB folio back.
    pub(crate) fn free_large_page(&self, cpu: &P::Cpu, first: Pfn) {
        if self.plan.map.large_regions == 0 {
            self.zones.give_region(cpu, first);
        }
    }

    /// Gives a guest page back.
    pub(crate) fn free_guest_page(&self, cpu: &P::Cpu, on: CpuId, page: Pfn) {
        if self.plan.guest == Placement::UnmovablePcp {
            self.zones.give(cpu, on, page);
        }
    }

    /// Node of a page.
    pub(crate) fn node_of(&self, page: Pfn) -> NodeId {
        self.zones.node_of(page)
    }

    /// `tdx_topup_pamt_cache()`: fills a cache before `mmu_lock` is taken. `same-region` pairs cannot
    /// be taken beforehand; they come when the region is known.
    pub(crate) fn topup(&self, cpu: &P::Cpu, on: CpuId, node: NodeId, cache: &mut PamtCache) {
        if self.plan.pamt == Placement::SameRegion || cache.pages.len() >= CACHE_PAGES {
            return;
        }
        P::observe(cpu, Observation::Begin(Op::Topup));
        while cache.pages.len() < CACHE_PAGES {
            match self.backing_page(cpu, on, node) {
                Some(page) => cache.pages.push(page),
                None => break,
            }
        }
        P::observe(cpu, Observation::End(Op::Topup));
    }

    /// Gives the pages of a cache back.
    pub(crate) fn drain(&self, cpu: &P::Cpu, on: CpuId, cache: &mut PamtCache) {
        while let Some(page) = cache.pages.pop() {
            self.free_backing_page(cpu, on, page);
        }
    }

    fn backing_page(&self, cpu: &P::Cpu, on: CpuId, node: NodeId) -> Option<Pfn> {
        match self.plan.pamt {
            Placement::UnmovablePcp => self.zones.take(cpu, on, node),
            _ => {
                P::work(cpu, self.list_op);
                self.pool.take(usize::from(node.0), P::random(cpu, Stream::Model))
            }
        }
    }

    fn free_backing_page(&self, cpu: &P::Cpu, on: CpuId, page: Pfn) {
        match self.plan.pamt {
            Placement::UnmovablePcp => self.zones.give(cpu, on, page),
            Placement::SameRegion => P::work(cpu, self.list_op),
            _ => {
                P::work(cpu, self.list_op);
                self.pool.give(usize::from(self.zones.node_of(page).0), page);
            }
        }
    }

    pub(crate) fn alloc_pair(
        &self,
        cpu: &P::Cpu,
        cache: Option<&mut PamtCache>,
        near: Region,
    ) -> Option<PamtPair> {
        P::observe(cpu, Observation::Begin(Op::PairAlloc));
        let pair = if self.plan.pamt == Placement::SameRegion {
            P::work(cpu, Cycles(2 * self.list_op.0));
            Some(own_pair(near))
        } else if let Some(cache) = cache {
            P::work(cpu, Cycles(2 * self.list_op.0));
            pop_pair(cache)
        } else {
            let (on, node) = (P::cpu(cpu), P::node(cpu));
            self.backing_page(cpu, on, node)
                .and_then(|first| Some(PamtPair([first, self.backing_page(cpu, on, node)?])))
        };
        P::observe(cpu, Observation::End(Op::PairAlloc));
        pair
    }

    pub(crate) fn reset_pair(&self, cpu: &P::Cpu, PamtPair(pages): PamtPair) {
        P::observe(cpu, Observation::Begin(Op::PairReset));
        if self.erratum {
            for page in pages {
                P::bulk(cpu, BulkKind::DirectStore, PAGE_BYTES, self.node_of(page));
            }
        }
        P::observe(cpu, Observation::End(Op::PairReset));
    }

    pub(crate) fn free_pair(&self, cpu: &P::Cpu, PamtPair(pages): PamtPair) {
        P::observe(cpu, Observation::Begin(Op::PairFree));
        for page in pages {
            self.free_backing_page(cpu, P::cpu(cpu), page);
        }
        P::observe(cpu, Observation::End(Op::PairFree));
    }

    pub(crate) fn recache_pair(&self, cpu: &P::Cpu, cache: &mut PamtCache, pair: PamtPair) {
        P::observe(cpu, Observation::Begin(Op::PairFree));
        P::work(cpu, Cycles(2 * self.list_op.0));
        cache.pages.extend(pair.0);
        P::observe(cpu, Observation::End(Op::PairFree));
    }

    /// Reports pages that are neither free nor held.
    pub(crate) fn check_end(&self, cpu: &P::Cpu, held: &PagesHeld) {
        let by_zones = |placement, pages| {
            if placement == Placement::UnmovablePcp { pages } else { 0 }
        };
        let large = if self.plan.map.large_regions == 0 { held.large * LARGE_PAGES } else { 0 };
        let expected = by_zones(self.plan.guest, held.small)
            + by_zones(self.plan.pamt, held.pairs)
            + large
            + held.kernel;
        let taken = self.free_at_start - self.zones.free_pages();
        if taken != expected {
            let detail = format!(
                "{taken} pages are out of the page allocator at the end, {expected} are held"
            );
            self.accounting(cpu, detail);
        }
        let pool_out = self.pool_at_start - self.pool.free_pages();
        let pool_held = match self.plan.pamt {
            Placement::DedicatedPool | Placement::Random => held.pairs,
            _ => 0,
        };
        if pool_out != pool_held {
            let detail = format!(
                "{pool_out} pages are out of the pair pool at the end, {pool_held} are held"
            );
            self.accounting(cpu, detail);
        }
    }

    fn accounting(&self, cpu: &P::Cpu, detail: String) {
        let kind = ViolationKind::Accounting;
        P::observe(cpu, Observation::Violation(Violation { kind, region: None, detail }));
    }
}

/// A pair from a cache, unless it holds less.
fn pop_pair(cache: &mut PamtCache) -> Option<PamtPair> {
    let first = cache.pages.pop()?;
    match cache.pages.pop() {
        Some(second) => Some(PamtPair([first, second])),
        None => {
            cache.pages.push(first);
            None
        }
    }
}
