//! The checker: shadow books beside the strategy, from which violations follow.
//!
//! The host tells the books when a region gets a user (a page that the host believes it may hand to
//! the module), when it loses one, and when a pair goes to the module or comes back. They hold, for
//! each 2 MiB region, the number of users and whether a pair is there, and say what is wrong:
//!
//! - a page reached the module without its pair (`missing_pair`): a leaf that the strategy wraps ends
//!   with MISSING_PAMT_PAGE_PAIR;
//! - a pair came back while the region has users (`early_release`);
//! - a put failed (`put_failed`), or a get for another reason than memory (`accounting`);
//! - the module turned one get, put or split down twice (`unbounded_retry`);
//! - at the end, a refcount is not the number of users, a pair is there without users or missing with
//!   them, or pairs added and removed differ from what is left (`leak`, `refcount_range`,
//!   `accounting`).
//!
//! The order of the books is the order in which the simulated CPUs execute their shared operations,
//! which is an order of the run: a user is counted after its get returned and taken off before its put
//! begins, so a strategy that excludes what it must can never look wrong. On real threads the hot path
//! keeps no books (they would be a shared line of their own); there the end is checked against the
//! pages that are mapped.

mod attempts;
mod census;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use pamt_strategies::measure::{Observation, Violation, ViolationKind};
use pamt_strategies::module::{PamtPair, Status, StatusName};
use pamt_strategies::pamt::{PairFor, PamtError, Strategy};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGES_PER_REGION, Pfn, Region};

use attempts::Attempts;
pub(crate) use census::Census;

/// Violations of the final check that are reported one by one.
const REPORTED_AT_END: usize = 4;

/// Which books are kept while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Users and pairs of each region.
    Full,
    /// Sums of pairs only; the rest is checked at the end.
    End,
}

/// The books of a host.
#[derive(Debug)]
pub(crate) struct Books {
    depth: Depth,
    users: Vec<AtomicU32>,
    /// The pair's pages plus 1 a region, or 0.
    pairs: Vec<[AtomicU32; 2]>,
    added: AtomicU64,
    removed: AtomicU64,
    attempts: Attempts,
    censuses: Mutex<Vec<Census>>,
}

/// What a host holds when a run ends.
pub(crate) struct Holdings<U, F> {
    /// 4 KiB pages that the module uses: guest pages, tables, control pages.
    pub(crate) pages: U,
    /// First pages of the folios of guest_memfd.
    pub(crate) folios: F,
    /// TDs that exist.
    pub(crate) tds: usize,
    /// The module runs in dynamic mode.
    pub(crate) dynamic: bool,
}

fn violation<P: Platform>(
    cpu: &P::Cpu,
    kind: ViolationKind,
    region: Option<Region>,
    detail: String,
) {
    P::observe(cpu, Observation::Violation(Violation { kind, region, detail }));
}

impl Books {
    pub(crate) fn new(depth: Depth, regions: u32, cpus: usize) -> Self {
        let zero = || AtomicU32::new(0);
        Self {
            depth,
            users: (0..regions).map(|_| zero()).collect(),
            pairs: (0..regions).map(|_| [zero(), zero()]).collect(),
            added: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            attempts: Attempts::new(cpus),
            censuses: Mutex::default(),
        }
    }

    /// A get, put or split begins on this CPU.
    pub(crate) fn begin<P: Platform>(&self, cpu: &P::Cpu) {
        if self.depth == Depth::Full {
            self.attempts.begin::<P>(cpu);
        }
    }

    /// The module turned a call down that belongs to a get, put or split: BUSY, or a pair that was
    /// there a moment ago.
    pub(crate) fn turned_down<P: Platform>(&self, cpu: &P::Cpu, region: Region, why: &str) {
        if self.depth == Depth::Full {
            self.attempts.turned_down::<P>(cpu, region, why);
        }
    }

    fn users(&self, region: Region) -> &AtomicU32 {
        &self.users[region.0 as usize]
    }

    /// Notes the pages of a region's pair, each plus 1.
    fn note_pair(&self, region: Region, pages: [u32; 2]) {
        for (slot, page) in self.pairs[region.0 as usize].iter().zip(pages) {
            slot.store(page, Ordering::Relaxed);
        }
    }

    fn has_pair(&self, region: Region) -> bool {
        self.pairs[region.0 as usize][0].load(Ordering::Relaxed) != 0
    }

    /// A get returned, or a leaf gave the page to the module.
    pub(crate) fn used(&self, page: Pfn) {
        if self.depth == Depth::Full {
            self.users(page.region()).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A put is about to begin.
    pub(crate) fn unused(&self, page: Pfn) {
        if self.depth == Depth::Full {
            self.users(page.region()).fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// TDH.MEM.PAGE.DEMOTE succeeded: the region has a pair and 512 users.
    pub(crate) fn demoted(&self, region: Region, pair: PamtPair) {
        self.added(region, pair);
        if self.depth == Depth::Full {
            let users = self.users(region);
            users.fetch_add(PAGES_PER_REGION as u32, Ordering::Relaxed);
        }
    }

    /// TDH.MEM.PAGE.PROMOTE succeeded: the region has neither.
    pub(crate) fn promoted<P: Platform>(&self, cpu: &P::Cpu, region: Region) {
        if self.depth == Depth::Full {
            let users = self.users(region);
            users.fetch_sub(PAGES_PER_REGION as u32, Ordering::Relaxed);
        }
        self.removed::<P>(cpu, region);
    }

    /// PAMT.ADD succeeded.
    pub(crate) fn added(&self, region: Region, pair: PamtPair) {
        self.added.fetch_add(1, Ordering::Relaxed);
        self.note_pair(region, pair.0.map(|page| page.0 as u32 + 1));
    }

    /// PAMT.REMOVE succeeded.
    pub(crate) fn removed<P: Platform>(&self, cpu: &P::Cpu, region: Region) {
        self.removed.fetch_add(1, Ordering::Relaxed);
        self.note_pair(region, [0; 2]);
        let users = self.users(region).load(Ordering::Relaxed);
        if users > 0 {
            let detail = format!(
                "the pair of region {region} came back while {users} pages of it are in use"
            );
            violation::<P>(cpu, ViolationKind::EarlyRelease, Some(region), detail);
        }
    }

    /// A wrapped leaf failed for good: `status` is what reached the host.
    pub(crate) fn refused<P: Platform>(&self, cpu: &P::Cpu, page: Pfn, status: Status) {
        if status.is(StatusName::MissingPamtPagePair) {
            let detail =
                format!("pfn {:#x} was handed to the module without its pair: {status}", page.0);
            violation::<P>(cpu, ViolationKind::MissingPair, Some(page.region()), detail);
        }
    }

    /// A put, or the leaf before it, failed: the page or its pair is lost.
    pub(crate) fn put_failed<P: Platform>(
        &self,
        cpu: &P::Cpu,
        page: Pfn,
        why: &dyn std::fmt::Display,
    ) {
        let detail = format!("taking pfn {:#x} back failed: {why}", page.0);
        violation::<P>(cpu, ViolationKind::PutFailed, Some(page.region()), detail);
    }

    /// A get failed for another reason than want of memory.
    pub(crate) fn get_failed<P: Platform>(&self, cpu: &P::Cpu, page: Pfn, why: PamtError) {
        if let PamtError::Module(status) = why {
            let detail = format!("a get of pfn {:#x} failed: {status}", page.0);
            violation::<P>(cpu, ViolationKind::Accounting, Some(page.region()), detail);
        }
    }

    /// Compares everything at the end of a run, when no CPU is in a get or put.
    pub(crate) fn check_end<P: Platform>(
        &self,
        cpu: &P::Cpu,
        strategy: &dyn Strategy<P>,
        held: Holdings<impl Iterator<Item = Pfn>, impl Iterator<Item = Pfn>>,
    ) {
        let mut users = vec![0_u32; self.users.len()];
        held.pages.for_each(|page| users[page.region().0 as usize] += 1);
        if strategy.pair_is_for() == PairFor::Folios {
            held.folios.for_each(|page| users[page.region().0 as usize] += 1);
        }
        let everywhere = strategy.pair_is_for() == PairFor::Tds && held.tds > 0;
        let mut wrong = Vec::new();
        for (at, users) in users.iter().copied().enumerate() {
            let region = Region(at as u32);
            let pair = self.has_pair(region);
            if held.dynamic && pair != (users > 0 || everywhere) {
                let has = if pair { "still has its pair" } else { "has no pair" };
                let detail = format!("region {region} {has} with {users} pages in use at the end");
                wrong.push((ViolationKind::Leak, region, detail));
            }
            let count = strategy.peek_refcount(cpu, region).filter(|n| *n != u64::from(users));
            if let Some(count) = count {
                let detail = format!(
                    "refcount of region {region} is {count} at the end, {users} pages are in use"
                );
                wrong.push((ViolationKind::RefcountRange, region, detail));
            }
        }
        self.report_end::<P>(cpu, wrong);
        self.check_sums::<P>(cpu);
    }

    fn report_end<P: Platform>(&self, cpu: &P::Cpu, wrong: Vec<(ViolationKind, Region, String)>) {
        let more = wrong.len().saturating_sub(REPORTED_AT_END);
        for (kind, region, detail) in wrong.into_iter().take(REPORTED_AT_END) {
            violation::<P>(cpu, kind, Some(region), detail);
        }
        if more > 0 {
            let detail = format!("{more} more regions are wrong at the end");
            violation::<P>(cpu, ViolationKind::Leak, None, detail);
        }
    }

    fn check_sums<P: Platform>(&self, cpu: &P::Cpu) {
        let regions = (0..self.pairs.len() as u32).map(Region);
        let held = regions.filter(|region| self.has_pair(*region)).count() as u64;
        let added = self.added.load(Ordering::Relaxed);
        let removed = self.removed.load(Ordering::Relaxed);
        if added != removed + held {
            let detail =
                format!("{added} pairs were added and {removed} removed, but {held} are left");
            violation::<P>(cpu, ViolationKind::Accounting, None, detail);
        }
    }

    /// Another book does not agree.
    pub(crate) fn unbalanced<P: Platform>(&self, cpu: &P::Cpu, detail: String) {
        violation::<P>(cpu, ViolationKind::Accounting, None, detail);
    }

    /// Pairs that the module holds.
    pub(crate) fn pairs_held(&self) -> u64 {
        self.added.load(Ordering::Relaxed) - self.removed.load(Ordering::Relaxed)
    }
}
