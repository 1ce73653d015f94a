//! What an unlock costs the LOCK operation after it.
//!
//! A plain store to a line that another CPU has waits in the store buffer while the CPU goes on; a LOCK
//! operation, even on another line, first waits until the buffer is empty. That is the price of "unlock,
//! then take the next lock", and the reason for the one pending store a CPU of the simulated machine.

use core::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::crew::together;
use super::figure::Figure;
use super::lines::{ADDRESSES, at, spread_out};

/// ns a round.
pub(super) struct StoreBuffer {
    /// A LOCK addition to an own line.
    pub(super) add: Figure,
    /// A store to a line that the other CPU reads, then the addition.
    pub(super) store_then_add: Figure,
    /// The same store to a line that nobody else has, then the addition.
    pub(super) own_store_then_add: Figure,
}

impl StoreBuffer {
    /// What the addition waits for the contended store.
    pub(super) fn drain_ns(&self) -> f64 {
        (self.store_then_add.median - self.own_store_then_add.median).max(0.0)
    }
}

const WINDOWS: usize = 10 * ADDRESSES;
const ROUNDS: u64 = 300;

pub(super) fn measure(pair: [usize; 2]) -> StoreBuffer {
    let (watched, own, private) = (spread_out(), spread_out(), spread_out());
    let (done, reading) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut results = together(&pair, |side| {
        if side == 1 {
            // Reads until the end, so that every store finds a copy to take away.
            while !done.load(Ordering::Acquire) {
                for address in 0..ADDRESSES {
                    std::hint::black_box(at(&watched, address).load(Ordering::Relaxed));
                }
                reading.store(true, Ordering::Release);
            }
            return Vec::new();
        }
        while !reading.load(Ordering::Acquire) {
            core::hint::spin_loop();
        }
        let window = |which: usize, window: usize| {
            let (watched, own, private) = (
                at(&watched, window % ADDRESSES),
                at(&own, window % ADDRESSES),
                at(&private, window % ADDRESSES),
            );
            let begun = Instant::now();
            for round in 0..ROUNDS {
                match which {
                    1 => watched.store(round, Ordering::Release),
                    2 => private.store(round, Ordering::Release),
                    _ => {}
                }
                own.fetch_add(1, Ordering::AcqRel);
            }
            begun.elapsed().as_nanos() as f64 / ROUNDS as f64
        };
        let figures =
            [0, 1, 2].map(|which| (0..WINDOWS).map(|w| window(which, w)).collect::<Vec<_>>());
        done.store(true, Ordering::Release);
        figures.iter().filter_map(|samples| Figure::of(samples)).collect()
    });
    let figures = results.swap_remove(0);
    StoreBuffer { add: figures[0], store_then_add: figures[1], own_store_then_add: figures[2] }
}
