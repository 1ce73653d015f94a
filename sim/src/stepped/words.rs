//! Words of the stepped world: plain values, one step an access.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Std};

use pamt_strategies::platform::{BulkKind, Ordering, Until, Word, Words};
use pamt_strategies::units::NodeId;

use super::{StepAccess, StepKind, Stepped, SteppedBuild, SteppedCpu};

/// An array of words. Only one coroutine runs at a time, so a load and a store make an atomic update.
pub struct SteppedWords<W> {
    array: u32,
    cells: Arc<[AtomicU64]>,
    word: PhantomData<fn() -> W>,
}

impl<W> Clone for SteppedWords<W> {
    fn clone(&self) -> Self {
        Self { array: self.array, cells: Arc::clone(&self.cells), word: PhantomData }
    }
}

impl<W: Word> SteppedWords<W> {
    pub(super) fn new(array: u32, len: usize) -> Self {
        let cells = (0..len).map(|_| AtomicU64::new(0)).collect();
        Self { array, cells, word: PhantomData }
    }

    fn get(&self, i: usize) -> W {
        W::from_u64(self.cells[i].load(Std::Relaxed))
    }

    fn set(&self, i: usize, value: W) {
        self.cells[i].store(value.to_u64(), Std::Relaxed);
    }

    fn step(&self, cpu: &SteppedCpu, range: Range<usize>, kind: StepKind) {
        let words = range.len();
        cpu.step(StepAccess { array: self.array, word: range.start, words, kind });
    }

    fn read(&self, cpu: &SteppedCpu, i: usize) -> W {
        self.step(cpu, i..i + 1, StepKind::Load);
        self.get(i)
    }

    fn update(&self, cpu: &SteppedCpu, i: usize, f: impl FnOnce(u64) -> u64) -> W {
        self.change(cpu, i, StepKind::Locked, f)
    }

    fn change(&self, cpu: &SteppedCpu, i: usize, kind: StepKind, f: impl FnOnce(u64) -> u64) -> W {
        self.step(cpu, i..i + 1, kind);
        let old = self.get(i);
        self.set(i, W::from_u64(f(old.to_u64())));
        old
    }

    /// A locked instruction on 16-bit part `half`; returns what it was.
    fn update_half(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        half: u32,
        f: impl FnOnce(u16) -> u16,
    ) -> u16 {
        let part = |word: u64| (word >> (16 * half)) as u16;
        let new = |word| replace(word, 16 * half, 0xffff, f(part(word)).into());
        part(self.update(cpu, i, new).to_u64())
    }
}

/// `word` with the bits of `mask` at `shift` replaced.
const fn replace(word: u64, shift: u32, mask: u64, value: u64) -> u64 {
    word & !(mask << shift) | value << shift
}

impl<W: Word> Words<Stepped, W> for SteppedWords<W> {
    fn len(&self) -> usize {
        self.cells.len()
    }

    fn load(&self, cpu: &SteppedCpu, i: usize, _order: Ordering) -> W {
        self.read(cpu, i)
    }

    fn store(&self, cpu: &SteppedCpu, i: usize, value: W, _order: Ordering) {
        self.change(cpu, i, StepKind::Store, |_| value.to_u64());
    }

    fn swap(&self, cpu: &SteppedCpu, i: usize, value: W, _order: Ordering) -> W {
        self.update(cpu, i, |_| value.to_u64())
    }

    fn compare_exchange(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        current: W,
        new: W,
        _success: Ordering,
        _failure: Ordering,
    ) -> Result<W, W> {
        let current = current.to_u64();
        let old = self.update(cpu, i, |old| if old == current { new.to_u64() } else { old });
        if old.to_u64() == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add(&self, cpu: &SteppedCpu, i: usize, value: W, _order: Ordering) -> W {
        self.update(cpu, i, |old| old.wrapping_add(value.to_u64()))
    }

    fn fetch_sub(&self, cpu: &SteppedCpu, i: usize, value: W, _order: Ordering) -> W {
        self.update(cpu, i, |old| old.wrapping_sub(value.to_u64()))
    }

    fn fetch_or(&self, cpu: &SteppedCpu, i: usize, value: W, _order: Ordering) -> W {
        self.update(cpu, i, |old| old | value.to_u64())
    }

    fn fetch_and(&self, cpu: &SteppedCpu, i: usize, value: W, _order: Ordering) -> W {
        self.update(cpu, i, |old| old & value.to_u64())
    }

    fn store_u8_at(&self, cpu: &SteppedCpu, i: usize, byte: u32, value: u8, _order: Ordering) {
        self.change(cpu, i, StepKind::Store, |old| replace(old, 8 * byte, 0xff, value.into()));
    }

    fn store_u16_at(&self, cpu: &SteppedCpu, i: usize, half: u32, value: u16, _order: Ordering) {
        self.change(cpu, i, StepKind::Store, |old| replace(old, 16 * half, 0xffff, value.into()));
    }

    fn swap_u16_at(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.update_half(cpu, i, half, |_| value)
    }

    fn compare_exchange_u16_at(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        _order: Ordering,
    ) -> Result<u16, u16> {
        let old = self.update_half(cpu, i, half, |old| if old == current { new } else { old });
        if old == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add_u16_at(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.update_half(cpu, i, half, |old| old.wrapping_add(value))
    }

    fn fetch_or_u16_at(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.update_half(cpu, i, half, |old| old | value)
    }

    fn fetch_and_u16_at(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.update_half(cpu, i, half, |old| old & value)
    }

    fn bts(&self, cpu: &SteppedCpu, i: usize, bit: u32, _order: Ordering) -> bool {
        self.update(cpu, i, |old| old | 1 << bit).to_u64() >> bit & 1 == 1
    }

    fn btr(&self, cpu: &SteppedCpu, i: usize, bit: u32, _order: Ordering) -> bool {
        self.update(cpu, i, |old| old & !(1 << bit)).to_u64() >> bit & 1 == 1
    }

    fn touch_16b(&self, cpu: &SteppedCpu, i: usize) {
        self.update(cpu, i, |old| old);
    }

    fn prefetchw(&self, _cpu: &SteppedCpu, _i: usize) {}

    fn spin_until(&self, cpu: &SteppedCpu, i: usize, until: Until, _order: Ordering) -> W {
        loop {
            let value = self.read(cpu, i);
            if until.holds(value.to_u64()) {
                return value;
            }
        }
    }

    fn spin_until_for(
        &self,
        cpu: &SteppedCpu,
        i: usize,
        until: Until,
        reads: u32,
        _order: Ordering,
    ) -> Result<W, W> {
        let mut value = self.read(cpu, i);
        for _ in 1..reads {
            if until.holds(value.to_u64()) {
                break;
            }
            value = self.read(cpu, i);
        }
        if until.holds(value.to_u64()) { Ok(value) } else { Err(value) }
    }

    fn fill(
        &self,
        cpu: &SteppedCpu,
        range: Range<usize>,
        value: W,
        _kind: BulkKind,
        _home: Option<NodeId>,
    ) {
        self.step(cpu, range.clone(), StepKind::Store);
        range.for_each(|i| self.set(i, value));
    }

    fn scan(
        &self,
        cpu: &SteppedCpu,
        range: Range<usize>,
        step: usize,
        until: Until,
    ) -> Option<usize> {
        self.step(cpu, range.clone(), StepKind::Load);
        range.step_by(step).find(|i| until.holds(self.get(*i).to_u64()))
    }

    fn peek(&self, _cpu: &SteppedCpu, i: usize) -> W {
        self.get(i)
    }

    fn poke(&self, _build: &mut SteppedBuild, i: usize, value: W) {
        self.set(i, value);
    }
}
