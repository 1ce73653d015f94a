//! Instructions that a CPU needs nobody else for.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::hint::black_box;
use std::time::Instant;

use super::crew::on;
use super::figure::Figure;
use super::lines::{ADDRESSES, at, spread_out};

/// ns each.
pub(super) struct Instructions {
    /// LOCK addition to a line that the CPU owns, each waiting for the one before.
    pub(super) lock_add: Figure,
    /// Compare-and-swap of the same.
    pub(super) compare_and_swap: Figure,
    /// Exchange of the same.
    pub(super) exchange: Figure,
    /// One PAUSE.
    pub(super) pause: Figure,
    /// A full fence.
    pub(super) fence: Figure,
    /// One reading of the clock that runs are timed with.
    pub(super) clock: Figure,
}

const WINDOWS: usize = 30 * ADDRESSES;
const OPERATIONS: u32 = 300;

pub(super) fn measure(cpu: usize) -> Instructions {
    let of = |operation: fn(&AtomicU64)| {
        let samples = on(cpu, || {
            let lines = spread_out();
            (0..WINDOWS)
                .map(|window| one(at(&lines, window % ADDRESSES), operation))
                .collect::<Vec<_>>()
        });
        Figure::of(&samples).expect("windows were asked for")
    };
    Instructions {
        lock_add: of(|line| {
            black_box(line.fetch_add(1, Ordering::SeqCst));
        }),
        compare_and_swap: of(|line| {
            let _ = black_box(line.compare_exchange(0, 0, Ordering::SeqCst, Ordering::SeqCst));
        }),
        exchange: of(|line| {
            black_box(line.swap(0, Ordering::SeqCst));
        }),
        pause: of(|_| spin_loop()),
        fence: of(|_| fence(Ordering::SeqCst)),
        clock: of(|_| {
            black_box(Instant::now());
        }),
    }
}

fn one(line: &AtomicU64, operation: fn(&AtomicU64)) -> f64 {
    line.store(0, Ordering::SeqCst);
    let begun = Instant::now();
    for _ in 0..OPERATIONS {
        operation(line);
    }
    begun.elapsed().as_nanos() as f64 / f64::from(OPERATIONS)
}
