//! Newtypes for the quantities that everything else passes around.
//!
//! A number without its unit does not cross a module border: time is [`Cycles`] inside a world and
//! [`Ns`] at its edge, CPUs and NUMA nodes are ids, physical memory is a [`Pfn`] (4 KiB page) or a
//! [`Region`] (2 MiB, the unit of a PAMT page pair).

use core::fmt;

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

newtype! {
    /// Integer time of a world: cycles of the profile's clock when simulated, TSC ticks natively.
    /// 48 bits last 26 hours at 3 GHz.
    Cycles(u64)
}
newtype! {
    /// Nanoseconds, the unit of every result.
    Ns(u64)
}
newtype! {
    /// A logical CPU, dense from 0.
    CpuId(u16)
}
newtype! {
    /// A NUMA node, dense from 0.
    NodeId(u8)
}
newtype! {
    /// A 4 KiB physical page number.
    Pfn(u64)
}
newtype! {
    /// A 2 MiB physical region number: `pfn >> 9`. One PAMT page pair covers one region.
    Region(u32)
}
newtype! {
    /// A 64-byte line of modelled memory. Never derived from a host address.
    LineAddr(u64)
}

/// 4 KiB pages in a 2 MiB region.
pub const PAGES_PER_REGION: u64 = 512;
/// Bytes of a cache line.
pub const LINE_BYTES: u64 = 64;
/// Bytes of a 4 KiB page.
pub const PAGE_BYTES: u64 = 4096;

impl Pfn {
    /// The 2 MiB region that holds this page.
    #[must_use]
    pub const fn region(self) -> Region {
        Region((self.0 / PAGES_PER_REGION) as u32)
    }

    /// Physical address of the page.
    #[must_use]
    pub const fn hpa(self) -> u64 {
        self.0 * PAGE_BYTES
    }
}

impl Region {
    /// The first 4 KiB page of the region.
    #[must_use]
    pub const fn first_pfn(self) -> Pfn {
        Pfn(self.0 as u64 * PAGES_PER_REGION)
    }
}

impl core::ops::Add for Cycles {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl core::ops::AddAssign for Cycles {
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl core::ops::Sub for Cycles {
    type Output = Self;
    /// Panics in debug builds when `rhs` is later: time never runs backwards in a world.
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

/// Converts between a world's [`Cycles`] and nanoseconds; the only place where the two meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    ghz: f64,
}

impl Clock {
    /// A clock of `ghz` cycles a nanosecond; `ghz` is finite and above 0.
    ///
    /// # Panics
    /// When it is not: profiles are validated before they get here.
    #[must_use]
    pub fn new(ghz: f64) -> Self {
        assert!(ghz.is_finite() && ghz > 0.0, "clock frequency must be above 0 GHz, got {ghz}");
        Self { ghz }
    }

    /// Cycles a nanosecond.
    #[must_use]
    pub fn ghz(self) -> f64 {
        self.ghz
    }

    /// Nearest whole number of cycles.
    #[must_use]
    pub fn cycles(self, ns: f64) -> Cycles {
        Cycles((ns * self.ghz).round() as u64)
    }

    /// Nearest whole number of nanoseconds.
    #[must_use]
    pub fn ns(self, cycles: Cycles) -> Ns {
        Ns((cycles.0 as f64 / self.ghz).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_512_pages() {
        assert_eq!(Pfn(511).region(), Region(0));
        assert_eq!(Pfn(512).region(), Region(1));
        assert_eq!(Region(3).first_pfn(), Pfn(1536));
    }

    #[test]
    fn the_clock_rounds_to_nearest() {
        let clock = Clock::new(3.0);
        assert_eq!(clock.cycles(81.0), Cycles(243));
        assert_eq!(clock.ns(Cycles(4)), Ns(1));
        assert_eq!(clock.ns(Cycles(5)), Ns(2));
    }
}
