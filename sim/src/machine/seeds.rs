//! What a run's seed decides beside each CPU's draws: the CPUs' order at equal times, and interrupts.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// The CPUs in the order in which they act at equal times.
pub(super) fn by_rank(seed: u64, cpus: usize) -> Vec<u16> {
    let mut by_rank: Vec<u16> = (0..cpus as u16).collect();
    let mut shuffle = Pcg64::seed_from_u64(seed);
    for i in (1..cpus).rev() {
        by_rank.swap(i, (shuffle.next_u64() % (i as u64 + 1)) as usize);
    }
    by_rank
}

/// The generator of one CPU's interrupts.
pub(super) fn of_interrupts(seed: u64, cpu: usize) -> Pcg64 {
    Pcg64::new(u128::from(seed) << 64 | 0x19a, cpu as u128)
}
