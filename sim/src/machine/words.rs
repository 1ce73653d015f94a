//! Handles of arrays of words in simulated memory, for any engine that can perform an access.

use core::marker::PhantomData;
use core::ops::Range;

use pamt_strategies::platform::{BulkKind, Ordering, Place, Platform, Sharing, Until, Word, Words};
use pamt_strategies::units::{CpuId, NodeId};

use super::bulk::FillRange;
use super::cpu::At;
use super::memory::Memory;
use super::world::Sim;

/// A world whose words lie in a [`Memory`].
pub(super) trait World: Platform<Cpu: Issue> + Clone {
    /// The memory, before any CPU runs.
    fn memory(build: &mut Self::Build) -> &mut Memory;
}

/// What a CPU does with words; each call returns when the access has taken effect.
pub(super) trait Issue {
    fn id(&self) -> CpuId;
    /// Whether set-up code runs, which may touch the private words of all CPUs.
    fn preparing(&self) -> bool;
    fn object_name(&self, object: u32) -> String;
    fn peek(&self, at: At) -> u64;
    fn load(&self, at: At) -> u64;
    fn store(&self, at: At, value: u64);
    /// A LOCK operation; `change` maps the old value to the new one, or to none to leave it.
    fn locked(&self, at: At, change: impl FnOnce(u64) -> Option<u64>) -> u64;
    fn prefetchw(&self, at: At);
    /// Reads until `until` holds, at most `reads` times: `Ok` when it held.
    fn spin(&self, at: At, until: Until, reads: Option<u32>) -> Result<u64, u64>;
    fn fill(&self, range: FillRange, value: u64, kind: BulkKind);
    fn scan(&self, range: FillRange, step: u64, until: Until) -> Option<u64>;
}

/// Handle of an array of words in simulated memory.
#[derive(Clone, Copy, Debug)]
pub struct SimWords<W, P = Sim> {
    base: u64,
    len: usize,
    stride: u32,
    object: u32,
    /// Words of a CPU's record when the array is private to CPUs, else 0.
    private: u32,
    word: PhantomData<fn() -> (W, P)>,
}

#[expect(private_bounds, reason = "a seam inside this module: nobody else can make a world of it")]
impl<W: Word, P: World> SimWords<W, P> {
    /// Lays out an array.
    pub(super) fn place_in(memory: &mut Memory, place: &Place) -> Self {
        let (object, base, stride) = memory.place(place, W::BYTES);
        let record = if place.record_bytes == 0 { stride } else { place.record_bytes };
        let private = match place.sharing {
            Sharing::Shared => 0,
            Sharing::Private => (record / stride).max(1),
        };
        Self { base, len: place.len, stride, object, private, word: PhantomData }
    }

    #[inline(always)]
    fn at(&self, cpu: &P::Cpu, i: usize) -> At {
        assert!(i < self.len, "word {i} of an array of {}", self.len);
        let private = self.private != 0;
        if private && i / self.private as usize != usize::from(cpu.id().0) {
            self.stranger(cpu, i);
        }
        self.word(i, private)
    }

    #[inline(always)]
    fn word(&self, i: usize, private: bool) -> At {
        let addr = self.base + i as u64 * u64::from(self.stride);
        At { addr, bytes: W::BYTES as u16, object: self.object, private }
    }

    /// A part of a word: `unit` bytes, the `n`-th.
    #[inline(always)]
    fn part(&self, cpu: &P::Cpu, i: usize, unit: u32, n: u32) -> At {
        let at = self.at(cpu, i);
        assert!(unit * (n + 1) <= W::BYTES, "part {n} of {unit} bytes in a word of {}", W::BYTES);
        At { addr: at.addr + u64::from(unit * n), bytes: unit as u16, ..at }
    }

    fn range(&self, cpu: &P::Cpu, range: &Range<usize>, home: Option<NodeId>) -> FillRange {
        assert!(range.start < range.end && range.end <= self.len, "{range:?} of {}", self.len);
        FillRange {
            at: self.at(cpu, range.start),
            stride: u64::from(self.stride),
            words: range.len() as u64,
            home,
        }
    }

    #[cold]
    fn stranger(&self, cpu: &P::Cpu, i: usize) {
        assert!(
            cpu.preparing(),
            "CPU {} touched {}[{i}], which is private to CPU {}; declare the array shared",
            cpu.id(),
            cpu.object_name(self.object),
            i / self.private as usize
        );
    }
}

fn wide<W: Word>(change: impl FnOnce(W) -> W) -> impl FnOnce(u64) -> Option<u64> {
    move |old| Some(change(W::from_u64(old)).to_u64())
}

// `inline`, although generic: else one codegen unit has the code, and the others call it.
impl<P: World, W: Word> Words<P, W> for SimWords<W, P> {
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn load(&self, cpu: &P::Cpu, i: usize, _order: Ordering) -> W {
        W::from_u64(cpu.load(self.at(cpu, i)))
    }

    #[inline]
    fn store(&self, cpu: &P::Cpu, i: usize, value: W, _order: Ordering) {
        cpu.store(self.at(cpu, i), value.to_u64());
    }

    #[inline]
    fn swap(&self, cpu: &P::Cpu, i: usize, value: W, _order: Ordering) -> W {
        W::from_u64(cpu.locked(self.at(cpu, i), |_| Some(value.to_u64())))
    }

    #[inline]
    fn compare_exchange(
        &self,
        cpu: &P::Cpu,
        i: usize,
        current: W,
        new: W,
        _success: Ordering,
        _failure: Ordering,
    ) -> Result<W, W> {
        let change = |old| (old == current.to_u64()).then(|| new.to_u64());
        let old = W::from_u64(cpu.locked(self.at(cpu, i), change));
        if old == current { Ok(old) } else { Err(old) }
    }

    #[inline]
    fn fetch_add(&self, cpu: &P::Cpu, i: usize, value: W, _order: Ordering) -> W {
        let add = wide(|old: W| W::from_u64(old.to_u64().wrapping_add(value.to_u64())));
        W::from_u64(cpu.locked(self.at(cpu, i), add))
    }

    #[inline]
    fn fetch_sub(&self, cpu: &P::Cpu, i: usize, value: W, _order: Ordering) -> W {
        let sub = wide(|old: W| W::from_u64(old.to_u64().wrapping_sub(value.to_u64())));
        W::from_u64(cpu.locked(self.at(cpu, i), sub))
    }

    #[inline]
    fn fetch_or(&self, cpu: &P::Cpu, i: usize, value: W, _order: Ordering) -> W {
        W::from_u64(cpu.locked(self.at(cpu, i), |old| Some(old | value.to_u64())))
    }

    #[inline]
    fn fetch_and(&self, cpu: &P::Cpu, i: usize, value: W, _order: Ordering) -> W {
        W::from_u64(cpu.locked(self.at(cpu, i), |old| Some(old & value.to_u64())))
    }

    #[inline]
    fn store_u8_at(&self, cpu: &P::Cpu, i: usize, byte: u32, value: u8, _order: Ordering) {
        cpu.store(self.part(cpu, i, 1, byte), value.into());
    }

    #[inline]
    fn store_u16_at(&self, cpu: &P::Cpu, i: usize, half: u32, value: u16, _order: Ordering) {
        cpu.store(self.part(cpu, i, 2, half), value.into());
    }

    #[inline]
    fn swap_u16_at(&self, cpu: &P::Cpu, i: usize, half: u32, value: u16, _order: Ordering) -> u16 {
        cpu.locked(self.part(cpu, i, 2, half), |_| Some(value.into())) as u16
    }

    #[inline(always)]
    fn compare_exchange_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        _order: Ordering,
    ) -> Result<u16, u16> {
        let change = |old| (old == u64::from(current)).then_some(new.into());
        let old = cpu.locked(self.part(cpu, i, 2, half), change) as u16;
        if old == current { Ok(old) } else { Err(old) }
    }

    #[inline(always)]
    fn fetch_add_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        let add = wide(|old: u16| old.wrapping_add(value));
        cpu.locked(self.part(cpu, i, 2, half), add) as u16
    }

    #[inline]
    fn fetch_or_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        cpu.locked(self.part(cpu, i, 2, half), |old| Some(old | u64::from(value))) as u16
    }

    #[inline(always)]
    fn fetch_and_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        cpu.locked(self.part(cpu, i, 2, half), |old| Some(old & u64::from(value))) as u16
    }

    fn bts(&self, cpu: &P::Cpu, i: usize, bit: u32, _order: Ordering) -> bool {
        assert!(bit < W::BYTES * 8, "bit {bit} of a word of {} bytes", W::BYTES);
        cpu.locked(self.at(cpu, i), |old| Some(old | 1 << bit)) >> bit & 1 != 0
    }

    fn btr(&self, cpu: &P::Cpu, i: usize, bit: u32, _order: Ordering) -> bool {
        assert!(bit < W::BYTES * 8, "bit {bit} of a word of {} bytes", W::BYTES);
        cpu.locked(self.at(cpu, i), |old| Some(old & !(1 << bit))) >> bit & 1 != 0
    }

    fn touch_16b(&self, cpu: &P::Cpu, i: usize) {
        cpu.locked(self.at(cpu, i), |_| None);
    }

    fn prefetchw(&self, cpu: &P::Cpu, i: usize) {
        cpu.prefetchw(self.at(cpu, i));
    }

    fn spin_until(&self, cpu: &P::Cpu, i: usize, until: Until, _order: Ordering) -> W {
        match cpu.spin(self.at(cpu, i), until, None) {
            Ok(value) | Err(value) => W::from_u64(value),
        }
    }

    fn spin_until_for(
        &self,
        cpu: &P::Cpu,
        i: usize,
        until: Until,
        reads: u32,
        _order: Ordering,
    ) -> Result<W, W> {
        let read = cpu.spin(self.at(cpu, i), until, Some(reads));
        read.map(W::from_u64).map_err(W::from_u64)
    }

    fn fill(
        &self,
        cpu: &P::Cpu,
        range: Range<usize>,
        value: W,
        kind: BulkKind,
        home: Option<NodeId>,
    ) {
        cpu.fill(self.range(cpu, &range, home), value.to_u64(), kind);
    }

    fn scan(&self, cpu: &P::Cpu, range: Range<usize>, step: usize, until: Until) -> Option<usize> {
        let found = cpu.scan(self.range(cpu, &range, None), step as u64, until);
        found.map(|i| range.start + i as usize)
    }

    fn peek(&self, cpu: &P::Cpu, i: usize) -> W {
        assert!(i < self.len, "word {i} of an array of {}", self.len);
        W::from_u64(cpu.peek(self.word(i, false)))
    }

    fn poke(&self, build: &mut P::Build, i: usize, value: W) {
        assert!(i < self.len, "word {i} of an array of {}", self.len);
        let at = self.word(i, false);
        P::memory(build).write(at.addr, at.bytes.into(), value.to_u64());
    }
}
