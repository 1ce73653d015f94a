//! How steadily the CPUs run: the same short work, again and again, on each of them at once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use pamt_reports::stats::quantile;

/// Multiplications of a block, each waiting for the one before: some 100 us at 3 to 4 cycles each.
const CHAIN: u32 = 100_000;
/// How long a probe goes on.
const LENGTH: Duration = Duration::from_millis(15);

/// What a probe found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Steadiness {
    /// Median block over the fastest tenth, less one: how much slower than it can this host runs.
    pub(super) slow_frac: f64,
    /// Time lost in blocks that took more than 1.5 times the median: interruptions.
    pub(super) lost_frac: f64,
    /// Median block, in ns.
    pub(super) block_ns: f64,
}

/// Works on each of these CPUs at once.
pub(super) fn probe(cpus: &[usize]) -> Steadiness {
    let blocks: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = cpus.iter().map(|cpu| scope.spawn(|| blocks_on(*cpu))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    steadiness(&blocks)
}

fn blocks_on(cpu: usize) -> Vec<f64> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    // Where a CPU may not be chosen, the scheduler's choice is probed: what the run will get, too.
    let _ = rustix::thread::sched_setaffinity(None, &set);
    let begun = Instant::now();
    let mut blocks = Vec::new();
    while begun.elapsed() < LENGTH {
        let block = Instant::now();
        let mut product = black_box(1_u64);
        for _ in 0..CHAIN {
            product = black_box(product.wrapping_mul(0x5851_f42d_4c95_7f2d));
        }
        blocks.push(block.elapsed().as_nanos() as f64);
    }
    blocks
}

fn steadiness(blocks: &[f64]) -> Steadiness {
    let (Some(fast), Some(middle)) = (quantile(blocks, 0.1), quantile(blocks, 0.5)) else {
        return Steadiness::default();
    };
    let total: f64 = blocks.iter().sum();
    let late = blocks.iter().filter(|block| **block > 1.5 * middle);
    let lost: f64 = late.map(|block| block - middle).sum();
    Steadiness { slow_frac: middle / fast - 1.0, lost_frac: lost / total, block_ns: middle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_time_lost_and_a_changing_clock_is_slowness() {
        let mut blocks = vec![100.0; 19];
        blocks.push(1100.0);
        let found = steadiness(&blocks);
        assert!((found.lost_frac - 1000.0 / 3000.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.slow_frac, 0.0);
        let clock: Vec<f64> = (0..20).map(|i| if i < 8 { 100.0 } else { 120.0 }).collect();
        let found = steadiness(&clock);
        assert!((found.slow_frac - 0.2).abs() < 1e-12 && found.lost_frac == 0.0, "{found:?}");
    }

    #[test]
    fn this_host_is_probed() {
        let cpus: Vec<usize> = pamt_strategies::platform::native::host_cpus()
            .iter()
            .map(|cpu| cpu.number)
            .take(2)
            .collect();
        assert!(probe(&cpus).block_ns > 0.0);
    }
}
