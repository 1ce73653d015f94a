//! The kernel's `pamt_refcounts`: an `atomic_t` for each 2 MiB region, 16 to a line.

use crate::locks::{Held, Lock};
use crate::measure::{Chronicle, Observation, Op, Violation, ViolationKind};
use crate::platform::{Home, Ordering, Place, Platform, Words};
use crate::units::{PAGES_PER_REGION, Region};

/// Bits that count; the sign bit may be a bit spin lock.
const COUNT: u32 = 0x7fff_ffff;

pub(super) struct Refcounts<P: Platform> {
    words: P::Words<u32>,
    /// Others change bit 31 of a word at any time, so that a count may not be set by a plain store.
    has_lock_bit: bool,
}

impl<P: Platform> Refcounts<P> {
    pub(super) fn new(build: &mut P::Build, regions: usize, home: Home) -> Self {
        let place = Place::packed("pamt_refcounts", regions).home(home);
        Self { words: P::words(build, place), has_lock_bit: false }
    }

    /// The array, for a lock in the sign bit of each count.
    pub(super) fn share_with_lock_bit(&mut self) -> P::Words<u32> {
        self.has_lock_bit = true;
        self.words.clone()
    }

    pub(super) fn read(&self, cpu: &P::Cpu, region: Region) -> u32 {
        self.words.load(cpu, region.0 as usize, Ordering::Relaxed) & COUNT
    }

    pub(super) fn peek(&self, cpu: &P::Cpu, region: Region) -> u64 {
        u64::from(self.words.peek(cpu, region.0 as usize) & COUNT)
    }

    /// `atomic_inc_not_zero()`.
    pub(super) fn inc_not_zero(&self, cpu: &P::Cpu, region: Region) -> bool {
        self.change_unless(cpu, region, 0, 1)
    }

    /// `atomic_add_unless(-1, 1)`.
    pub(super) fn dec_not_one(&self, cpu: &P::Cpu, region: Region) -> bool {
        self.change_unless(cpu, region, 1, -1)
    }

    fn change_unless(&self, cpu: &P::Cpu, region: Region, unless: u32, by: i32) -> bool {
        let at = region.0 as usize;
        let mut seen = self.words.load(cpu, at, Ordering::Relaxed);
        loop {
            if seen & COUNT == unless {
                return false;
            }
            if seen & COUNT == 0 {
                below_zero::<P>(cpu, region);
                return true;
            }
            let new = seen.wrapping_add_signed(by);
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            match self.words.compare_exchange(cpu, at, seen, new, order.0, order.1) {
                Ok(_) => {
                    changed::<P>(cpu, region, seen & COUNT, new & COUNT);
                    return true;
                }
                Err(found) => seen = found,
            }
        }
    }

    /// `atomic_inc()`.
    pub(super) fn inc(&self, cpu: &P::Cpu, region: Region) {
        let old = self.words.fetch_add(cpu, region.0 as usize, 1, Ordering::AcqRel) & COUNT;
        changed::<P>(cpu, region, old, old + 1);
    }

    /// `atomic_dec_and_test()`.
    pub(super) fn dec_and_test(&self, cpu: &P::Cpu, region: Region) -> bool {
        let at = region.0 as usize;
        let old = self.words.fetch_sub(cpu, at, 1, Ordering::AcqRel) & COUNT;
        if old == 0 {
            // Undone, so that one surplus put is one violation and not a region lost for good.
            self.words.fetch_add(cpu, at, 1, Ordering::AcqRel);
            below_zero::<P>(cpu, region);
            return false;
        }
        changed::<P>(cpu, region, old, old - 1);
        old == 1
    }

    /// `atomic_set()` from `from`, which no one else changes meanwhile.
    pub(super) fn set(&self, cpu: &P::Cpu, region: Region, from: u32, to: u32) {
        let at = region.0 as usize;
        if self.has_lock_bit {
            self.words.fetch_add(cpu, at, to.wrapping_sub(from), Ordering::AcqRel);
        } else {
            self.words.store(cpu, at, to, Ordering::Release);
        }
        changed::<P>(cpu, region, from, to);
    }

    /// `atomic_cmpxchg_release(0, 512)` after a DEMOTE, which upstream warns about when it fails.
    pub(super) fn demoted(&self, cpu: &P::Cpu, region: Region) {
        self.exchange(cpu, region, (0, PAGES_PER_REGION as u32), "DEMOTE");
    }

    /// The way back after a PROMOTE.
    pub(super) fn promoted(&self, cpu: &P::Cpu, region: Region) {
        self.exchange(cpu, region, (PAGES_PER_REGION as u32, 0), "PROMOTE");
    }

    fn exchange(&self, cpu: &P::Cpu, region: Region, (from, to): (u32, u32), leaf: &str) {
        let at = region.0 as usize;
        let order = (Ordering::Release, Ordering::Relaxed);
        let mut seen = from;
        loop {
            let new = seen & !COUNT | to;
            match self.words.compare_exchange(cpu, at, seen, new, order.0, order.1) {
                Ok(_) => return changed::<P>(cpu, region, from, to),
                Err(found) if found & COUNT == from && found != seen => seen = found,
                Err(found) => return unexpected::<P>(cpu, region, leaf, found & COUNT),
            }
        }
    }

    /// `atomic_dec_and_lock()` (`lib/dec_and_lock.c`): drops a reference, and holds the lock if it was
    /// the last. Only then is the lock touched: dropping to 0 happens under it, so that nobody who
    /// holds it ever sees 0 and a pair. The slow part is a span of [`Op::PamtPutSlow`] that the caller
    /// ends when this returns a lock.
    pub(super) fn dec_and_lock<L: Lock<P>>(
        &self,
        cpu: &P::Cpu,
        region: Region,
        lock: &L,
        instance: usize,
    ) -> Option<Held> {
        if self.dec_not_one(cpu, region) {
            return None;
        }
        P::observe(cpu, Observation::Begin(Op::PamtPutSlow));
        let held = lock.acquire(cpu, instance, region);
        if self.dec_and_test(cpu, region) {
            return Some(held);
        }
        lock.release(cpu, held);
        P::observe(cpu, Observation::End(Op::PamtPutSlow));
        None
    }

    pub(super) fn bytes(&self) -> u64 {
        self.words.len() as u64 * 4
    }
}

fn changed<P: Platform>(cpu: &P::Cpu, region: Region, from: u32, to: u32) {
    P::observe(cpu, Observation::Chronicle(region, Chronicle::Refcount(from, to)));
}

fn unexpected<P: Platform>(cpu: &P::Cpu, region: Region, leaf: &str, count: u32) {
    let detail = format!("{leaf} of region {region} succeeded while its refcount was {count}");
    let (kind, region) = (ViolationKind::RefcountRange, Some(region));
    P::observe(cpu, Observation::Violation(Violation { kind, region, detail }));
}

fn below_zero<P: Platform>(cpu: &P::Cpu, region: Region) {
    P::observe(
        cpu,
        Observation::Violation(Violation {
            kind: ViolationKind::RefcountRange,
            region: Some(region),
            detail: format!("a put of region {region} found its refcount at 0"),
        }),
    );
}
