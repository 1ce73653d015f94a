//! One line under LOCK additions by 1, 2, 4, ... CPUs, and what its owner does before it loses the line.
//!
//! A counter returns the old value, so each thread sees whether somebody came between two additions of its
//! own. Additions in pairs that follow each other at once keep the line (*adjacent*); pairs with a pause in
//! which others come are *isolated*, and where enough CPUs press, a pair costs two occupancies of the line.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::crew::together;
use super::figure::Figure;
use super::lines::{ADDRESSES, at, spread_out};

/// One number of CPUs.
pub(super) struct Contended {
    pub(super) cpus: usize,
    /// ns of the system an addition: time over the additions of all CPUs.
    pub(super) adjacent: Figure,
    /// The same with a pause after each addition.
    pub(super) isolated: Figure,
    /// Share of additions right after which the same CPU added again.
    pub(super) kept_frac: f64,
}

/// Length of a window.
const WINDOW: Duration = Duration::from_millis(2);
/// Additions between two looks at the clock.
const BATCH: u64 = 64;
/// Pauses after an isolated addition: some hundred ns.
const PAUSES: u32 = 6;
const WINDOWS: usize = 2 * ADDRESSES;

/// With 1, 2, 4, ... and all of these CPUs, in their order.
pub(super) fn measure(cpus: &[usize]) -> Vec<Contended> {
    counts(cpus.len()).map(|n| one(&cpus[..n])).collect()
}

/// 1, 2, 4, ... and all.
fn counts(all: usize) -> impl Iterator<Item = usize> {
    let powers = std::iter::successors(Some(1), |n| Some(2 * n));
    powers.take_while(move |n| *n < all).chain([all])
}

fn one(cpus: &[usize]) -> Contended {
    let lines = spread_out();
    let mut kept = (0, 0);
    let mut windows = |pauses: u32| {
        let samples = (0..WINDOWS).map(|window| {
            let line = at(&lines, window % ADDRESSES);
            let begun = Instant::now();
            let done = together(cpus, |_| hammer(line, pauses));
            let length = done.iter().map(|done| done.end).max().unwrap_or(begun)
                - done.iter().map(|done| done.start).min().unwrap_or(begun);
            let additions: u64 = done.iter().map(|done| done.additions).sum();
            if pauses == 0 {
                kept.0 += done.iter().map(|done| done.kept).sum::<u64>();
                kept.1 += additions;
            }
            length.as_nanos() as f64 / additions as f64
        });
        Figure::of(&samples.collect::<Vec<_>>()).expect("windows were asked for")
    };
    let (adjacent, isolated) = (windows(0), windows(PAUSES));
    let kept_frac = kept.0 as f64 / kept.1.max(1) as f64;
    Contended { cpus: cpus.len(), adjacent, isolated, kept_frac }
}

struct Done {
    additions: u64,
    kept: u64,
    start: Instant,
    end: Instant,
}

fn hammer(line: &AtomicU64, pauses: u32) -> Done {
    let start = Instant::now();
    let (mut additions, mut kept, mut last) = (0, 0, u64::MAX - 1);
    loop {
        for _ in 0..BATCH {
            let old = line.fetch_add(1, Ordering::AcqRel);
            kept += u64::from(old == last + 1);
            last = old;
            for _ in 0..pauses {
                spin_loop();
            }
        }
        additions += BATCH;
        let end = Instant::now();
        if end - start >= WINDOW {
            return Done { additions, kept, start, end };
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::plan::START;
    use super::*;

    /// What the probe should take at most on so many CPUs: its threads are started anew in each window.
    pub(in crate::calibrate) fn expected(cpus: usize) -> Duration {
        let windows = 2 * WINDOWS as u32;
        counts(cpus).map(|n| windows * (WINDOW + START / 2 * n as u32)).sum()
    }

    #[test]
    fn a_cpu_alone_keeps_the_line() {
        let cpu = pamt_strategies::platform::native::host_cpus()[0].number;
        let alone = measure(&[cpu]);
        assert_eq!(alone.len(), 1);
        // All but the first addition of each window.
        assert!(alone[0].kept_frac > 0.99, "{}", alone[0].kept_frac);
    }
}
