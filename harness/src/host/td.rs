//! A TD as KVM sees it: its control pages, and what is mapped where.

use std::sync::atomic::{AtomicU32, Ordering};

use pamt_strategies::pamt::PamtCache;
use pamt_strategies::units::{CpuId, NodeId, PAGE_BYTES, Pfn};

/// TDCS pages of a TD.
pub(crate) const TDCX_PAGES: usize = 6;
/// Levels of Secure EPT entries that point to a table, from the lowest: 2 MiB, 1 GiB, 512 GiB.
pub(crate) const TABLE_LEVELS: core::ops::RangeInclusive<u64> = 1..=3;

const EMPTY: u32 = 0;
const FROZEN: u32 = 1;
const FIRST: u32 = 2;

/// Entries of KVM's own page table: each empty, frozen while somebody changes it, or a page.
///
/// They are written under `mmu_lock` or while frozen, so relaxed accesses do.
#[derive(Debug)]
pub(crate) struct Entries(Vec<AtomicU32>);

/// What [`Entries::freeze`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It was empty and is frozen now: the caller fills it.
    Won,
    /// Somebody else is at it.
    Frozen,
    /// It is there.
    Present,
}

impl Entries {
    fn new(count: u64) -> Self {
        Self((0..count).map(|_| AtomicU32::new(EMPTY)).collect())
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The page of an entry.
    pub(crate) fn page(&self, at: u64) -> Option<Pfn> {
        let stored = self.0[at as usize].load(Ordering::Relaxed);
        stored.checked_sub(FIRST).map(|pfn| Pfn(u64::from(pfn)))
    }

    /// Sets an entry to a page, or to empty.
    pub(crate) fn set(&self, at: u64, page: Option<Pfn>) {
        let stored = page.map_or(EMPTY, |pfn| pfn.0 as u32 + FIRST);
        self.0[at as usize].store(stored, Ordering::Relaxed);
    }

    /// KVM's `try_cmpxchg` to FROZEN_SPTE.
    pub(crate) fn freeze(&self, at: u64) -> Entry {
        let order = Ordering::Relaxed;
        match self.0[at as usize].compare_exchange(EMPTY, FROZEN, order, order) {
            Ok(_) => Entry::Won,
            Err(FROZEN) => Entry::Frozen,
            Err(_) => Entry::Present,
        }
    }

    /// All pages.
    pub(crate) fn pages(&self) -> impl Iterator<Item = Pfn> + Clone + '_ {
        (0..self.len()).filter_map(|at| self.page(at))
    }
}

/// A TD.
#[derive(Debug)]
pub(crate) struct Td {
    /// Number, from 0.
    pub(crate) id: u32,
    /// Node that its vCPUs run on and that its memory comes from.
    pub(crate) node: NodeId,
    /// Its place among the TDs of its node.
    pub(crate) slot: u64,
    /// CPU of each vCPU.
    pub(crate) cpus: Vec<CpuId>,
    /// TDR page, then the TDCS pages.
    pub(crate) control: Entries,
    /// Guest pages.
    pub(crate) mapped: Entries,
    /// Secure EPT tables, by the level of the entry that points to them, from the lowest.
    pub(crate) tables: [Entries; 3],
}

impl Td {
    pub(crate) fn new(id: u32, slot: u64, (node, cpus): (NodeId, Vec<CpuId>), pages: u64) -> Self {
        let tables = [1, 2, 3].map(|level| Entries::new(pages.div_ceil(1 << (9 * level))));
        let control = Entries::new(1 + TDCX_PAGES as u64);
        Self { id, node, slot, cpus, control, mapped: Entries::new(pages), tables }
    }

    /// Guest pages.
    pub(crate) fn pages(&self) -> u64 {
        self.mapped.len()
    }

    /// The TDR page.
    pub(crate) fn tdr(&self) -> Pfn {
        self.control.page(0).expect("a TD is created before its paths are taken")
    }

    /// Tables that entries of `level` point to.
    pub(crate) fn tables_of(&self, level: u64) -> &Entries {
        &self.tables[level as usize - 1]
    }

    /// Guest physical address of a page.
    pub(crate) fn gpa(gfn: u64) -> u64 {
        gfn * PAGE_BYTES
    }

    /// Control pages and tables, which come from the kernel's page allocator.
    pub(crate) fn kernel_pages(&self) -> impl Iterator<Item = Pfn> + Clone + '_ {
        self.control.pages().chain(self.tables.iter().flat_map(Entries::pages))
    }
}

/// What one vCPU thread carries with it.
#[derive(Debug)]
pub(crate) struct Vcpu {
    /// Its TD.
    pub(crate) td: u32,
    /// The CPU that its allocations go through.
    pub(crate) on: CpuId,
    /// PAMT pages, topped up before `mmu_lock`.
    pub(crate) cache: PamtCache,
    /// Pages for Secure EPT tables, topped up with it.
    pub(crate) tables: Vec<Pfn>,
    /// A page that guest_memfd holds for a fault that has to be done again.
    pub(crate) pending: Option<(u64, Pfn)>,
}

impl Vcpu {
    pub(crate) fn new(td: u32, on: CpuId) -> Self {
        Self { td, on, cache: PamtCache::default(), tables: Vec::new(), pending: None }
    }
}
