//! A TD as KVM sees it: its control pages, and what is mapped where.

use std::sync::atomic::{AtomicU32, Ordering};

use pamt_strategies::pamt::PamtCache;
use pamt_strategies::units::{CpuId, NodeId, PAGE_BYTES, Pfn};

use super::page_size::{LARGE_PAGES, PageSize};

/// Control pages of a TD: TDR and 6 TDCS pages.
pub(crate) const TD_PAGES: u64 = 7;
/// Control pages of a vCPU: TDVPR and 5 TDCX pages.
pub(crate) const VCPU_PAGES: u64 = 6;
/// Levels of Secure EPT entries that point to a table, from the lowest: 2 MiB, 1 GiB, 512 GiB.
pub(crate) const TABLE_LEVELS: core::ops::RangeInclusive<u64> = 1..=3;

const EMPTY: u32 = 0;
const FROZEN: u32 = 1;
const FIRST: u32 = 2;
/// The entry maps a 2 MiB page; page numbers need 31 bits ([`super::pages::MemoryMap`]).
const LEAF: u32 = 1 << 31;

/// Entries of KVM's own page table: each empty, frozen while somebody changes it, a page (of memory at
/// the lowest level, of a table above), or a 2 MiB page of memory.
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
    /// A page or a table is there.
    Present,
    /// It maps a 2 MiB page.
    Leaf,
}

impl Entries {
    fn new(count: u64) -> Self {
        Self((0..count).map(|_| AtomicU32::new(EMPTY)).collect())
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The page or table of an entry.
    pub(crate) fn page(&self, at: u64) -> Option<Pfn> {
        let stored = self.0[at as usize].load(Ordering::Relaxed);
        if stored & LEAF != 0 { None } else { stored.checked_sub(FIRST).map(pfn) }
    }

    /// The first page of a 2 MiB mapping.
    pub(crate) fn leaf(&self, at: u64) -> Option<Pfn> {
        let stored = self.0[at as usize].load(Ordering::Relaxed);
        (stored & LEAF != 0).then(|| pfn(stored & !LEAF))
    }

    /// Maps a 2 MiB page.
    pub(crate) fn set_leaf(&self, at: u64, first: Pfn) {
        self.0[at as usize].store(first.0 as u32 | LEAF, Ordering::Relaxed);
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
            Err(stored) if stored & LEAF != 0 => Entry::Leaf,
            Err(_) => Entry::Present,
        }
    }

    /// First pages of all 2 MiB mappings.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Pfn> + '_ {
        (0..self.len()).filter_map(|at| self.leaf(at))
    }

    /// All pages or tables.
    pub(crate) fn pages(&self) -> impl Iterator<Item = Pfn> + Clone + '_ {
        (0..self.len()).filter_map(|at| self.page(at))
    }
}

fn pfn(stored: u32) -> Pfn {
    Pfn(u64::from(stored))
}

/// The 2 MiB folios of a TD's guest memory, by stretch of 2 MiB. A folio is given back whole, when
/// none of its pages is mapped any more: its parts are converted in place.
#[derive(Debug)]
pub(crate) struct Folios {
    /// First page of each.
    pub(crate) first: Entries,
    mapped: Vec<AtomicU32>,
}

impl Folios {
    fn new(count: u64) -> Self {
        let mapped = (0..count).map(|_| AtomicU32::new(0)).collect();
        Self { first: Entries::new(count), mapped }
    }

    /// `pages` more pages of a folio are mapped.
    pub(crate) fn map(&self, at: u64, pages: u64) {
        self.mapped[at as usize].fetch_add(pages as u32, Ordering::Relaxed);
    }

    /// `pages` fewer; whether none is left.
    pub(crate) fn unmap(&self, at: u64, pages: u64) -> bool {
        self.mapped[at as usize].fetch_sub(pages as u32, Ordering::Relaxed) == pages as u32
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
    /// The control pages of each vCPU, TDVPR first.
    pub(crate) vcpus: Entries,
    /// Guest pages that are mapped as 4 KiB.
    pub(crate) mapped: Entries,
    /// Secure EPT entries above those, by level from the lowest: tables, and 2 MiB mappings in the
    /// lowest.
    pub(crate) tables: [Entries; 3],
    /// Which of its memory should be mapped as 2 MiB.
    pub(crate) page_size: PageSize,
    pub(crate) folios: Folios,
}

impl Td {
    pub(crate) fn new(
        id: u32,
        slot: u64,
        (node, cpus): (NodeId, Vec<CpuId>),
        (pages, page_size): (u64, PageSize),
    ) -> Self {
        let tables = [1, 2, 3].map(|level| Entries::new(pages.div_ceil(1 << (9 * level))));
        let control = Entries::new(TD_PAGES);
        let vcpus = Entries::new(cpus.len() as u64 * VCPU_PAGES);
        let folios = Folios::new(pages.div_ceil(LARGE_PAGES));
        let mapped = Entries::new(pages);
        Self { id, node, slot, cpus, control, vcpus, mapped, tables, page_size, folios }
    }

    /// Guest pages.
    pub(crate) fn pages(&self) -> u64 {
        self.mapped.len()
    }

    /// The TDR page.
    pub(crate) fn tdr(&self) -> Pfn {
        self.control.page(0).expect("a TD is created before its paths are taken")
    }

    /// The TDVPR page of the vCPU that runs on a CPU.
    pub(crate) fn tdvpr(&self, on: CpuId) -> Option<Pfn> {
        self.tdvprs().find_map(|(cpu, tdvpr)| (cpu == on).then_some(tdvpr))
    }

    /// The TDVPR pages of the vCPUs that have been created, each with the vCPU's CPU.
    pub(crate) fn tdvprs(&self) -> impl Iterator<Item = (CpuId, Pfn)> + '_ {
        let tdvpr = |vcpu| self.vcpus.page(vcpu as u64 * VCPU_PAGES);
        self.cpus.iter().enumerate().filter_map(move |(vcpu, on)| Some((*on, tdvpr(vcpu)?)))
    }

    /// Tables that entries of `level` point to.
    pub(crate) fn tables_of(&self, level: u64) -> &Entries {
        &self.tables[level as usize - 1]
    }

    /// Whether stretch `at` is to be one 2 MiB mapping, and has no table that stands in its way.
    pub(crate) fn wants_large(&self, at: u64) -> bool {
        (at + 1) * LARGE_PAGES <= self.pages()
            && self.page_size.is_large(at)
            && self.tables[0].page(at).is_none()
    }

    /// Whether a guest page is mapped, in either size.
    pub(crate) fn is_mapped(&self, gfn: u64) -> bool {
        self.mapped.page(gfn).is_some() || self.tables[0].leaf(gfn / LARGE_PAGES).is_some()
    }

    /// Mapped guest pages that are folios of their own.
    pub(crate) fn small_folios(&self) -> impl Iterator<Item = Pfn> + '_ {
        let single = |gfn: &u64| self.folios.first.page(gfn / LARGE_PAGES).is_none();
        (0..self.pages()).filter(single).filter_map(|gfn| self.mapped.page(gfn))
    }

    /// First pages of all folios of its memory.
    pub(crate) fn folios(&self) -> impl Iterator<Item = Pfn> + '_ {
        self.small_folios().chain(self.folios.first.pages())
    }

    /// Whether it has been created, perhaps in part, and not yet destroyed.
    pub(crate) fn exists(&self) -> bool {
        self.control.page(0).is_some()
    }

    /// Whether all its control pages are there.
    pub(crate) fn is_created(&self) -> bool {
        self.control.pages().chain(self.vcpus.pages()).count() as u64
            == self.control.len() + self.vcpus.len()
    }

    /// Guest physical address of a page.
    pub(crate) fn gpa(gfn: u64) -> u64 {
        gfn * PAGE_BYTES
    }

    /// Control pages and tables, which come from the kernel's page allocator.
    pub(crate) fn kernel_pages(&self) -> impl Iterator<Item = Pfn> + Clone + '_ {
        let control = self.control.pages().chain(self.vcpus.pages());
        control.chain(self.tables.iter().flat_map(Entries::pages))
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
