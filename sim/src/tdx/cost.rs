//! What the module's own work costs, apart from its memory accesses: section `[tdx]` of a profile.
//!
//! Locked instructions, scans and MOVDIR64B stores are priced by the machine, line by line; here are
//! the rest: transitions, key-hole mappings, SHA blocks, random numbers. Each cost is anchored alone
//! to its own source, never fitted so that a sum comes out. A call draws each cost from a triangular
//! distribution around it; load stretches the bulk stores on top of that.

use std::hint::select_unpredictable;
use std::sync::OnceLock;

use pamt_strategies::platform::{Platform, Stream};
use pamt_strategies::units::{Clock, Cycles};

use crate::machine::{Profile, ProfileError};

/// The profile whose `[tdx]` section stands in for those of profiles without one.
const FALLBACK: &str = "spr-2s";

/// A cost in cycles of a world's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    low: u64,
    typical: u64,
    high: u64,
}

impl Draw {
    /// One value of the triangular distribution. Only the square root is not exact arithmetic, and
    /// IEEE 754 rounds that one correctly: equal bits everywhere.
    pub(super) fn draw<P: Platform>(self, cpu: &P::Cpu) -> Cycles {
        let Self { low, typical, high } = self;
        if low == high {
            return Cycles(low);
        }
        let u = (P::random(cpu, Stream::Model) >> 11) as f64 / (1_u64 << 53) as f64;
        let width = (high - low) as f64;
        let rise = (typical - low) as f64;
        // Chance decides which side it is: the host would foresee no branch.
        let rises = u * width < rise;
        let fall = (high - typical) as f64;
        let area = select_unpredictable(rises, u * width * rise, (1.0 - u) * width * fall);
        let root = area.sqrt() as u64;
        Cycles(select_unpredictable(rises, low + root, high - root))
    }

    /// The part before the leaf's first step, and the part after its last.
    pub(super) const fn halves(self) -> (Self, Self) {
        let Self { low, typical, high } = self;
        let first = Self { low: low / 2, typical: typical / 2, high: high / 2 };
        let second = Self {
            low: low - first.low,
            typical: typical - first.typical,
            high: high - first.high,
        };
        (first, second)
    }
}

macro_rules! costs {
    ($($name:ident = $key:literal;)*) => {
        /// The costs of a machine, in nanoseconds.
        #[derive(Clone, Debug, PartialEq)]
        pub struct CostTable {
            $($name: f64,)*
            spread: f64,
        }

        impl CostTable {
            /// Names of the keys, in the order of the profile.
            pub const KEYS: &'static [&'static str] = &[$($key,)*];

            /// No costs at all: the module's own steps, for threads of a host.
            #[must_use]
            pub fn free() -> Self {
                Self { $($name: 0.0,)* spread: 0.0 }
            }

            /// The costs of a profile; what it does not give is taken from `spr-2s`.
            ///
            /// # Errors
            /// Neither has a value.
            pub fn load(profile: &Profile) -> Result<Self, ProfileError> {
                let fallback = Profile::builtin(FALLBACK)?;
                let value = |key| -> Result<f64, ProfileError> {
                    profile.value(key).or_else(|_| fallback.value(key)).map(|value| value.v)
                };
                Ok(Self { $($name: value($key)?,)* spread: value("tdx.spread_frac")? })
            }

            /// The costs in cycles of `clock`.
            pub(super) fn at(&self, clock: Clock) -> Costs {
                let draw = |ns: f64| Draw {
                    low: clock.cycles(ns * (1.0 - self.spread)).0,
                    typical: clock.cycles(ns).0,
                    high: clock.cycles(ns * (1.0 + self.spread)).0,
                };
                Costs { $($name: draw(self.$name),)* }
            }
        }

        /// The same in cycles, ready to draw from.
        pub(super) struct Costs {
            $(pub(super) $name: Draw,)*
        }
    };
}

costs! {
    seamcall = "tdx.seamcall_ns";
    tdcall = "tdx.tdcall_ns";
    td_enter_exit = "tdx.td_enter_exit_ns";
    map_hit = "tdx.map_hit_ns";
    map_miss = "tdx.map_miss_ns";
    pamt_remove_loop = "tdx.pamt_remove_loop_ns";
    rdseed = "tdx.rdseed_ns";
    sha384_block = "tdx.sha384_block_ns";
    pconfig = "tdx.pconfig_ns";
    cache_wb_block = "tdx.cache_wb_block_ns";
    vp_init = "tdx.vp_init_ns";
    mng_init = "tdx.mng_init_ns";
    vp_flush = "tdx.vp_flush_ns";
}

impl Default for CostTable {
    /// The costs of `spr-2s`, read once: scripts make a module for each schedule.
    fn default() -> Self {
        static FALLBACK_COSTS: OnceLock<CostTable> = OnceLock::new();
        let load = || {
            Profile::builtin(FALLBACK)
                .and_then(|profile| Self::load(&profile))
                .expect("the built-in profile is complete: a test parses it")
        };
        FALLBACK_COSTS.get_or_init(load).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stepped::{Stepped, SteppedBuild};

    #[test]
    fn draws_lie_in_their_range_and_have_its_mean() {
        let cpu = &SteppedBuild::new(1, 1).start()[0];
        let draw = Draw { low: 900, typical: 1000, high: 1300 };
        let draws: Vec<_> = (0..20_000).map(|_| draw.draw::<Stepped>(cpu).0).collect();
        assert!(draws.iter().all(|cycles| (900..=1300).contains(cycles)));
        let mean = draws.iter().sum::<u64>() as f64 / draws.len() as f64;
        // (900 + 1000 + 1300) / 3, within five standard errors.
        assert!((mean - 1066.7).abs() < 3.1, "{mean}");
    }
}
