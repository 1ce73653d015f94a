//! The event queue: a 4-ary heap of packed keys.
//!
//! A key is `time << 16 | rank`, where the rank is the CPU's place in the run's permutation. Keys of
//! different CPUs differ, so the order is total. A CPU whose wait ended early leaves its old key behind;
//! whoever pops a key asks the CPU whether it still stands for it.

/// Bits of a key below the time.
const RANK_BITS: u32 = 16;
/// Children of a heap node.
const ARITY: usize = 4;
/// In place of a key that is not there: above every key.
const ABSENT: u64 = u64::MAX;

/// No event is at this time or later: 2^48 cycles are a day at 3 GHz.
pub(super) const NEVER: u64 = u64::MAX >> RANK_BITS;

/// Packs a key.
///
/// # Panics
/// At [`NEVER`] and beyond, where times would not fit and events would come out of order.
#[inline]
pub(super) const fn key(time: u64, rank: u16) -> u64 {
    assert!(time < NEVER, "simulated time has passed 2^48 cycles: make the run shorter");
    time << RANK_BITS | rank as u64
}

/// Time of a key.
pub(super) const fn time_of(key: u64) -> u64 {
    key >> RANK_BITS
}

/// Rank of a key.
pub(super) const fn rank_of(key: u64) -> u16 {
    key as u16
}

/// Place of the lowest key: the first groups of [`ARITY`] places stay whole.
const TOP: usize = ARITY - 1;

/// Pending events.
///
/// The children of place p are the group from 4p - 8 on. Places without a key hold [`ABSENT`], so that the
/// least child is found without a branch, and a key that sinks stops above them.
#[derive(Debug)]
pub(super) struct Queue {
    places: Vec<u64>,
    len: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { places: vec![ABSENT; ARITY], len: 0 }
    }
}

impl Queue {
    /// The lowest key, or the highest possible one when nothing is pending.
    #[inline]
    pub(super) fn min(&self) -> u64 {
        self.places[TOP]
    }

    /// Adds a key.
    pub(super) fn push(&mut self, key: u64) {
        let place = TOP + self.len;
        self.len += 1;
        if place == self.places.len() {
            self.places.extend([ABSENT; ARITY]);
        }
        rise(&mut self.places, place, key);
    }

    /// Removes the lowest key.
    pub(super) fn pop(&mut self) -> Option<u64> {
        self.len = self.len.checked_sub(1)?;
        let last = std::mem::replace(&mut self.places[TOP + self.len], ABSENT);
        Some(if self.len == 0 { last } else { self.exchange(last) })
    }

    /// Adds a key, then removes the lowest: one way through the heap instead of two.
    #[inline]
    pub(super) fn push_pop(&mut self, key: u64) -> u64 {
        if key <= self.min() { key } else { self.exchange(key) }
    }

    /// Takes the top out and puts a later `key` in. The hole sinks until `key` fits it: mostly a level or
    /// two, since CPUs that do anything at all do the next thing soon.
    #[inline(always)]
    pub(super) fn exchange(&mut self, key: u64) -> u64 {
        let places = &mut self.places[..];
        let top = places[TOP];
        let mut hole = TOP;
        while let Some(group) = places.get(children(hole)..).and_then(|rest| rest.first_chunk()) {
            let (child, least) = least_of(group);
            if key <= least {
                break;
            }
            places[hole] = least;
            hole = children(hole) + child;
        }
        places[hole] = key;
        top
    }
}

/// Puts `key` at `place` or at the place above it where it belongs.
#[inline]
fn rise(places: &mut [u64], mut place: usize, key: u64) {
    while place > TOP {
        let parent = place / ARITY + ARITY / 2;
        if places[parent] <= key {
            break;
        }
        places[place] = places[parent];
        place = parent;
    }
    places[place] = key;
}

/// First of the children of a place.
const fn children(place: usize) -> usize {
    ARITY * place - 2 * ARITY
}

/// Place and value of a group's least key.
fn least_of(group: &[u64; ARITY]) -> (usize, u64) {
    let [a, b, c, d] = *group;
    let left = if b < a { (1, b) } else { (0, a) };
    let right = if d < c { (3, d) } else { (2, c) };
    if right.1 < left.1 { right } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_out_in_order_whatever_goes_in(
            steps in proptest::collection::vec((0u8..3, 0u64..1000), 0..200)
        ) {
            let mut queue = Queue::default();
            let mut model = std::collections::BinaryHeap::new();
            for (step, key) in steps {
                match step {
                    0 => {
                        queue.push(key);
                        model.push(std::cmp::Reverse(key));
                    }
                    1 => prop_assert_eq!(queue.pop(), model.pop().map(|key| key.0)),
                    _ => {
                        model.push(std::cmp::Reverse(key));
                        prop_assert_eq!(Some(queue.push_pop(key)), model.pop().map(|key| key.0));
                    }
                }
                prop_assert_eq!(queue.min(), model.peek().map_or(u64::MAX, |key| key.0));
            }
        }
    }

    #[test]
    #[should_panic(expected = "2^48 cycles")]
    fn a_time_that_does_not_fit_into_a_key_is_refused() {
        key(NEVER, 0);
    }

    #[test]
    fn a_key_orders_by_time_then_rank() {
        assert!(key(5, 9) < key(6, 0) && key(5, 1) < key(5, 2));
        assert_eq!((time_of(key(77, 3)), rank_of(key(77, 3))), (77, 3));
    }
}
