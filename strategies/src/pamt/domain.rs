//! Which lock of an array guards which region.

use crate::units::Region;

/// 2^64 divided by the golden ratio, as in the kernel's `hash_64()`.
const GOLDEN_RATIO: u64 = 0x61c8_8646_80b5_83eb;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// One lock for all.
    One,
    /// 2M number modulo a power of two.
    Modulo { locks: u64 },
    /// Multiplicative hash to a power of two, so that neighbours get unrelated locks.
    Mix { locks: u64 },
    /// One lock for each block of so many neighbouring regions.
    Block { regions: u64 },
    /// One lock a region.
    Region,
}

impl Domain {
    /// Instance that guards `region`.
    pub(super) fn instance(self, region: Region) -> usize {
        let region = u64::from(region.0);
        let index = match self {
            Self::One => 0,
            Self::Modulo { locks } => region & (locks - 1),
            Self::Mix { locks } => {
                let bits = locks.trailing_zeros();
                region.wrapping_mul(GOLDEN_RATIO).checked_shr(64 - bits).unwrap_or(0)
            }
            Self::Block { regions } => region / regions,
            Self::Region => region,
        };
        index as usize
    }

    /// Number of locks for a host of `regions`.
    pub(super) fn locks(self, regions: usize) -> usize {
        match self {
            Self::One => 1,
            Self::Modulo { locks } | Self::Mix { locks } => locks as usize,
            Self::Block { regions: block } => regions.div_ceil(block as usize),
            Self::Region => regions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_a_lock_that_exists() {
        for domain in [
            Domain::One,
            Domain::Modulo { locks: 64 },
            Domain::Mix { locks: 64 },
            Domain::Mix { locks: 1 },
            Domain::Block { regions: 512 },
            Domain::Block { regions: 500 },
            Domain::Region,
        ] {
            for region in 0..4096 {
                assert!(domain.instance(Region(region)) < domain.locks(4096), "{domain:?}");
            }
        }
    }

    #[test]
    fn neighbours_get_other_locks() {
        for domain in [Domain::Modulo { locks: 64 }, Domain::Mix { locks: 64 }] {
            let used: std::collections::BTreeSet<_> =
                (0..64).map(|region| domain.instance(Region(region))).collect();
            assert!(used.len() >= 40, "{domain:?} uses {} of 64 locks", used.len());
        }
    }
}
