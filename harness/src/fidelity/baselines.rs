//! What the simulator must beat: two models that know a lock's published law and no coherence.
//!
//! Both take from the data what they predict with: the least-squares law of each lock itself at
//! crit = par = 0, N = 6 to 48 on lockhammer's x86-2, `base + slope N` ns an acquisition.
//!
//! *Fixed point.* With n threads at the lock, an acquisition takes `crit + law(n)`; the others are
//! outside of it, so n = N - par / t. *Birth-death* (Boyd-Wickizer, Kaashoek, Morris and Zeldovich, OLS
//! 2012): of N threads, each outside returns after par on average; with k at the lock it is served at
//! the rate 1 / (crit + s + c (k-1) / 2), the two parameters s and c being those of the same law.

use pamt_strategies::locks::LockKindId;

/// A lock's law without work, and its time alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Law {
    pub(super) lock: LockKindId,
    pub(super) base_ns: f64,
    pub(super) slope_ns: f64,
    pub(super) alone_ns: f64,
}

const fn law(lock: LockKindId, base_ns: f64, slope_ns: f64, alone_ns: f64) -> Law {
    Law { lock, base_ns, slope_ns, alone_ns }
}

/// Laws of x86-2; a test computes them anew from the shipped rows.
pub(super) const LAWS: [Law; 5] = [
    law(LockKindId::Tas, 2.8, 16.0, 24.7),
    law(LockKindId::Ticket, 87.2, 7.7, 31.7),
    law(LockKindId::QSpinLock, 193.5, 0.418, 24.9),
    law(LockKindId::Refcount, 44.1, 0.0, 32.7),
    law(LockKindId::Lockref, 171.7, 1.32, 38.0),
];

/// One setting of the benchmark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) critical_ns: f64,
    pub(super) parallel_ns: f64,
    pub(super) threads: usize,
}

impl Law {
    pub(super) fn of(lock: LockKindId) -> Option<Self> {
        LAWS.into_iter().find(|law| law.lock == lock)
    }

    /// Time an acquisition with n threads at the lock; between one and two of them, a straight line.
    fn at(self, n: f64) -> f64 {
        let law = |n: f64| self.base_ns + self.slope_ns * n;
        if n >= 2.0 {
            law(n)
        } else {
            self.alone_ns + (law(2.0) - self.alone_ns) * (n - 1.0).max(0.0)
        }
    }

    /// Nobody waits: all threads go round at their own pace.
    fn unqueued(self, at: Setting) -> f64 {
        (at.critical_ns + at.parallel_ns + self.alone_ns) / at.threads as f64
    }

    /// Time an acquisition by the law and a fixed point.
    pub(super) fn fixed_point(self, at: Setting) -> f64 {
        let threads = at.threads as f64;
        if !self.lock.info().exclusive {
            return self.unqueued(at).max(if at.threads > 1 { self.at(threads) } else { 0.0 });
        }
        let mut t = at.critical_ns + self.at(threads);
        for _ in 0..ROUNDS {
            let inside = (threads - at.parallel_ns / t).clamp(1.0, threads);
            t = self.unqueued(at).max(at.critical_ns + self.at(inside));
        }
        t
    }

    /// Time an acquisition by the birth-death model; none for counters, which do not queue.
    pub(super) fn birth_death(self, at: Setting) -> Option<f64> {
        if !self.lock.info().exclusive {
            return None;
        }
        let half_c = self.slope_ns;
        let s = self.base_ns + self.slope_ns;
        let rate = |k: usize| match k {
            1 => 1.0 / (at.critical_ns + self.alone_ns),
            k => 1.0 / (at.critical_ns + s + half_c * (k - 1) as f64),
        };
        let away = at.parallel_ns.max(1.0);
        // Weights relative to the greatest so far, so that none overflows.
        let (mut weight, mut sum, mut throughput) = (1.0, 1.0, 0.0);
        for k in 1..=at.threads {
            weight *= (at.threads - k + 1) as f64 / away / rate(k);
            sum += weight;
            throughput += weight * rate(k);
            if sum > 1e200 {
                (weight, sum, throughput) = (weight / sum, 1.0, throughput / sum);
            }
        }
        Some(sum / throughput)
    }
}

/// Enough for the fixed point to stand still: the law changes t by less than a fifth of a change of t.
const ROUNDS: usize = 200;

#[cfg(test)]
mod tests {
    use super::super::rows::{LOCKHAMMER_2018, parse};
    use super::*;

    /// Least squares of y over x: intercept and slope.
    fn line(points: &[(f64, f64)]) -> (f64, f64) {
        let n = points.len() as f64;
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
        let (xy, xx) = points.iter().fold((0.0, 0.0), |(xy, xx), p| {
            (xy + (p.0 - x) * (p.1 - y), xx + (p.0 - x) * (p.0 - x))
        });
        (y - xy / xx * x, xy / xx)
    }

    #[test]
    fn the_laws_are_those_of_the_shipped_rows() {
        let rows = parse(LOCKHAMMER_2018, "shipped").expect("sound");
        for law in LAWS {
            let of = |threads: std::ops::RangeInclusive<usize>| {
                let here = rows.iter().filter(move |row| row.host == "x86-2" && row.idle());
                let here = here.filter(move |row| threads.contains(&row.threads));
                here.filter(|row| row.lock == law.lock)
                    .map(|row| (row.threads as f64, row.ns))
                    .collect::<Vec<_>>()
            };
            let (base, slope) = line(&of(6..=48));
            let alone = of(1..=1)[0].1;
            let near = |a: f64, b: f64, by: f64| (a - b).abs() <= by;
            assert!(
                near(law.base_ns, base, 0.5)
                    && near(law.slope_ns, slope, 0.06)
                    && near(law.alone_ns, alone, 0.06),
                "{law:?}: {base:.2} {slope:.3} {alone}"
            );
        }
    }

    #[test]
    fn birth_death_agrees_with_its_test_vectors() {
        // a = 1000, s = 200, c = 16: 4.2378 per us at 8 threads, 1.7808 at 48.
        let law = law(LockKindId::Ticket, 200.0 - 8.0, 8.0, 200.0);
        for (threads, per_us) in [(8, 4.2378), (16, 3.4280), (48, 1.7808), (128, 0.8269)] {
            let at = Setting { critical_ns: 0.0, parallel_ns: 1000.0, threads };
            let ns = law.birth_death(at).expect("exclusive");
            assert!((1000.0 / ns / per_us - 1.0).abs() < 1e-3, "{threads}: {ns}");
        }
    }

    #[test]
    fn the_fixed_point_is_one() {
        let law = Law::of(LockKindId::Ticket).expect("there");
        let at = Setting { critical_ns: 200.0, parallel_ns: 1000.0, threads: 24 };
        let t = law.fixed_point(at);
        let inside = 24.0 - 1000.0 / t;
        assert!((t - 200.0 - law.at(inside)).abs() < 1e-9, "{t}");
    }
}
