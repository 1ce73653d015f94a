//! Random draws of a CPU, apart by what they are for.
//!
//! Strategies are compared seed by seed. That removes what they have in common only if a guest's pauses
//! stay the same while the strategy makes other SEAMCALLs or backs off in other ways: so each purpose
//! draws from a generator of its own.

use rand_core::Rng;
use rand_pcg::Pcg64;

use crate::units::CpuId;

/// What a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What guests and workloads do, and when.
    Load,
    /// Service times, and which page an allocator finds.
    Model,
    /// Backoff, and which waiter a lock serves.
    Lock,
}

const STREAMS: usize = 3;

/// The generators of one CPU.
#[derive(Clone, Debug)]
pub struct Draws([Pcg64; STREAMS]);

impl Draws {
    /// Those of `cpu` in a run of this seed.
    #[must_use]
    pub fn new(seed: u64, cpu: CpuId) -> Self {
        let id = u128::from(cpu.0);
        Self(
            [0, 1, 2]
                .map(|stream: u128| Pcg64::new(u128::from(seed) << 64 | 0x5eed, stream << 64 | id)),
        )
    }

    /// 64 random bits.
    pub fn next(&mut self, stream: Stream) -> u64 {
        self.0[stream as usize].next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_one_purpose_do_not_move_those_of_another() {
        let (mut few, mut many) = (Draws::new(7, CpuId(3)), Draws::new(7, CpuId(3)));
        for _ in 0..10 {
            many.next(Stream::Model);
            many.next(Stream::Lock);
        }
        let loads = |draws: &mut Draws| [(); 4].map(|()| draws.next(Stream::Load));
        assert_eq!(loads(&mut few), loads(&mut many));
    }

    #[test]
    fn purposes_cpus_and_seeds_draw_differently() {
        let of = |seed, cpu, stream| Draws::new(seed, CpuId(cpu)).next(stream);
        let all = [
            of(1, 0, Stream::Load),
            of(1, 0, Stream::Model),
            of(1, 0, Stream::Lock),
            of(1, 1, Stream::Load),
            of(2, 0, Stream::Load),
        ];
        for (n, value) in all.iter().enumerate() {
            assert!(!all[n + 1..].contains(value), "{all:?}");
        }
    }
}
