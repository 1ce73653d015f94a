//! Arrays of atomics in aligned, zeroed memory.

use core::marker::PhantomData;
use core::ops::Range;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::sync::Arc;

use super::favours;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use super::subword;
use super::{Native, NativeBuild, NativeCpu};
use crate::platform::{BulkKind, Place, Platform, Until, Word, Words};
use crate::units::{LINE_BYTES, NodeId};

/// Reads between two looks at whether another thread has panicked (and, oversubscribed, two yields).
const READS_BETWEEN_CHECKS: u32 = 256;

struct Storage {
    base: *mut u8,
    layout: Layout,
    len: usize,
    stride: usize,
}

// SAFETY: the memory is only reached through atomics and atomic instructions.
unsafe impl Send for Storage {}
// SAFETY: as above.
unsafe impl Sync for Storage {}

impl Storage {
    fn new(place: &Place, word_bytes: u32) -> Self {
        let stride = place.stride_bytes.max(word_bytes) as usize;
        let bytes = (stride * place.len).max(LINE_BYTES as usize);
        let align = place.align.max(LINE_BYTES as u32) as usize;
        let layout = Layout::from_size_align(bytes.next_multiple_of(align), align)
            .expect("a place's alignment is a power of two and its size fits the address space");
        // SAFETY: the size is not 0.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        Self { base, layout, len: place.len, stride }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // SAFETY: `base` came from `alloc_zeroed` with this layout.
        unsafe { dealloc(self.base, self.layout) }
    }
}

/// An array of words of the native world.
pub struct NativeWords<W> {
    storage: Arc<Storage>,
    word: PhantomData<W>,
}

impl<W> Clone for NativeWords<W> {
    fn clone(&self) -> Self {
        Self { storage: Arc::clone(&self.storage), word: PhantomData }
    }
}

/// The atomic of the word's width, by reference.
enum Cell<'a> {
    Half(&'a AtomicU16),
    Single(&'a AtomicU32),
    Double(&'a AtomicU64),
}

/// Calls the same method of whichever atomic it is. The width is known at compile time, so that no
/// branch is left.
macro_rules! on_cell {
    ($cell:expr, $a:ident => $call:expr) => {
        match $cell {
            Cell::Half($a) => W::from_u64(u64::from($call)),
            Cell::Single($a) => W::from_u64(u64::from($call)),
            Cell::Double($a) => W::from_u64($call),
        }
    };
}

impl<W: Word> NativeWords<W> {
    pub(super) fn new(place: &Place) -> Self {
        Self { storage: Arc::new(Storage::new(place, W::BYTES)), word: PhantomData }
    }

    /// Asks for huge pages, if the array is large enough to fill one.
    pub(super) fn ask_for_huge_pages(&self) -> std::io::Result<()> {
        const PAGE: usize = 4096;
        const HUGE: usize = 2 << 20;
        let Storage { base, layout, .. } = *self.storage;
        if layout.size() < 2 * HUGE {
            return Ok(());
        }
        let skip = base.addr().next_multiple_of(PAGE) - base.addr();
        let bytes = (layout.size() - skip) / PAGE * PAGE;
        // SAFETY: the range lies in the array's own allocation.
        unsafe { favours::huge_pages(base.add(skip), bytes) }
    }

    fn address(&self, i: usize) -> *mut u8 {
        let Storage { base, len, stride, .. } = *self.storage;
        assert!(i < len, "word {i} of an array of {len}");
        // SAFETY: `i` is in the array, so that the offset is inside the allocation.
        unsafe { base.add(i * stride) }
    }

    #[inline]
    fn cell(&self, i: usize) -> Cell<'_> {
        let at = self.address(i);
        // SAFETY: `at` is aligned to the word (base and stride are), lives as long as `self`, and is
        // accessed by atomics and atomic instructions only.
        unsafe {
            match W::BYTES {
                2 => Cell::Half(AtomicU16::from_ptr(at.cast())),
                4 => Cell::Single(AtomicU32::from_ptr(at.cast())),
                _ => Cell::Double(AtomicU64::from_ptr(at.cast())),
            }
        }
    }

    fn half_address(&self, i: usize, half: u32) -> *mut u16 {
        assert!(half < W::BYTES / 2, "half {half} of a word of {} bytes", W::BYTES);
        // SAFETY: the half lies inside word `i`.
        unsafe { self.address(i).cast::<u16>().add(half as usize) }
    }

    fn set_raw(&self, i: usize, value: W, order: Ordering) {
        match self.cell(i) {
            Cell::Half(a) => a.store(value.to_u64() as u16, order),
            Cell::Single(a) => a.store(value.to_u64() as u32, order),
            Cell::Double(a) => a.store(value.to_u64(), order),
        }
    }

    fn get_raw(&self, i: usize, order: Ordering) -> W {
        on_cell!(self.cell(i), a => a.load(order))
    }

    fn exchange_raw(
        &self,
        i: usize,
        current: W,
        new: W,
        orders: (Ordering, Ordering),
    ) -> Result<W, W> {
        let (current, new) = (current.to_u64(), new.to_u64());
        let wide = match self.cell(i) {
            Cell::Half(a) => a
                .compare_exchange(current as u16, new as u16, orders.0, orders.1)
                .map(u64::from)
                .map_err(u64::from),
            Cell::Single(a) => a
                .compare_exchange(current as u32, new as u32, orders.0, orders.1)
                .map(u64::from)
                .map_err(u64::from),
            Cell::Double(a) => a.compare_exchange(current, new, orders.0, orders.1),
        };
        wide.map(W::from_u64).map_err(W::from_u64)
    }

    /// A compare-and-swap loop on the whole word; the old value of the part.
    #[cfg(any(miri, not(target_arch = "x86_64")))]
    fn change_part(&self, i: usize, shift: u32, mask: u64, change: impl Fn(u64) -> u64) -> u64 {
        let mut seen = self.get_raw(i, Ordering::SeqCst).to_u64();
        loop {
            let part = seen >> shift & mask;
            let new = seen & !(mask << shift) | (change(part) & mask) << shift;
            let orders = (Ordering::SeqCst, Ordering::SeqCst);
            match self.exchange_raw(i, W::from_u64(seen), W::from_u64(new), orders) {
                Ok(_) => return part,
                Err(found) => seen = found.to_u64(),
            }
        }
    }
}

/// Each operation twice: by instruction, and by a loop where the instruction cannot be had.
macro_rules! by_instruction_or_loop {
    ($instruction:expr, $fallback:expr) => {{
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            // SAFETY: the part lies inside a word of the array (checked when its address was made)
            // and is aligned to its own width, because words are aligned to theirs.
            unsafe { $instruction }
        }
        #[cfg(any(miri, not(target_arch = "x86_64")))]
        {
            $fallback
        }
    }};
}

impl<W: Word> Words<Native, W> for NativeWords<W> {
    fn len(&self) -> usize {
        self.storage.len
    }

    fn load(&self, _cpu: &NativeCpu, i: usize, order: Ordering) -> W {
        self.get_raw(i, order)
    }

    fn store(&self, _cpu: &NativeCpu, i: usize, value: W, order: Ordering) {
        self.set_raw(i, value, order);
    }

    fn swap(&self, cpu: &NativeCpu, i: usize, value: W, order: Ordering) -> W {
        let old = on_cell!(self.cell(i), a => a.swap(value.to_u64() as _, order));
        if old == value {
            // A lock that is taken by XCHG alone waits here.
            cpu.check_others();
        }
        old
    }

    fn compare_exchange(
        &self,
        cpu: &NativeCpu,
        i: usize,
        current: W,
        new: W,
        success: Ordering,
        failure: Ordering,
    ) -> Result<W, W> {
        let outcome = self.exchange_raw(i, current, new, (success, failure));
        if outcome.is_err() {
            cpu.check_others();
        }
        outcome
    }

    fn fetch_add(&self, _cpu: &NativeCpu, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self.cell(i), a => a.fetch_add(value.to_u64() as _, order))
    }

    fn fetch_sub(&self, _cpu: &NativeCpu, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self.cell(i), a => a.fetch_sub(value.to_u64() as _, order))
    }

    fn fetch_or(&self, _cpu: &NativeCpu, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self.cell(i), a => a.fetch_or(value.to_u64() as _, order))
    }

    fn fetch_and(&self, _cpu: &NativeCpu, i: usize, value: W, order: Ordering) -> W {
        on_cell!(self.cell(i), a => a.fetch_and(value.to_u64() as _, order))
    }

    fn store_u8_at(&self, _cpu: &NativeCpu, i: usize, byte: u32, value: u8, _order: Ordering) {
        assert!(byte < W::BYTES, "byte {byte} of a word of {} bytes", W::BYTES);
        by_instruction_or_loop!(subword::store_u8(self.address(i).add(byte as usize), value), {
            self.change_part(i, 8 * byte, 0xff, |_| u64::from(value));
        });
    }

    fn store_u16_at(&self, _cpu: &NativeCpu, i: usize, half: u32, value: u16, _order: Ordering) {
        by_instruction_or_loop!(subword::store_u16(self.half_address(i, half), value), {
            self.change_part(i, 16 * half, 0xffff, |_| u64::from(value));
        });
    }

    fn swap_u16_at(
        &self,
        _cpu: &NativeCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        by_instruction_or_loop!(
            subword::swap_u16(self.half_address(i, half), value),
            self.change_part(i, 16 * half, 0xffff, |_| u64::from(value)) as u16
        )
    }

    fn compare_exchange_u16_at(
        &self,
        cpu: &NativeCpu,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        _order: Ordering,
    ) -> Result<u16, u16> {
        let found = by_instruction_or_loop!(
            subword::compare_exchange_u16(self.half_address(i, half), current, new),
            self.change_part(i, 16 * half, 0xffff, |old| {
                if old == u64::from(current) { u64::from(new) } else { old }
            }) as u16
        );
        if found == current {
            Ok(found)
        } else {
            cpu.check_others();
            Err(found)
        }
    }

    fn fetch_add_u16_at(
        &self,
        _cpu: &NativeCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        by_instruction_or_loop!(
            subword::add_u16(self.half_address(i, half), value),
            self.change_part(i, 16 * half, 0xffff, |old| old.wrapping_add(u64::from(value))) as u16
        )
    }

    fn fetch_or_u16_at(
        &self,
        _cpu: &NativeCpu,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16 {
        // x86 has no OR that returns the old value; an OR of the whole word changes the same bits.
        let wide = on_cell!(
            self.cell(i), a => a.fetch_or((u64::from(value) << (16 * half)) as _, order)
        );
        (wide.to_u64() >> (16 * half)) as u16
    }

    fn fetch_and_u16_at(
        &self,
        _cpu: &NativeCpu,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16 {
        let mask = !(u64::from(!value) << (16 * half));
        let wide = on_cell!(self.cell(i), a => a.fetch_and(mask as _, order));
        (wide.to_u64() >> (16 * half)) as u16
    }

    fn bts(&self, cpu: &NativeCpu, i: usize, bit: u32, order: Ordering) -> bool {
        let mask = 1_u64 << bit;
        // The compiler makes LOCK BTS of an OR whose result is tested for the same bit.
        let was_set = match self.cell(i) {
            Cell::Half(a) => a.fetch_or(mask as u16, order) & mask as u16 != 0,
            Cell::Single(a) => a.fetch_or(mask as u32, order) & mask as u32 != 0,
            Cell::Double(a) => a.fetch_or(mask, order) & mask != 0,
        };
        if was_set {
            cpu.check_others();
        }
        was_set
    }

    fn btr(&self, _cpu: &NativeCpu, i: usize, bit: u32, order: Ordering) -> bool {
        let mask = 1_u64 << bit;
        match self.cell(i) {
            Cell::Half(a) => a.fetch_and(!mask as u16, order) & mask as u16 != 0,
            Cell::Single(a) => a.fetch_and(!mask as u32, order) & mask as u32 != 0,
            Cell::Double(a) => a.fetch_and(!mask, order) & mask != 0,
        }
    }

    fn touch_16b(&self, _cpu: &NativeCpu, i: usize) {
        // Any LOCK'd compare-and-swap asks for the line with intent to write; one that finds another
        // value writes back what it found. Its result is of no interest.
        let zero = W::from_u64(0);
        let _ = self.exchange_raw(i, zero, zero, (Ordering::SeqCst, Ordering::SeqCst));
    }

    fn prefetchw(&self, _cpu: &NativeCpu, i: usize) {
        let at = self.address(i);
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a prefetch changes no architectural state, whatever the address.
        unsafe {
            use core::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_ET0>(at.cast());
        }
        #[cfg(any(miri, not(target_arch = "x86_64")))]
        let _ = at;
    }

    fn spin_until(&self, cpu: &NativeCpu, i: usize, until: Until, order: Ordering) -> W {
        loop {
            if let Ok(found) = self.spin_until_for(cpu, i, until, READS_BETWEEN_CHECKS, order) {
                return found;
            }
            cpu.check_others();
        }
    }

    fn spin_until_for(
        &self,
        _cpu: &NativeCpu,
        i: usize,
        until: Until,
        reads: u32,
        order: Ordering,
    ) -> Result<W, W> {
        let mut found = self.get_raw(i, order);
        for _ in 1..reads {
            if until.holds(found.to_u64()) {
                return Ok(found);
            }
            core::hint::spin_loop();
            found = self.get_raw(i, order);
        }
        if until.holds(found.to_u64()) { Ok(found) } else { Err(found) }
    }

    fn fill(
        &self,
        cpu: &NativeCpu,
        range: Range<usize>,
        value: W,
        kind: BulkKind,
        _home: Option<NodeId>,
    ) {
        let begun = Native::now(cpu);
        let bytes = self.bytes_of(&range);
        for i in range {
            self.set_raw(i, value, Ordering::Relaxed);
        }
        cpu.until(begun + cpu.bulk_cost(kind, bytes));
    }

    fn scan(
        &self,
        cpu: &NativeCpu,
        range: Range<usize>,
        step: usize,
        until: Until,
    ) -> Option<usize> {
        let begun = Native::now(cpu);
        let found = range
            .clone()
            .step_by(step)
            .find(|i| until.holds(self.get_raw(*i, Ordering::Acquire).to_u64()));
        let read = range.start..found.map_or(range.end, |i| i + 1);
        cpu.until(begun + cpu.bulk_cost(BulkKind::Scan, self.bytes_of(&read)));
        found
    }

    fn poke(&self, _build: &mut NativeBuild, i: usize, value: W) {
        self.set_raw(i, value, Ordering::SeqCst);
    }

    fn peek(&self, _cpu: &NativeCpu, i: usize) -> W {
        self.get_raw(i, Ordering::SeqCst)
    }
}

impl<W: Word> NativeWords<W> {
    fn bytes_of(&self, range: &Range<usize>) -> u64 {
        (range.len() * self.storage.stride) as u64
    }
}
