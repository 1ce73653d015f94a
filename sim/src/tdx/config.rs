//! What a module instance is configured for.

use pamt_strategies::units::{PAGES_PER_REGION, Pfn};

/// Whether PAMT.ADD and PAMT.REMOVE hold their target exclusively.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetLock {
    /// As shipped: shared, then promoted.
    #[default]
    Exclusive,
    /// What if: shared only; the type field of the entry is claimed by one CMPXCHG, so that other
    /// shared walks (and other leaves of the region) do not conflict.
    Shared,
}

/// Whether PAMT.ADD and DEMOTE walk the regions of their backing pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackingLock {
    /// As shipped: a shared walk each.
    #[default]
    Shared,
    /// What if: none; the bitmap alone claims a backing page.
    None,
}

/// Whether DEMOTE and PROMOTE look for interrupts before they commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SplitInterrupt {
    /// They do not: what hosts with large pages require (TDX_FEATURES0 bit 51).
    #[default]
    Deferred,
    /// A pending interrupt ends them with INTERRUPTED_RESTARTABLE and nothing done.
    Restartable,
}

/// How far the system is brought up. The SYS.* leaves are not modelled; a module begins in one of
/// their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SystemState {
    /// After SYS.CONFIG: leaves return SYS_NOT_READY.
    Configured,
    /// After SYS.KEY.CONFIG on all packages, all memory initialised by SYS.TDMR.INIT.
    #[default]
    Ready,
}

/// The module's own locking of page pairs: as shipped by default, or a what-if.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locking {
    /// On the target region.
    pub target: TargetLock,
    /// On the regions of the backing pages.
    pub backing: BackingLock,
}

/// Configuration of a [`Module`](super::Module).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleConfig {
    /// 2 MiB regions of memory that the module manages, from physical address 0; each node has an
    /// equal, contiguous part.
    pub regions: u32,
    /// Most TDs at a time.
    pub tds: u32,
    /// Most VCPUs at a time, over all TDs.
    pub vcpus: u32,
    /// Most Secure EPT pages at a time, over all TDs, roots included.
    pub sept_pages: u32,
    /// CPU packages: each has a WBT entry and takes part in key configuration.
    pub packages: u8,
    /// Dynamic PAMT (bit 16 of R8 of TDH.SYS.CONFIG); off, all PAMT_4K entries always exist.
    pub dynamic: bool,
    /// Locking of page pairs.
    pub locking: Locking,
    /// Interruption of DEMOTE and PROMOTE.
    pub split_interrupt: SplitInterrupt,
    /// System state at the start.
    pub system: SystemState,
}

impl ModuleConfig {
    /// Dynamic PAMT as shipped on one package, with room for `tds` TDs of `vcpus_per_td` VCPUs that
    /// map all of `regions` between them, each page table page half used.
    #[must_use]
    pub fn dynamic(regions: u32, tds: u32, vcpus_per_td: u32) -> Self {
        Self {
            regions,
            tds,
            vcpus: tds * vcpus_per_td,
            // A leaf table for each 2 MiB of guest memory, twice over, and the tables above.
            sept_pages: 2 * regions + 16 * tds,
            packages: 1,
            dynamic: true,
            locking: Locking::default(),
            split_interrupt: SplitInterrupt::default(),
            system: SystemState::default(),
        }
    }

    /// 4 KiB pages managed.
    pub(super) fn pages(&self) -> u64 {
        u64::from(self.regions) * PAGES_PER_REGION
    }

    /// Whether a page is managed.
    pub(super) fn covers(&self, pfn: Pfn) -> bool {
        pfn.0 < self.pages()
    }
}

/// Why a module could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// A count that has to be above 0.
    #[error("module configuration: {0} is 0; give at least 1")]
    Zero(&'static str),
    /// More packages than a WBT bitmap has bits.
    #[error("module configuration: {0} packages; at most 8 are supported")]
    Packages(u8),
    /// Memory beyond the first key id bit.
    #[error("module configuration: {0} regions do not fit below the key id bits; at most {1}")]
    Regions(u32, u32),
}

impl ModuleConfig {
    pub(super) fn check(&self) -> Result<(), ModuleError> {
        let counts = [
            ("regions", self.regions),
            ("tds", self.tds),
            ("vcpus", self.vcpus),
            ("sept_pages", self.sept_pages),
            ("packages", u32::from(self.packages)),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(ModuleError::Zero(name));
        }
        if self.packages > 8 {
            return Err(ModuleError::Packages(self.packages));
        }
        let most = 1 << (super::layout::HKID_SHIFT - 21);
        if self.regions > most {
            return Err(ModuleError::Regions(self.regions, most));
        }
        Ok(())
    }
}
