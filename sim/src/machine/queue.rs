//! The event queue: a 4-ary heap of packed keys.
//!
//! A key is `time << 16 | rank`, where the rank is the CPU's place in the run's permutation. Keys of
//! different CPUs differ, so the order is total. A CPU whose wait ended early leaves its old key behind;
//! whoever pops a key asks the CPU whether it still stands for it.

/// Bits of a key below the time.
const RANK_BITS: u32 = 16;
/// Children of a heap node.
const ARITY: usize = 4;

/// Packs a key.
pub(super) const fn key(time: u64, rank: u16) -> u64 {
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

/// Pending events.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: Vec<u64>,
}

impl Queue {
    /// The lowest key, or the highest possible one when nothing is pending.
    pub(super) fn min(&self) -> u64 {
        self.heap.first().copied().unwrap_or(u64::MAX)
    }

    /// Adds a key.
    pub(super) fn push(&mut self, key: u64) {
        self.heap.push(key);
        self.sift_up(self.heap.len() - 1);
    }

    /// Removes the lowest key.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let last = self.heap.pop()?;
        if self.heap.is_empty() { Some(last) } else { Some(self.replace(last)) }
    }

    /// Adds a key, then removes the lowest: one sift instead of two.
    pub(super) fn push_pop(&mut self, key: u64) -> u64 {
        if key <= self.min() { key } else { self.replace(key) }
    }

    /// Takes the top out and puts `key` in: the hole sinks to the bottom first, since a re-queued
    /// event is usually late, and rises from there.
    fn replace(&mut self, key: u64) -> u64 {
        let top = self.heap[0];
        let mut hole = 0;
        loop {
            let first = hole * ARITY + 1;
            let end = (first + ARITY).min(self.heap.len());
            if first >= end {
                break;
            }
            let mut least = first;
            for child in first + 1..end {
                if self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
            self.heap[hole] = self.heap[least];
            hole = least;
        }
        self.heap[hole] = key;
        self.sift_up(hole);
        top
    }

    fn sift_up(&mut self, mut hole: usize) {
        let key = self.heap[hole];
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.heap[parent] <= key {
                break;
            }
            self.heap[hole] = self.heap[parent];
            hole = parent;
        }
        self.heap[hole] = key;
    }
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
    fn a_key_orders_by_time_then_rank() {
        assert!(key(5, 9) < key(6, 0) && key(5, 1) < key(5, 2));
        assert_eq!((time_of(key(77, 3)), rank_of(key(77, 3))), (77, 3));
    }
}
