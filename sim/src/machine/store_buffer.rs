//! The store buffer of a core: plain stores that have been issued and have not taken effect.
//!
//! They take effect in program order, and the CPU's own loads see them before that (forwarding).
//!
//! The buffer holds many stores, not one: lockhammer's queued_spinlock hands over in 102 ns at 1000/0,
//! which is one upgrade and one fetch (54 and 47 ns on that generation). A waiter that had to stall on
//! each of its own stores (the locked byte, then the next waiter's node) would need half as much again.

use super::cpu::At;

/// Stores that a core buffers (56 on Skylake, 112 on Golden Cove: Intel Optimization Manual); beyond
/// them a store waits for the oldest one.
pub(super) const STORE_BUFFER: usize = 56;

/// A store in its CPU's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingStore {
    pub(super) at: At,
    pub(super) value: u64,
    /// When it takes effect.
    pub(super) done: u64,
}

impl PendingStore {
    /// Whether it stores bytes of the word.
    pub(super) fn meets(&self, at: &At) -> bool {
        let (end, store_end) =
            (at.addr + u64::from(at.bytes), self.at.addr + u64::from(self.at.bytes));
        self.at.addr < end && store_end > at.addr
    }

    /// The word's value once it has taken effect, when it was `value` before.
    pub(super) fn over(&self, at: &At, value: u64) -> u64 {
        (0..u64::from(at.bytes)).fold(value, |value, i| {
            match (at.addr + i).checked_sub(self.at.addr) {
                Some(byte) if byte < u64::from(self.at.bytes) => {
                    value & !(0xff << (8 * i)) | (self.value >> (8 * byte) & 0xff) << (8 * i)
                }
                _ => value,
            }
        })
    }
}

/// What a buffer has for a load.
pub(super) enum Forward {
    /// Nothing.
    Nothing,
    /// The loaded bytes.
    Value(u64),
    /// A part of them: the load waits until this time.
    Part(u64),
}

/// Pending stores, oldest first.
#[derive(Debug, Default)]
pub(super) struct StoreBuffer {
    /// The first `taken` have taken effect; all go when there are no others.
    stores: Vec<PendingStore>,
    taken: usize,
}

impl StoreBuffer {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// Whether a store must wait: until when.
    #[inline]
    pub(super) fn full_until(&self) -> Option<u64> {
        let pending = self.stores.len() - self.taken;
        if pending < STORE_BUFFER { None } else { self.first().map(|store| store.done) }
    }

    /// The oldest store.
    #[inline]
    pub(super) fn first(&self) -> Option<&PendingStore> {
        self.stores.get(self.taken)
    }

    #[inline]
    pub(super) fn push(&mut self, store: PendingStore) {
        if self.taken >= STORE_BUFFER {
            self.stores.drain(..self.taken);
            self.taken = 0;
        }
        self.stores.push(store);
    }

    /// Takes the oldest store out; returns it and when the next one takes effect.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(PendingStore, Option<u64>)> {
        let store = *self.first()?;
        self.taken += 1;
        let next = self.first().map(|store| store.done);
        if next.is_none() {
            self.stores.clear();
            self.taken = 0;
        }
        Some((store, next))
    }

    /// Its stores to bytes of the word, oldest first.
    pub(super) fn to(&self, at: At) -> impl Iterator<Item = &PendingStore> {
        self.stores.iter().skip(self.taken).filter(move |store| store.meets(&at))
    }

    /// What it has for a load: of its stores to the word, the last one counts.
    pub(super) fn forward(&self, at: &At) -> Forward {
        let end = at.addr + u64::from(at.bytes);
        for store in self.stores.iter().skip(self.taken).rev() {
            if !store.meets(at) {
                continue;
            }
            let (addr, store_end) = (store.at.addr, store.at.addr + u64::from(store.at.bytes));
            if addr > at.addr || store_end < end {
                return Forward::Part(store.done);
            }
            let mask = u64::MAX >> (64 - 8 * at.bytes);
            return Forward::Value(store.value >> (8 * (at.addr - addr)) & mask);
        }
        Forward::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addr: u64, bytes: u16) -> At {
        At { addr, bytes, ..At::NOWHERE }
    }

    fn value(buffer: &StoreBuffer, addr: u64, bytes: u16) -> Result<u64, Option<u64>> {
        match buffer.forward(&at(addr, bytes)) {
            Forward::Value(value) => Ok(value),
            Forward::Part(done) => Err(Some(done)),
            Forward::Nothing => Err(None),
        }
    }

    #[test]
    fn stores_leave_in_order_however_many_have_left_before() {
        let mut buffer = StoreBuffer::default();
        buffer.push(PendingStore { at: at(0, 8), value: 0, done: 0 });
        for n in 1..1000 {
            buffer.push(PendingStore { at: at(0, 8), value: n, done: n });
            let (store, next) = buffer.pop().expect("two are pending");
            assert_eq!((store.value, next), (n - 1, Some(n)));
        }
        assert!(buffer.stores.len() <= 2 * STORE_BUFFER, "those that left are dropped");
        assert!(buffer.pop().is_some_and(|(store, next)| store.value == 999 && next.is_none()));
        assert!(buffer.is_empty() && buffer.pop().is_none());
    }

    #[test]
    fn a_store_changes_the_bytes_that_it_shares_with_a_word() {
        let store = PendingStore { at: at(66, 4), value: 0x1122_3344, done: 0 };
        let over = |addr, bytes| store.over(&at(addr, bytes), u64::MAX >> (64 - 8 * bytes));
        assert_eq!(over(64, 8), 0xffff_1122_3344_ffff);
        assert_eq!((over(64, 4), over(68, 2)), (0x3344_ffff, 0x1122));
        assert_eq!((over(62, 4), over(70, 2)), (0xffff_ffff, 0xffff));
        assert!(store.meets(&at(64, 4)) && !store.meets(&at(62, 4)) && !store.meets(&at(70, 2)));
    }

    #[test]
    fn a_load_sees_the_last_store_and_waits_for_one_to_a_part() {
        let mut buffer = StoreBuffer::default();
        buffer.push(PendingStore { at: at(64, 8), value: 0x1122_3344, done: 7 });
        assert_eq!(value(&buffer, 66, 2), Ok(0x1122));
        assert_eq!(value(&buffer, 72, 8), Err(None));
        buffer.push(PendingStore { at: at(65, 1), value: 0xff, done: 9 });
        assert_eq!((value(&buffer, 65, 1), value(&buffer, 64, 8)), (Ok(0xff), Err(Some(9))));
        buffer.pop();
        assert_eq!(value(&buffer, 66, 2), Err(None), "it has left");
    }

    #[test]
    fn a_full_buffer_says_until_when() {
        let mut buffer = StoreBuffer::default();
        for n in 0..STORE_BUFFER as u64 {
            assert_eq!(buffer.full_until(), None);
            buffer.push(PendingStore { at: at(0, 8), value: n, done: 5 + n });
        }
        assert_eq!(buffer.full_until(), Some(5));
    }
}
