//! Regions that keep their pair for a while after their last page went: a small ring a CPU.
//!
//! A CPU that takes the last page of a region puts the region into its ring, and the one that has been
//! there longest must go. A region that is in the ring already is not entered again: else a page that
//! comes and goes alone in its region would push out its own entry. So at most `slots` pairs a CPU are
//! kept without a page.
//!
//! A mask of CPUs whose ring holds something lets [`Parking::drain`] pass by all others. The owner
//! enters its region before it looks at the mask, and who drains clears the mask before looking at the
//! rings, so that one of the two sees the other. A ring and its cursor are the owner's; only a drain
//! takes from another's ring, by an exchange.

use crate::platform::{Home, Ordering, Place, Platform, Words};
use crate::units::Region;

/// Words of a line.
const LINE_WORDS: usize = 16;
/// CPUs of a word of the mask.
const MASK_CPUS: usize = 64;

pub(super) struct Parking<P: Platform> {
    /// Region + 1, or 0; the slots of a CPU begin on a line.
    ring: P::Words<u32>,
    /// Where each CPU enters its next region.
    cursors: P::Words<u32>,
    /// CPUs whose ring may hold a region.
    occupied: P::Words<u64>,
    slots: usize,
}

impl<P: Platform> Parking<P> {
    /// `slots` regions a CPU; with none, nothing is ever parked.
    pub(super) fn new(build: &mut P::Build, slots: usize) -> Self {
        let cpus = if slots == 0 { 0 } else { P::cpu_count(build) };
        let record = slots.next_multiple_of(LINE_WORDS);
        let ring = Place::packed("pamt_parked", cpus * record)
            .record(record as u32 * 4, &[])
            .home(Home::PerCpu);
        let cursors = Place::padded("pamt_parked_cursor", cpus).home(Home::PerCpu).private();
        let occupied = Place::packed("pamt_parked_cpus", cpus.div_ceil(MASK_CPUS));
        Self {
            ring: P::words(build, ring),
            cursors: P::words(build, cursors),
            occupied: P::words(build, occupied),
            slots,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.slots == 0
    }

    fn base(&self, cpu: usize) -> usize {
        cpu * self.slots.next_multiple_of(LINE_WORDS)
    }

    /// Enters `region` into this CPU's ring; returns the region that must go for it.
    pub(super) fn push(&self, cpu: &P::Cpu, region: Region) -> Option<Region> {
        let mine = usize::from(P::cpu(cpu).0);
        let (base, entry) = (self.base(mine), region.0 + 1);
        let mut slots = base..base + self.slots;
        if slots.any(|slot| self.ring.load(cpu, slot, Ordering::Relaxed) == entry) {
            return None;
        }
        let cursor = self.cursors.load(cpu, mine, Ordering::Relaxed) as usize;
        let next = (cursor + 1) % self.slots;
        self.cursors.store(cpu, mine, next as u32, Ordering::Relaxed);
        let oldest = self.ring.swap(cpu, base + cursor, entry, Ordering::SeqCst);
        let (word, bit) = (mine / MASK_CPUS, 1 << (mine % MASK_CPUS));
        if self.occupied.load(cpu, word, Ordering::SeqCst) & bit == 0 {
            self.occupied.fetch_or(cpu, word, bit, Ordering::SeqCst);
        }
        oldest.checked_sub(1).map(Region)
    }

    /// Empties all rings into `evict`.
    pub(super) fn drain(&self, cpu: &P::Cpu, mut evict: impl FnMut(Region)) {
        for word in 0..self.occupied.len() {
            let mut cpus = self.occupied.load(cpu, word, Ordering::SeqCst);
            if cpus == 0 {
                continue;
            }
            cpus = self.occupied.swap(cpu, word, 0, Ordering::SeqCst);
            while cpus != 0 {
                let of = word * MASK_CPUS + cpus.trailing_zeros() as usize;
                cpus &= cpus - 1;
                self.empty(cpu, of, &mut evict);
            }
        }
    }

    fn empty(&self, cpu: &P::Cpu, of: usize, evict: &mut impl FnMut(Region)) {
        for slot in self.base(of)..self.base(of) + self.slots {
            if self.ring.load(cpu, slot, Ordering::SeqCst) > 0 {
                let entry = self.ring.swap(cpu, slot, 0, Ordering::SeqCst);
                if let Some(region) = entry.checked_sub(1) {
                    evict(Region(region));
                }
            }
        }
    }

    /// Bytes of rings, cursors and mask.
    pub(super) fn bytes(&self) -> u64 {
        4 * self.ring.len() as u64 + 64 * self.cursors.len() as u64 + 8 * self.occupied.len() as u64
    }
}
