//! No lock: the refcount of a region is a state machine, and each step of it is one LOCK XADD.
//!
//! A word holds a count of pages and two flags:
//!
//! | flags | count | state |
//! |---|---|---|
//! | none | 0 | *absent*: no pair |
//! | none | n | absent, and n pages wait for the pair |
//! | `PRESENT` | n | the pair is in place for n pages |
//! | `PRESENT` | 0 | *parked*: the pair is in place, no page in use |
//! | `TRANSIT` | n | one CPU is in PAMT.ADD or PAMT.REMOVE for this region; n pages wait for it |
//!
//! A get adds its pages first and looks then: if the pair was there, it stays, because only a count of 0
//! lets it go, and the get is over after one RMW. Upstream's `atomic_inc_not_zero()` loads first, so that
//! a line that another CPU holds crosses twice, and its CAS fails whenever somebody is faster. A put
//! takes its pages off; if none is left it moves the word by CAS from parked to *transit*, unless
//! somebody has come back in between, and does the PAMT.REMOVE. A get that finds neither pair nor
//! transit moves the word to transit, by CAS, and does the PAMT.ADD; others wait for the end of it, their
//! pages counted already. So only callers of the same region ever wait for each other, a run of pages
//! costs one RMW, and no pair is taken for nothing except by a CPU that loses the race for *transit*.
//!
//! # Parking
//! With [`Parking`], the last put leaves the word parked and enters the region into the ring of its CPU;
//! only when the region leaves the ring its pair is removed, unless somebody has got it back. That
//! takes out the thrash of a region whose count moves between 1 and 0, and bounds how many pairs (and
//! 2M regions that cannot be mapped as such) are kept. Rings are drained when a TD goes and at quiesce.
//!
//! A PAMT.REMOVE that fails leaves its region parked. So a put never fails; the next get finds the
//! pair, or quiesce removes it.

use super::busy::OnBusy;
use super::parking::Parking;
use super::steps;
use super::{DemoteCall, Env, PamtCache, PamtError, Strategy};
use crate::locks::Attempt;
use crate::measure::{
    Chronicle, LockClass, LockClassId, LockKind, LockStep, Observation, Op, Violation,
    ViolationKind,
};
use crate::module::{Regs, Status};
use crate::platform::{Ordering, Place, Platform, Section, Until, Words};
use crate::registry::StrategyParams;
use crate::units::{PAGES_PER_REGION, Pfn, Region};

const ABSENT: u32 = 0;
/// The module has a pair for the region, and it stays while the count is not 0.
const PRESENT: u32 = 1 << 29;
/// A CPU is in PAMT.ADD or PAMT.REMOVE.
const TRANSIT: u32 = 1 << 30;
const COUNT: u32 = PRESENT - 1;
/// The word of a region that holds a pair for no page.
const PARKED: u32 = PRESENT;

pub(super) struct StateWord<P: Platform> {
    words: P::Words<u32>,
    /// Transitions are reported as a lock a region, so that waits compare with those of real locks.
    class: LockClassId,
    on_busy: OnBusy<P>,
    parking: Parking<P>,
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
        let words = Place::packed("pamt_refcounts", params.regions).home(params.home);
        Self {
            words: P::words(build, words),
            class: P::lock_class(build, class),
            on_busy,
            parking: Parking::new(build, park),
        }
    }

    /// Adds `by` to the word, in the sense of two's complement; returns what it was.
    fn add(&self, cpu: &P::Cpu, region: Region, by: u32) -> u32 {
        let old = self.words.fetch_add(cpu, region.0 as usize, by, Ordering::AcqRel);
        let new = old.wrapping_add(by);
        if (old ^ new) & COUNT != 0 {
            let counts = Chronicle::Refcount(old & COUNT, new & COUNT);
            P::observe(cpu, Observation::Chronicle(region, counts));
        }
        old
    }

    fn attempt<'a>(&self, cpu: &'a P::Cpu, region: Region) -> Attempt<'a, P> {
        Attempt::new(cpu, self.class, region.0 as usize, false, region)
    }

    /// From `seen` without a pair to transit with the same count, or from parked to transit; preemption
    /// stays off until [`Self::leave_transit`].
    ///
    /// # Errors
    /// The word, if it was another.
    fn enter_transit(&self, cpu: &P::Cpu, region: Region, seen: u32) -> Result<(), u32> {
        P::enter(cpu, Section::PreemptOff);
        let attempt = self.attempt(cpu, region);
        attempt.report(LockStep::Request);
        let (to, order) = (seen & COUNT | TRANSIT, (Ordering::AcqRel, Ordering::Acquire));
        let outcome =
            self.words.compare_exchange(cpu, region.0 as usize, seen, to, order.0, order.1);
        if outcome.is_ok() {
            attempt.report(LockStep::Acquired);
        } else {
            attempt.report(LockStep::Abandoned);
            P::leave(cpu, Section::PreemptOff);
        }
        outcome.map(|_| ())
    }

    /// From transit to a word with the flags `to`; pages that wait stay counted.
    fn leave_transit(&self, cpu: &P::Cpu, region: Region, to: u32) {
        self.attempt(cpu, region).report(LockStep::Released);
        self.add(cpu, region, to.wrapping_sub(TRANSIT));
        P::leave(cpu, Section::PreemptOff);
    }

    /// Waits until the CPU in transit is through.
    fn wait(&self, cpu: &P::Cpu, region: Region) -> u32 {
        let attempt = self.attempt(cpu, region);
        attempt.report(LockStep::Request);
        attempt.contended(false);
        let over = Until::bits_eq(u64::from(TRANSIT), 0);
        let word = self.words.spin_until(cpu, region.0 as usize, over, Ordering::Acquire);
        attempt.report(LockStep::Acquired);
        attempt.report(LockStep::Released);
        word
    }

    fn get_pages(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        pages: u32,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let old = self.add(cpu, region, pages);
        if old & PRESENT != 0 {
            return Ok(());
        }
        let got = self.get_slow(cpu, env, region, old.wrapping_add(pages), cache);
        if got.is_err() {
            self.put_pages(cpu, env, region, pages);
        }
        got
    }

    /// The pages are counted, but `word` had no pair.
    fn get_slow(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        mut word: u32,
        mut cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let mut pair = None;
        while word & PRESENT == 0 {
            if word & TRANSIT != 0 {
                word = steps::span::<P, _>(cpu, Op::PamtGetSlow, || self.wait(cpu, region));
                continue;
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
            if let Err(found) = self.enter_transit(cpu, region, word) {
                word = found;
                continue;
            }
            let added = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
                let add = || steps::add(cpu, env, region, ready);
                let added = self.on_busy.call(cpu, Op::PamtGet, region, add);
                self.leave_transit(cpu, region, if added.is_ok() { PRESENT } else { ABSENT });
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

    fn put_pages(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region, pages: u32) {
        let old = self.add(cpu, region, pages.wrapping_neg());
        if old & COUNT < pages {
            // Undone, so that one surplus put is one violation and not a region lost for good.
            self.add(cpu, region, pages);
            return out_of_range::<P>(cpu, region, old, pages);
        }
        if old != PRESENT + pages {
            return;
        }
        // What the module does not give back stays parked, for the next get or for quiesce.
        let _kept = if self.parking.is_off() {
            self.remove_parked(cpu, env, region)
        } else {
            let oldest = self.parking.push(cpu, region);
            oldest.map_or(Ok(()), |region| self.evict(cpu, env, region))
        };
    }

    /// Removes the pair of `region` if it is parked, without taking the line of one that is not.
    fn evict(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Result<(), Status> {
        if self.words.load(cpu, region.0 as usize, Ordering::SeqCst) != PARKED {
            return Ok(());
        }
        self.remove_parked(cpu, env, region)
    }

    /// From parked through transit to absent, unless somebody has come back.
    fn remove_parked(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Result<(), Status> {
        if self.enter_transit(cpu, region, PARKED).is_err() {
            return Ok(());
        }
        let removed = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
            let remove = || steps::remove(cpu, env, region);
            let removed = self.on_busy.call(cpu, Op::PamtPut, region, remove);
            self.leave_transit(cpu, region, if removed.is_ok() { ABSENT } else { PRESENT });
            removed
        });
        removed.map(|pair| steps::free(cpu, env, pair))
    }

    /// Empties all rings.
    fn drain(&self, cpu: &P::Cpu, env: &Env<'_, P>) {
        self.parking.drain(cpu, |region| {
            // As in a put.
            let _kept = self.evict(cpu, env, region);
        });
    }

    /// Moves the word from one state to another that no get or put leads to.
    fn convert(&self, cpu: &P::Cpu, region: Region, from: u32, to: u32) {
        let found = self.add(cpu, region, to.wrapping_sub(from));
        if found != from {
            out_of_range::<P>(cpu, region, found, from & COUNT);
        }
    }
}

fn out_of_range<P: Platform>(cpu: &P::Cpu, region: Region, word: u32, pages: u32) {
    let detail = format!("{pages} pages of region {region} were to go, its state was {word:#x}");
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
        steps::put_span::<P, _>(cpu, first, || self.put_pages(cpu, env, region, pages));
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
        self.convert(cpu, region, ABSENT, PRESENT + PAGES_PER_REGION as u32);
    }

    fn promoted(&self, cpu: &P::Cpu, region: Region) {
        self.convert(cpu, region, PRESENT + PAGES_PER_REGION as u32, ABSENT);
    }

    fn before_2m(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Result<(), PamtError> {
        self.evict(cpu, env, region).map_err(PamtError::Module)
    }

    fn quiesce(&self, cpu: &P::Cpu, env: &Env<'_, P>) -> Result<(), PamtError> {
        self.drain(cpu, env);
        let parked = Until::eq(u64::from(PARKED));
        let (mut from, mut outcome) = (0, Ok(()));
        while let Some(found) = self.words.scan(cpu, from..self.words.len(), 1, parked) {
            if let Err(status) = self.evict(cpu, env, Region(found as u32)) {
                outcome = Err(PamtError::Module(status));
            }
            from = found + 1;
        }
        outcome
    }

    fn peek_refcount(&self, cpu: &P::Cpu, region: Region) -> Option<u64> {
        Some(u64::from(self.words.peek(cpu, region.0 as usize) & COUNT))
    }

    fn memory_bytes(&self) -> u64 {
        4 * self.words.len() as u64 + self.parking.bytes() + self.on_busy.bytes()
    }
}
