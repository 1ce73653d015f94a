//! Words under shuttle: one scheduling point an operation, then a plain access.

use core::marker::PhantomData;
use core::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use shuttle::sync::atomic::AtomicBool;

use super::{BOUNDED_READS, ExploreBuild, ExploreCpu, Explorer, explored_platform};
use crate::measure::{LockClass, LockClassId, Observation};
use crate::platform::{
    ActorBody, BulkKind, Ordering, Place, Platform, Stream, Until, Wake, Word, Words,
};
use crate::units::{Clock, CpuId, Cycles, NodeId};

/// The world of the shuttle explorer.
pub enum Shuttle {}

explored_platform!(Shuttle, ShuttleWords);

impl Explorer for Shuttle {
    type Thread = shuttle::thread::JoinHandle<()>;

    fn spawn(body: Box<dyn FnOnce() + Send>) -> Self::Thread {
        shuttle::thread::spawn(body)
    }

    fn join(thread: Self::Thread) {
        // A panic of the thread has ended the execution already.
        let _ = thread.join();
    }

    fn yield_now() {
        shuttle::thread::yield_now();
    }
}

struct Array {
    /// Touched before each operation: shuttle switches threads there. The values themselves need no
    /// explorer, because only one thread runs and none switches between two gates.
    gate: AtomicBool,
    values: Mutex<Vec<u64>>,
}

/// An array of words of the shuttle world.
pub struct ShuttleWords<W> {
    array: Arc<Array>,
    word: PhantomData<W>,
}

impl<W> Clone for ShuttleWords<W> {
    fn clone(&self) -> Self {
        Self { array: Arc::clone(&self.array), word: PhantomData }
    }
}

impl<W: Word> ShuttleWords<W> {
    fn new(_build: &mut ExploreBuild<Shuttle>, len: usize) -> Self {
        let array = Array { gate: AtomicBool::new(false), values: Mutex::new(vec![0; len]) };
        Self { array: Arc::new(array), word: PhantomData }
    }

    fn values<T>(&self, access: impl FnOnce(&mut Vec<u64>) -> T) -> T {
        access(&mut self.array.values.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One step: `change` gets the value and returns the new one; the old one is returned.
    fn step(&self, i: usize, change: impl FnOnce(u64) -> u64) -> W {
        self.array.gate.load(Ordering::SeqCst);
        self.values(|values| {
            let old = W::from_u64(values[i]);
            values[i] = W::from_u64(change(old.to_u64())).to_u64();
            old
        })
    }

    fn part(&self, i: usize, shift: u32, mask: u64, change: impl FnOnce(u64) -> u64) -> u64 {
        let old = self.step(i, |word| {
            let new = change(word >> shift & mask) & mask;
            word & !(mask << shift) | new << shift
        });
        old.to_u64() >> shift & mask
    }
}

impl<W: Word> Words<Shuttle, W> for ShuttleWords<W> {
    fn len(&self) -> usize {
        self.values(|values| values.len())
    }

    fn load(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, _order: Ordering) -> W {
        self.step(i, |old| old)
    }

    fn store(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, value: W, _order: Ordering) {
        self.step(i, |_| value.to_u64());
    }

    fn swap(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, value: W, _order: Ordering) -> W {
        let old = self.step(i, |_| value.to_u64());
        if old == value {
            // An exchange that changed nothing: a test-and-set lock waits like this.
            Shuttle::yield_now();
        }
        old
    }

    fn compare_exchange(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        current: W,
        new: W,
        _success: Ordering,
        _failure: Ordering,
    ) -> Result<W, W> {
        let wanted = current.to_u64();
        let old = self.step(i, |old| if old == wanted { new.to_u64() } else { old });
        if old == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, value: W, _order: Ordering) -> W {
        self.step(i, |old| old.wrapping_add(value.to_u64()))
    }

    fn fetch_sub(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, value: W, _order: Ordering) -> W {
        self.step(i, |old| old.wrapping_sub(value.to_u64()))
    }

    fn fetch_or(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, value: W, _order: Ordering) -> W {
        self.step(i, |old| old | value.to_u64())
    }

    fn fetch_and(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, value: W, _order: Ordering) -> W {
        self.step(i, |old| old & value.to_u64())
    }

    fn store_u8_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        byte: u32,
        value: u8,
        _order: Ordering,
    ) {
        self.part(i, 8 * byte, 0xff, |_| value.into());
    }

    fn store_u16_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) {
        self.part(i, 16 * half, 0xffff, |_| value.into());
    }

    fn swap_u16_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, |_| value.into()) as u16
    }

    fn compare_exchange_u16_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        _order: Ordering,
    ) -> Result<u16, u16> {
        let wanted = u64::from(current);
        let change = |old| if old == wanted { u64::from(new) } else { old };
        let old = self.part(i, 16 * half, 0xffff, change) as u16;
        if old == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add_u16_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, |old| old.wrapping_add(value.into())) as u16
    }

    fn fetch_or_u16_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, |old| old | u64::from(value)) as u16
    }

    fn fetch_and_u16_at(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, |old| old & u64::from(value)) as u16
    }

    fn bts(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, bit: u32, _order: Ordering) -> bool {
        self.part(i, bit, 1, |_| 1) == 1
    }

    fn btr(&self, _cpu: &ExploreCpu<Shuttle>, i: usize, bit: u32, _order: Ordering) -> bool {
        self.part(i, bit, 1, |_| 0) == 1
    }

    fn touch_16b(&self, _cpu: &ExploreCpu<Shuttle>, i: usize) {
        self.step(i, |old| old);
    }

    fn prefetchw(&self, _cpu: &ExploreCpu<Shuttle>, _i: usize) {}

    fn spin_until(&self, cpu: &ExploreCpu<Shuttle>, i: usize, until: Until, order: Ordering) -> W {
        loop {
            let found = self.load(cpu, i, order);
            if until.holds(found.to_u64()) {
                return found;
            }
            Shuttle::yield_now();
        }
    }

    fn spin_until_for(
        &self,
        cpu: &ExploreCpu<Shuttle>,
        i: usize,
        until: Until,
        reads: u32,
        order: Ordering,
    ) -> Result<W, W> {
        let mut found = self.load(cpu, i, order);
        for _ in 1..reads.min(BOUNDED_READS) {
            if until.holds(found.to_u64()) {
                break;
            }
            Shuttle::yield_now();
            found = self.load(cpu, i, order);
        }
        if until.holds(found.to_u64()) { Ok(found) } else { Err(found) }
    }

    fn fill(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        range: Range<usize>,
        value: W,
        _kind: BulkKind,
        _home: Option<NodeId>,
    ) {
        self.array.gate.load(Ordering::SeqCst);
        self.values(|values| values[range].fill(value.to_u64()));
    }

    fn scan(
        &self,
        _cpu: &ExploreCpu<Shuttle>,
        range: Range<usize>,
        step: usize,
        until: Until,
    ) -> Option<usize> {
        self.array.gate.load(Ordering::SeqCst);
        self.values(|values| range.step_by(step).find(|i| until.holds(values[*i])))
    }

    fn poke(&self, _build: &mut ExploreBuild<Shuttle>, i: usize, value: W) {
        self.values(|values| values[i] = value.to_u64());
    }

    fn peek(&self, _cpu: &ExploreCpu<Shuttle>, i: usize) -> W {
        W::from_u64(self.values(|values| values[i]))
    }
}
