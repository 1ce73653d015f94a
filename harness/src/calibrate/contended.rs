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
use super::patience::Patience;

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

/// With 1, 2, 4, ... and all of these CPUs, in their order. All of them come first: a profile has their figures, and
/// time may run out before the others.
pub(super) fn measure(cpus: &[usize], limit: Duration) -> Vec<Contended> {
    let patience = Patience::of(limit);
    let all_first = counts(cpus.len()).into_iter().rev();
    let in_time = all_first.take_while(|n| *n == cpus.len() || !patience.is_over());
    let mut measured: Vec<Contended> = in_time.map(|n| one(&cpus[..n], &patience)).collect();
    measured.reverse();
    measured
}

/// 1, 2, 4, ... and all.
pub(super) fn counts(all: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1), |n| Some(2 * n));
    powers.take_while(|n| *n < all).chain([all]).collect()
}

fn one(cpus: &[usize], patience: &Patience) -> Contended {
    let lines = spread_out();
    let (mut isolated, mut kept, mut all) = (Vec::with_capacity(WINDOWS), 0, 0);
    // Both take turns, so that time cuts them alike.
    let adjacent = patience.windows(WINDOWS, |window| {
        let line = at(&lines, window % ADDRESSES);
        let adjacent = together(cpus, |_| hammer(line, 0));
        kept += adjacent.iter().map(|done| done.kept).sum::<u64>();
        all += additions(&adjacent);
        isolated.push(each_ns(&together(cpus, |_| hammer(line, PAUSES))));
        each_ns(&adjacent)
    });
    let isolated = Figure::of_planned(&isolated, WINDOWS).expect("as many as adjacent ones");
    Contended { cpus: cpus.len(), adjacent, isolated, kept_frac: kept as f64 / all.max(1) as f64 }
}

/// ns of the system an addition.
fn each_ns(done: &[Done]) -> f64 {
    let start = done.iter().map(|done| done.start).min();
    let end = done.iter().map(|done| done.end).max();
    let length = start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start);
    length.as_nanos() as f64 / additions(done).max(1) as f64
}

fn additions(done: &[Done]) -> u64 {
    done.iter().map(|done| done.additions).sum()
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
        counts(cpus).into_iter().map(|n| windows * (WINDOW + START / 2 * n as u32)).sum()
    }

    #[test]
    fn out_of_time_all_cpus_are_measured_once_and_no_fewer_of_them() {
        let cpus = pamt_strategies::platform::native::host_cpus();
        let cpus: Vec<usize> = cpus.iter().map(|cpu| cpu.number).collect();
        let all = measure(&cpus, Duration::ZERO);
        assert_eq!((all.len(), all[0].cpus), (1, cpus.len()));
        assert_eq!(all[0].adjacent.cut(), Some(format!("1 of {WINDOWS} windows")));
        assert_eq!(all[0].isolated.cut(), all[0].adjacent.cut());
    }

    #[test]
    fn a_cpu_alone_keeps_the_line() {
        let cpu = pamt_strategies::platform::native::host_cpus()[0].number;
        let alone = measure(&[cpu], Duration::MAX);
        assert_eq!(alone.len(), 1);
        // All but the first addition of each window.
        assert!(alone[0].kept_frac > 0.99, "{}", alone[0].kept_frac);
    }
}
