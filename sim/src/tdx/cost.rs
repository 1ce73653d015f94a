//! What the module's own work costs, apart from its memory accesses.
//!
//! Locked instructions, scans and MOVDIR64B stores are priced by the machine, line by line; here are
//! the rest: transitions, key-hole mappings, SHA blocks, random numbers. Each cost is anchored alone
//! to its own source, never fitted so that a sum comes out. Costs are triangular distributions over
//! their range. Cycle counts of the sources are at 2.2 GHz and stored as time.

use pamt_strategies::platform::Platform;
use pamt_strategies::units::{Clock, Cycles};

/// How a cost is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Read off an instrument, with a source.
    Measured,
    /// Follows from measured values by arithmetic.
    Derived,
    /// Judged; the range says how well.
    Estimated,
}

impl Evidence {
    /// Name in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Derived => "derived",
            Self::Estimated => "estimated",
        }
    }
}

/// A cost with its range and its source, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Least, ns.
    pub low_ns: f64,
    /// Most frequent, ns.
    pub typical_ns: f64,
    /// Most, ns.
    pub high_ns: f64,
    /// How it is known.
    pub evidence: Evidence,
    /// Where from.
    pub source: String,
}

/// Clock of the cycle counts in the sources.
const SOURCE_GHZ: f64 = 2.2;

impl Cost {
    fn cycles(low: f64, typical: f64, high: f64, source: &str) -> Self {
        Self {
            low_ns: low / SOURCE_GHZ,
            typical_ns: typical / SOURCE_GHZ,
            high_ns: high / SOURCE_GHZ,
            evidence: Evidence::Estimated,
            source: source.to_owned(),
        }
    }

    fn at(&self, clock: Clock) -> Draw {
        Draw {
            low: clock.cycles(self.low_ns).0,
            typical: clock.cycles(self.typical_ns).0,
            high: clock.cycles(self.high_ns).0,
        }
    }
}

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
        let u = (P::random(cpu) >> 11) as f64 / (1_u64 << 53) as f64;
        let width = (high - low) as f64;
        let rise = (typical - low) as f64;
        Cycles(if u * width < rise {
            low + (u * width * rise).sqrt() as u64
        } else {
            high - ((1.0 - u) * width * (high - typical) as f64).sqrt() as u64
        })
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
    ($($(#[$doc:meta])* $name:ident = ($low:literal, $typical:literal, $high:literal), $source:literal;)*) => {
        /// The costs of a machine.
        #[derive(Clone, Debug, PartialEq)]
        pub struct CostTable {
            $($(#[$doc])* pub $name: Cost,)*
        }

        impl Default for CostTable {
            /// The values of a 2.2 GHz Sapphire Rapids.
            fn default() -> Self {
                Self { $($name: Cost::cycles($low, $typical, $high, $source),)* }
            }
        }

        impl CostTable {
            /// Name and value of each cost, in the order of this file.
            #[must_use]
            pub fn rows(&self) -> Vec<(&'static str, &Cost)> {
                vec![$((stringify!($name), &self.$name),)*]
            }

            /// The costs in cycles of `clock`.
            pub(super) fn at(&self, clock: Clock) -> Costs {
                Costs { $($name: self.$name.at(clock),)* }
            }
        }

        /// The same in cycles, ready to draw from.
        pub(super) struct Costs {
            $(pub(super) $name: Draw,)*
        }
    };
}

costs! {
    /// SEAMCALL and SEAMRET with the dispatcher, without any leaf.
    seamcall = (2000.0, 2300.0, 2600.0),
        "tdx-module facts 6.2: transition both ways 1,200-1,600 cycles plus dispatcher; no primary source";
    /// TDCALL round trip inside a TD.
    tdcall = (1200.0, 1500.0, 1800.0), "tdx-module facts 6.2: exit and entry without state swap";
    /// What VP.ENTER and the exit that ends it cost together, transition included.
    td_enter_exit = (5000.0, 7000.0, 9000.0),
        "tdx-module facts 6.2: adds XSAVE/XRSTOR, MSR and VMCS switches";
    /// Key-hole mapping of a page that the CPU has mapped.
    map_hit = (30.0, 30.0, 30.0), "tdx-module facts 6.2: per-CPU cache of 88 mappings, LFENCE";
    /// Key-hole mapping of a new page: PTE write, INVLPG, TLB walk.
    map_miss = (200.0, 250.0, 300.0), "tdx-module facts 6.2";
    /// The loop over 512 entries in PAMT.REMOVE, without fetching their lines.
    pamt_remove_loop = (256.0, 700.0, 1300.0),
        "tdx-module facts 6.3 (~1,300 cycles); the low end is two entries a cycle, as the published minimum of 1 us for the leaf demands";
    /// One 64-bit value from RDSEED.
    rdseed = (500.0, 1000.0, 1500.0), "tdx-module facts 6.2";
    /// One SHA-384 block of 128 bytes.
    sha384_block = (700.0, 800.0, 900.0), "tdx-module facts 6.2: AVX code, about 6 cycles a byte";
    /// PCONFIG of a random key on one package.
    pconfig = (44000.0, 110000.0, 220000.0), "tdx-module facts 6.2: 20-100 us, low confidence";
    /// CACHE.WB of one of the 16 blocks of a package's cache.
    cache_wb_block = (137500.0, 344000.0, 687500.0),
        "tdx-module facts 6.2: 1-5 ms a package, low confidence; 16 equal blocks assumed";
    /// VMCS writes and field tables of VP.INIT.
    vp_init = (7700.0, 20000.0, 57000.0),
        "tdx-module facts 6.3: 10,000-60,000 cycles with the transition, low confidence";
    /// TD_PARAMS, CPUID tables and MSR bitmaps of MNG.INIT.
    mng_init = (7700.0, 20000.0, 57000.0),
        "tdx-module facts 6.3: 10,000-60,000 cycles with the transition, low confidence";
    /// INVEPT and VMCLEAR of VP.FLUSH.
    vp_flush = (500.0, 1000.0, 2000.0),
        "no source: an INVEPT of some hundred cycles and a VMCLEAR that writes one page back";
}
