//! No lock: the refcount of a region is a state machine.
//!
//! | word | state |
//! |---|---|
//! | 0 | *absent*: no pair |
//! | 1 to 2^29 - 1 | that many pages in use |
//! | `PARKED` | pair in place, no page in use |
//! | `TRANSIT` | one CPU is in PAMT.ADD or PAMT.REMOVE for this region |
//!
//! Who moves a word from absent to *transit* does the PAMT.ADD and stores the count; everybody else
//! who wants the region meanwhile waits for that store. Who takes the last page away moves the word to
//! *parked* or to *transit*, and in the latter case does the PAMT.REMOVE and stores 0. All other steps
//! are one CAS. So only callers of the same region ever wait for each other, a run of pages costs one
//! CAS, and no pair is taken for nothing except by a CPU that loses the race for *transit*.
//!
//! # Parking
//! A parked region enters a ring of its CPU and leaves it when as many others have come after it; only
//! then its pair is removed, unless somebody has got it back. That takes out the thrash of a region
//! whose count moves between 1 and 0, and bounds how many pairs (and 2M regions that cannot be mapped
//! as such) are kept: ring length times CPUs. Rings are drained when a TD goes and at quiesce.
//!
//! A PAMT.REMOVE that fails leaves its region parked. So a put never fails; the next get finds the
//! pair, or quiesce removes it.

use super::busy::OnBusy;
use super::steps;
use super::{DemoteCall, Env, PamtCache, PamtError, Strategy};
use crate::locks::Attempt;
use crate::measure::{
    Chronicle, LockClass, LockClassId, LockKind, LockStep, Observation, Op, Violation,
    ViolationKind,
};
use crate::module::{Regs, Status};
use crate::platform::{Home, Ordering, Place, Platform, Section, Until, Words};
use crate::registry::StrategyParams;
use crate::units::{PAGES_PER_REGION, Pfn, Region};

const ABSENT: u32 = 0;
const PARKED: u32 = 1 << 29;
const TRANSIT: u32 = 1 << 30;
/// Words of a CPU's ring record, the cursor's line apart.
const LINE_WORDS: usize = 16;

pub(super) struct StateWord<P: Platform> {
    words: P::Words<u32>,
    /// Transitions are reported as a lock a region, so that waits compare with those of real locks.
    class: LockClassId,
    on_busy: OnBusy<P>,
    /// Slots of region + 1, `park` a CPU.
    ring: P::Words<u32>,
    cursors: P::Words<u32>,
    park: usize,
}

impl<P: Platform> StateWord<P> {
    pub(super) fn new(
        build: &mut P::Build,
        params: &StrategyParams<'_, P>,
        on_busy: OnBusy<P>,
        park: usize,
    ) -> Self {
        let class = LockClass {
            name: "pamt_transit".into(),
            kind: LockKind::Spinlock,
            instances: params.regions,
        };
        let cpus = P::cpu_count(build);
        let record = park.next_multiple_of(LINE_WORDS);
        let words = Place::packed("pamt_refcounts", params.regions).home(params.home);
        let ring = Place::packed("pamt_parked", cpus * record)
            .record(record as u32 * 4, &[])
            .home(Home::PerCpu);
        let cursors = Place::padded("pamt_parked_cursor", if park == 0 { 0 } else { cpus });
        Self {
            words: P::words(build, words),
            class: P::lock_class(build, class),
            on_busy,
            ring: P::words(build, ring),
            cursors: P::words(build, cursors.home(Home::PerCpu).private()),
            park,
        }
    }

    fn step(&self, cpu: &P::Cpu, region: Region, from: u32, to: u32) -> Result<(), u32> {
        let order = (Ordering::AcqRel, Ordering::Acquire);
        self.words
            .compare_exchange(cpu, region.0 as usize, from, to, order.0, order.1)
            .map(|_| changed::<P>(cpu, region, from, to))
    }

    fn read(&self, cpu: &P::Cpu, region: Region) -> u32 {
        self.words.load(cpu, region.0 as usize, Ordering::Acquire)
    }

    fn attempt<'a>(&self, cpu: &'a P::Cpu, region: Region) -> Attempt<'a, P> {
        Attempt::new(cpu, self.class, region.0 as usize, false, region)
    }

    /// Absent or parked to transit; preemption stays off until [`Self::leave_transit`].
    fn enter_transit(&self, cpu: &P::Cpu, region: Region, from: u32) -> Result<(), u32> {
        P::enter(cpu, Section::PreemptOff);
        let attempt = self.attempt(cpu, region);
        attempt.report(LockStep::Request);
        let outcome = self.step(cpu, region, from, TRANSIT);
        if outcome.is_ok() {
            attempt.report(LockStep::Acquired);
        } else {
            attempt.report(LockStep::Abandoned);
            P::leave(cpu, Section::PreemptOff);
        }
        outcome
    }

    fn leave_transit(&self, cpu: &P::Cpu, region: Region, to: u32) {
        self.attempt(cpu, region).report(LockStep::Released);
        changed::<P>(cpu, region, TRANSIT, to);
        self.words.store(cpu, region.0 as usize, to, Ordering::Release);
        P::leave(cpu, Section::PreemptOff);
    }

    /// Waits until the CPU in transit is through.
    fn wait(&self, cpu: &P::Cpu, region: Region) -> u32 {
        let attempt = self.attempt(cpu, region);
        attempt.report(LockStep::Request);
        attempt.contended(false);
        let over = Until::ne(u64::from(TRANSIT));
        let word = self.words.spin_until(cpu, region.0 as usize, over, Ordering::Acquire);
        attempt.report(LockStep::Acquired);
        attempt.report(LockStep::Released);
        word
    }

    /// Counts `pages` up in a region that has a pair; `None` if it is absent.
    fn count_up(&self, cpu: &P::Cpu, region: Region, pages: u32) -> Option<()> {
        let mut seen = self.read(cpu, region);
        loop {
            let to = match seen {
                ABSENT => return None,
                TRANSIT => {
                    seen = steps::span::<P, _>(cpu, Op::PamtGetSlow, || self.wait(cpu, region));
                    continue;
                }
                PARKED => pages,
                count => count + pages,
            };
            match self.step(cpu, region, seen, to) {
                Ok(()) => return Some(()),
                Err(found) => seen = found,
            }
        }
    }

    fn get_pages(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        pages: u32,
        mut cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let mut pair = None;
        loop {
            if self.count_up(cpu, region, pages).is_some() {
                break;
            }
            // The pair comes first: nothing may sleep in transit.
            let ready = match pair {
                Some(pair) => pair,
                None => {
                    let from = cache.as_deref_mut();
                    env.host.alloc_pair(cpu, from, region).ok_or(PamtError::NoMemory)?
                }
            };
            pair = Some(ready);
            if self.enter_transit(cpu, region, ABSENT).is_err() {
                continue;
            }
            let added = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
                let add = || steps::add(cpu, env, region, ready);
                let added = self.on_busy.call(cpu, Op::PamtGet, region, add);
                self.leave_transit(cpu, region, if added.is_ok() { pages } else { ABSENT });
                added
            });
            if added.is_err() {
                steps::unused(cpu, env, cache, ready);
            }
            return added.map_err(PamtError::Module);
        }
        if let Some(pair) = pair {
            steps::unused(cpu, env, cache, pair);
        }
        Ok(())
    }

    fn put_pages(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region, pages: u32) -> Last {
        let mut seen = self.read(cpu, region);
        loop {
            if seen >= PARKED || seen < pages {
                below_zero::<P>(cpu, region, seen, pages);
                return Last::No;
            }
            if seen == pages && self.park == 0 {
                match self.enter_transit(cpu, region, seen) {
                    Ok(()) => return self.remove(cpu, env, region),
                    Err(found) => seen = found,
                }
                continue;
            }
            let to = if seen == pages { PARKED } else { seen - pages };
            match self.step(cpu, region, seen, to) {
                Ok(()) if to == PARKED => return Last::Parked,
                Ok(()) => return Last::No,
                Err(found) => seen = found,
            }
        }
    }

    /// In transit: gives the pair back, or leaves the region parked.
    fn remove(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Last {
        let removed = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
            let remove = || steps::remove(cpu, env, region);
            let removed = self.on_busy.call(cpu, Op::PamtPut, region, remove);
            self.leave_transit(cpu, region, if removed.is_ok() { ABSENT } else { PARKED });
            removed
        });
        match removed {
            Ok(pair) => {
                steps::free(cpu, env, pair);
                Last::Removed
            }
            Err(status) => Last::Kept(status),
        }
    }

    /// Removes the pair of `region` if it is parked.
    fn evict(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Last {
        if self.read(cpu, region) == PARKED && self.enter_transit(cpu, region, PARKED).is_ok() {
            return self.remove(cpu, env, region);
        }
        Last::No
    }

    /// Puts a parked region into this CPU's ring; the one that has been there longest must go.
    fn push(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) {
        let mine = usize::from(P::cpu(cpu).0);
        let cursor = self.cursors.load(cpu, mine, Ordering::Relaxed) as usize;
        let next = (cursor + 1) % self.park;
        self.cursors.store(cpu, mine, next as u32, Ordering::Relaxed);
        let slot = mine * self.park.next_multiple_of(LINE_WORDS) + cursor;
        let oldest = self.ring.swap(cpu, slot, region.0 + 1, Ordering::AcqRel);
        if oldest > 0 {
            self.evict(cpu, env, Region(oldest - 1));
        }
    }

    /// Empties all rings.
    fn drain(&self, cpu: &P::Cpu, env: &Env<'_, P>) {
        for slot in 0..self.ring.len() {
            if self.ring.load(cpu, slot, Ordering::Relaxed) > 0 {
                let region = self.ring.swap(cpu, slot, 0, Ordering::AcqRel);
                if region > 0 {
                    self.evict(cpu, env, Region(region - 1));
                }
            }
        }
    }
}

/// What a put came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// Pages are left.
    No,
    /// It was the last; the pair stays for now.
    Parked,
    /// It was the last; the pair is gone.
    Removed,
    /// It was the last; the module did not give the pair back, and the region stays parked.
    Kept(Status),
}

fn changed<P: Platform>(cpu: &P::Cpu, region: Region, from: u32, to: u32) {
    P::observe(cpu, Observation::Chronicle(region, Chronicle::Refcount(from, to)));
}

fn below_zero<P: Platform>(cpu: &P::Cpu, region: Region, word: u32, pages: u32) {
    let detail = format!("a put of {pages} pages of region {region} found its state at {word:#x}");
    let (kind, region) = (ViolationKind::RefcountRange, Some(region));
    P::observe(cpu, Observation::Violation(Violation { kind, region, detail }));
}

impl<P: Platform> Strategy<P> for StateWord<P> {
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        self.get_many(cpu, env, pfn, 1, cache)
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        self.put_many(cpu, env, pfn, 1)
    }

    fn get_many(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        first: Pfn,
        pages: u32,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let get = || self.get_pages(cpu, env, first.region(), pages, cache);
        steps::get_span::<P, _>(cpu, first, get)
    }

    fn put_many(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        first: Pfn,
        pages: u32,
    ) -> Result<(), PamtError> {
        let region = first.region();
        steps::put_span::<P, _>(cpu, first, || {
            if self.put_pages(cpu, env, region, pages) == Last::Parked {
                self.push(cpu, env, region);
            }
        });
        Ok(())
    }

    fn td_destroy(&self, cpu: &P::Cpu, env: &Env<'_, P>) -> Result<(), PamtError> {
        self.drain(cpu, env);
        Ok(())
    }

    fn demote(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        cache: Option<&mut PamtCache>,
        call: DemoteCall<'_, P>,
    ) -> Result<Regs, PamtError> {
        let pair = env.host.alloc_pair(cpu, cache, region).ok_or(PamtError::NoMemory)?;
        let mut last = Regs::default();
        // Under the same guard as ADD and REMOVE: DEMOTE locks the regions of its pair, too.
        let demoted = self.on_busy.call(cpu, Op::Split, region, || {
            last = call(cpu, pair);
            if last.status().is_error() { Err(last.status()) } else { Ok(()) }
        });
        if demoted.is_ok() {
            self.demoted(cpu, region);
        } else {
            env.host.free_pair(cpu, pair);
        }
        Ok(last)
    }

    fn demoted(&self, cpu: &P::Cpu, region: Region) {
        let pages = PAGES_PER_REGION as u32;
        if let Err(found) = self.step(cpu, region, ABSENT, pages) {
            below_zero::<P>(cpu, region, found, 0);
        }
    }

    fn promoted(&self, cpu: &P::Cpu, region: Region) {
        let pages = PAGES_PER_REGION as u32;
        if let Err(found) = self.step(cpu, region, pages, ABSENT) {
            below_zero::<P>(cpu, region, found, pages);
        }
    }

    fn before_2m(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Result<(), PamtError> {
        self.evict(cpu, env, region);
        Ok(())
    }

    fn quiesce(&self, cpu: &P::Cpu, env: &Env<'_, P>) -> Result<(), PamtError> {
        self.drain(cpu, env);
        let parked = Until::eq(u64::from(PARKED));
        let (mut from, mut outcome) = (0, Ok(()));
        while let Some(found) = self.words.scan(cpu, from..self.words.len(), 1, parked) {
            if let Last::Kept(status) = self.evict(cpu, env, Region(found as u32)) {
                outcome = Err(PamtError::Module(status));
            }
            from = found + 1;
        }
        outcome
    }

    fn peek_refcount(&self, cpu: &P::Cpu, region: Region) -> Option<u64> {
        let word = self.words.peek(cpu, region.0 as usize);
        Some(u64::from(if word < PARKED { word } else { 0 }))
    }

    fn memory_bytes(&self) -> u64 {
        let words = (self.words.len() + self.ring.len()) as u64;
        4 * words + 64 * self.cursors.len() as u64 + self.on_busy.bytes()
    }
}
