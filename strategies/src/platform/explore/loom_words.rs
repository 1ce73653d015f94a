//! Words under loom.

use core::marker::PhantomData;
use core::ops::Range;
use std::sync::Arc;

use super::loom_array::{Array, Cells};
use super::{BOUNDED_READS, ExploreBuild, ExploreCpu, Explorer, explored_platform};
use crate::measure::{LockClass, LockClassId, Observation};
use crate::platform::{
    ActorBody, BulkKind, Ordering, Place, Platform, Stream, Until, Wake, Word, Words,
};
use crate::units::{Clock, CpuId, Cycles, NodeId};

/// The world of the loom explorer.
pub enum Loom {}

explored_platform!(Loom, LoomWords);

impl Explorer for Loom {
    type Thread = loom::thread::JoinHandle<()>;

    fn spawn(body: Box<dyn FnOnce() + Send>) -> Self::Thread {
        loom::thread::spawn(body)
    }

    fn join(thread: Self::Thread) {
        // A panic of the thread has ended the execution already.
        let _ = thread.join();
    }

    fn yield_now() {
        loom::thread::yield_now();
    }
}

/// An array of words of the loom world.
pub struct LoomWords<W> {
    array: Arc<Array>,
    word: PhantomData<W>,
}

impl<W> Clone for LoomWords<W> {
    fn clone(&self) -> Self {
        Self { array: Arc::clone(&self.array), word: PhantomData }
    }
}

/// Calls the same method of whichever atomic it is, or `$plain` on the plain value.
macro_rules! on_cell {
    ($self:expr, $i:expr, $a:ident => $call:expr, $plain:expr) => {
        match $self.array.cells() {
            Some(Cells::Half(cells)) => {
                let $a = &cells[$i];
                W::from_u64(u64::from($call))
            }
            Some(Cells::Single(cells)) => {
                let $a = &cells[$i];
                W::from_u64(u64::from($call))
            }
            Some(Cells::Double(cells)) => {
                let $a = &cells[$i];
                W::from_u64($call)
            }
            Some(Cells::Long(_)) | None => $self.step($i, $plain),
        }
    };
}

impl<W: Word> LoomWords<W> {
    fn new(build: &mut ExploreBuild<Loom>, len: usize) -> Self {
        let array = Arc::new(Array::new(len, Arc::clone(&build.racing)));
        let racer = Arc::clone(&array);
        build.before_race.push(Box::new(move || racer.ready(W::BYTES)));
        Self { array, word: PhantomData }
    }

    /// The plain values of this range, in one step; `None` where each word is an atomic.
    fn plain<T>(&self, range: Range<usize>, access: impl FnOnce(&mut [u64]) -> T) -> Option<T> {
        match self.array.cells() {
            Some(Cells::Long(gate)) => {
                gate.fetch_add(1, Ordering::AcqRel);
            }
            Some(_) => return None,
            None => {}
        }
        Some(self.array.plain(range, access))
    }

    /// Changes a plain word; the old value.
    fn step(&self, i: usize, change: impl FnOnce(u64) -> u64) -> W {
        let old = self.plain(i..i + 1, |words| {
            let old = W::from_u64(words[0]);
            words[0] = W::from_u64(change(old.to_u64())).to_u64();
            old
        });
        old.expect("only plain words are stepped through")
    }

    fn get(&self, i: usize, order: Ordering) -> W {
        on_cell!(self, i, a => a.load(order), |old| old)
    }

    fn set(&self, i: usize, value: W, order: Ordering) {
        let value = value.to_u64();
        match self.array.cells() {
            Some(Cells::Half(cells)) => cells[i].store(value as u16, order),
            Some(Cells::Single(cells)) => cells[i].store(value as u32, order),
            Some(Cells::Double(cells)) => cells[i].store(value, order),
            Some(Cells::Long(_)) | None => {
                self.step(i, |_| value);
            }
        }
    }

    fn exchange(&self, i: usize, pair: (u64, u64), orders: (Ordering, Ordering)) -> Result<W, W> {
        let (current, new) = pair;
        let wide = match self.array.cells() {
            Some(Cells::Half(cells)) => cells[i]
                .compare_exchange(current as u16, new as u16, orders.0, orders.1)
                .map(u64::from)
                .map_err(u64::from),
            Some(Cells::Single(cells)) => cells[i]
                .compare_exchange(current as u32, new as u32, orders.0, orders.1)
                .map(u64::from)
                .map_err(u64::from),
            Some(Cells::Double(cells)) => {
                cells[i].compare_exchange(current, new, orders.0, orders.1)
            }
            Some(Cells::Long(_)) | None => {
                let old = self.step(i, |old| if old == current { new } else { old });
                if old.to_u64() == current { Ok(current) } else { Err(old.to_u64()) }
            }
        };
        wide.map(W::from_u64).map_err(W::from_u64)
    }

    /// Changes a part of a word by a compare-and-swap of the whole; the old value of the part.
    fn part(
        &self,
        i: usize,
        shift: u32,
        mask: u64,
        order: Ordering,
        change: impl Fn(u64) -> u64,
    ) -> u64 {
        // A compare-and-swap reads the newest value; a load might return an older one and only
        // multiply the executions.
        let relaxed = (Ordering::Relaxed, Ordering::Relaxed);
        let mut seen = self.exchange(i, (0, 0), relaxed).unwrap_or_else(|found| found).to_u64();
        loop {
            let part = seen >> shift & mask;
            let new = seen & !(mask << shift) | (change(part) & mask) << shift;
            match self.exchange(i, (seen, new), (order, Ordering::Relaxed)) {
                Ok(_) => return part,
                Err(found) => seen = found.to_u64(),
            }
        }
    }
}

impl<W: Word> Words<Loom, W> for LoomWords<W> {
    fn len(&self) -> usize {
        self.array.len()
    }

    fn load(&self, _cpu: &ExploreCpu<Loom>, i: usize, order: Ordering) -> W {
        self.get(i, order)
    }

    fn store(&self, _cpu: &ExploreCpu<Loom>, i: usize, value: W, order: Ordering) {
        self.set(i, value, order);
    }

    fn swap(&self, _cpu: &ExploreCpu<Loom>, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self, i, a => a.swap(value.to_u64() as _, order), |_| value.to_u64())
    }

    fn compare_exchange(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        current: W,
        new: W,
        success: Ordering,
        failure: Ordering,
    ) -> Result<W, W> {
        self.exchange(i, (current.to_u64(), new.to_u64()), (success, failure))
    }

    fn fetch_add(&self, _cpu: &ExploreCpu<Loom>, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self, i, a => a.fetch_add(value.to_u64() as _, order), |old| old.wrapping_add(value.to_u64()))
    }

    fn fetch_sub(&self, _cpu: &ExploreCpu<Loom>, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self, i, a => a.fetch_sub(value.to_u64() as _, order), |old| old.wrapping_sub(value.to_u64()))
    }

    fn fetch_or(&self, _cpu: &ExploreCpu<Loom>, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self, i, a => a.fetch_or(value.to_u64() as _, order), |old| old | value.to_u64())
    }

    fn fetch_and(&self, _cpu: &ExploreCpu<Loom>, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self, i, a => a.fetch_and(value.to_u64() as _, order), |old| old & value.to_u64())
    }

    fn store_u8_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        byte: u32,
        value: u8,
        order: Ordering,
    ) {
        self.part(i, 8 * byte, 0xff, order, |_| value.into());
    }

    fn store_u16_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) {
        self.part(i, 16 * half, 0xffff, order, |_| value.into());
    }

    fn swap_u16_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, order, |_| value.into()) as u16
    }

    fn compare_exchange_u16_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        order: Ordering,
    ) -> Result<u16, u16> {
        let wanted = u64::from(current);
        let change = |old| if old == wanted { u64::from(new) } else { old };
        let old = self.part(i, 16 * half, 0xffff, order, change) as u16;
        if old == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add_u16_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, order, |old| old.wrapping_add(value.into())) as u16
    }

    fn fetch_or_u16_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, order, |old| old | u64::from(value)) as u16
    }

    fn fetch_and_u16_at(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16 {
        self.part(i, 16 * half, 0xffff, order, |old| old & u64::from(value)) as u16
    }

    fn bts(&self, cpu: &ExploreCpu<Loom>, i: usize, bit: u32, order: Ordering) -> bool {
        self.fetch_or(cpu, i, W::from_u64(1 << bit), order).to_u64() >> bit & 1 == 1
    }

    fn btr(&self, cpu: &ExploreCpu<Loom>, i: usize, bit: u32, order: Ordering) -> bool {
        self.fetch_and(cpu, i, W::from_u64(!(1 << bit)), order).to_u64() >> bit & 1 == 1
    }

    fn touch_16b(&self, _cpu: &ExploreCpu<Loom>, _i: usize) {}

    fn prefetchw(&self, _cpu: &ExploreCpu<Loom>, _i: usize) {}

    fn spin_until(&self, _cpu: &ExploreCpu<Loom>, i: usize, until: Until, order: Ordering) -> W {
        loop {
            let found = self.get(i, order);
            if until.holds(found.to_u64()) {
                return found;
            }
            Loom::yield_now();
        }
    }

    fn spin_until_for(
        &self,
        _cpu: &ExploreCpu<Loom>,
        i: usize,
        until: Until,
        reads: u32,
        order: Ordering,
    ) -> Result<W, W> {
        let mut found = self.get(i, order);
        for _ in 1..reads.min(BOUNDED_READS) {
            if until.holds(found.to_u64()) {
                break;
            }
            Loom::yield_now();
            found = self.get(i, order);
        }
        if until.holds(found.to_u64()) { Ok(found) } else { Err(found) }
    }

    fn fill(
        &self,
        _cpu: &ExploreCpu<Loom>,
        range: Range<usize>,
        value: W,
        _kind: BulkKind,
        _home: Option<NodeId>,
    ) {
        if self.plain(range.clone(), |words| words.fill(value.to_u64())).is_none() {
            range.for_each(|i| self.set(i, value, Ordering::Relaxed));
        }
    }

    fn scan(
        &self,
        _cpu: &ExploreCpu<Loom>,
        range: Range<usize>,
        step: usize,
        until: Until,
    ) -> Option<usize> {
        let holds = |word: u64| until.holds(word);
        let first = range.start;
        let found = |words: &mut [u64]| {
            (0..words.len()).step_by(step).find(|i| holds(words[*i])).map(|i| first + i)
        };
        self.plain(range.clone(), found).unwrap_or_else(|| {
            range.step_by(step).find(|i| holds(self.get(*i, Ordering::Acquire).to_u64()))
        })
    }

    fn poke(&self, _build: &mut ExploreBuild<Loom>, i: usize, value: W) {
        self.set(i, value, Ordering::Relaxed);
    }

    fn peek(&self, _cpu: &ExploreCpu<Loom>, i: usize) -> W {
        let relaxed = (Ordering::Relaxed, Ordering::Relaxed);
        self.exchange(i, (0, 0), relaxed).unwrap_or_else(|found| found)
    }
}
