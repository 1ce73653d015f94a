//! The page allocator of the host: per-CPU lists over a buddy a node, under a zone lock.
//!
//! Linux (`mm/page_alloc.c`): an order-0 allocation pops from the list of its CPU and zone; an empty
//! list takes a batch from the buddy under the zone lock; a freed page goes onto the list, and a list
//! above its high mark gives a batch back. The batch is 63 pages for every zone above 1 GiB
//! (`zone_batchsize()`), so CPUs of several TDs fill one 2 MiB region in runs of 63 pages.

use parking_lot::Mutex;
use std::collections::VecDeque;

use pamt_strategies::locks::{AnyLock, Lock, LockKindId, LockPlan, LockShared};
use pamt_strategies::platform::{Home, Platform};
use pamt_strategies::units::{CpuId, Cycles, NodeId, Pfn, Region};

use super::Buddy;

/// Costs and sizes of the allocator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZonePlan {
    /// Pages that move between a list and the buddy at once.
    pub(crate) batch: usize,
    /// Pages that a list keeps at most.
    pub(crate) high: usize,
    /// Popping a page from the list of a CPU.
    pub(crate) alloc: Cycles,
    /// Pushing one.
    pub(crate) free: Cycles,
    /// Moving one page between list and buddy, under the zone lock.
    pub(crate) per_page: Cycles,
}

/// The page allocator.
pub(crate) struct Zones<P: Platform> {
    plan: ZonePlan,
    cpus: usize,
    regions_per_node: u32,
    buddies: Vec<Mutex<Buddy>>,
    /// Index: node * CPUs + CPU. Only that CPU touches it, so the mutex is never waited for.
    lists: Vec<Mutex<VecDeque<Pfn>>>,
    lock: AnyLock<P>,
}

impl<P: Platform> Zones<P> {
    /// An allocator over one buddy a node; node `n` holds the regions from `n * regions_per_node`.
    pub(crate) fn new(
        build: &mut P::Build,
        shared: &LockShared<P>,
        plan: ZonePlan,
        buddies: Vec<Buddy>,
        regions_per_node: u32,
    ) -> Self {
        let lock_plan = LockPlan::new("zone_lock", buddies.len()).home(Home::Split);
        let cpus = P::cpu_count(build);
        Self {
            plan,
            cpus,
            regions_per_node,
            lists: (0..buddies.len() * cpus).map(|_| Mutex::default()).collect(),
            buddies: buddies.into_iter().map(Mutex::new).collect(),
            lock: AnyLock::new(LockKindId::QSpinLock, build, &lock_plan, shared),
        }
    }

    /// Node of a page.
    pub(crate) fn node_of(&self, page: Pfn) -> NodeId {
        NodeId((page.region().0 / self.regions_per_node) as u8)
    }

    /// A page, from `node` if it has one, through the list of CPU `on`.
    pub(crate) fn take(&self, cpu: &P::Cpu, on: CpuId, node: NodeId) -> Option<Pfn> {
        P::work(cpu, self.plan.alloc);
        let nodes = self.buddies.len();
        (0..nodes).map(|k| (usize::from(node.0) + k) % nodes).find_map(|node| {
            let list = &self.lists[node * self.cpus + usize::from(on.0)];
            if let Some(page) = list.lock().pop_back() {
                return Some(page);
            }
            self.refill(cpu, node, list);
            list.lock().pop_back()
        })
    }

    fn refill(&self, cpu: &P::Cpu, node: usize, list: &Mutex<VecDeque<Pfn>>) {
        self.locked(cpu, node, |buddy| {
            let mut list = list.lock();
            let before = list.len();
            // Linux' list is last in, first out; a refill is handed out in the order taken.
            (0..self.plan.batch).map_while(|_| buddy.take()).for_each(|page| list.push_front(page));
            (list.len() - before, ())
        });
    }

    /// A whole region, from `node` if it has one: per-CPU lists hold none of that order.
    pub(crate) fn take_region(&self, cpu: &P::Cpu, node: NodeId) -> Option<Pfn> {
        let nodes = self.buddies.len();
        (0..nodes)
            .map(|k| (usize::from(node.0) + k) % nodes)
            .find_map(|node| self.locked(cpu, node, |buddy| (1, buddy.take_region())))
    }

    /// Gives a region back.
    pub(crate) fn give_region(&self, cpu: &P::Cpu, first: Pfn) {
        let node = usize::from(self.node_of(first).0);
        self.locked(cpu, node, |buddy| (1, buddy.give_region(first)));
    }

    /// Under the zone lock: `body` says how many blocks it moved. No guard is held where another
    /// simulated CPU may run.
    fn locked<T>(
        &self,
        cpu: &P::Cpu,
        node: usize,
        body: impl FnOnce(&mut Buddy) -> (usize, T),
    ) -> T {
        let held = self.lock.acquire(cpu, node, Region(node as u32 * self.regions_per_node));
        let (moved, value) = body(&mut self.buddies[node].lock());
        P::work(cpu, Cycles(self.plan.per_page.0 * moved as u64));
        self.lock.release(cpu, held);
        value
    }

    /// Gives a page back through the list of CPU `on`.
    pub(crate) fn give(&self, cpu: &P::Cpu, on: CpuId, page: Pfn) {
        P::work(cpu, self.plan.free);
        let node = usize::from(self.node_of(page).0);
        let list = &self.lists[node * self.cpus + usize::from(on.0)];
        let full = {
            let mut list = list.lock();
            list.push_back(page);
            list.len() > self.plan.high
        };
        if full {
            self.drain(cpu, node, list);
        }
    }

    fn drain(&self, cpu: &P::Cpu, node: usize, list: &Mutex<VecDeque<Pfn>>) {
        self.locked(cpu, node, |buddy| {
            let mut list = list.lock();
            let oldest = list.len().min(self.plan.batch);
            list.drain(..oldest).for_each(|page| buddy.give(page));
            (oldest, ())
        });
    }

    /// Pages that are free, in lists or buddies.
    pub(crate) fn free_pages(&self) -> u64 {
        let listed: usize = self.lists.iter().map(|list| list.lock().len()).sum();
        listed as u64 + self.buddies.iter().map(|buddy| buddy.lock().free_pages()).sum::<u64>()
    }
}
