//! The registry of placements.
//!
//! Where PAMT backing pages come from is a parameter of its own, because PAMT.ADD also takes shared
//! locks on the regions of its two backing pages: a page that lies in another TD's region couples the
//! two.

use pamt_strategies::spec::{nearest, nearest_hint};
use thiserror::Error;

/// What is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Guest memory (`--placement`).
    Guest,
    /// PAMT backing pages (`--pamt-pages`).
    PamtPages,
}

impl Use {
    const fn flag(self) -> &'static str {
        match self {
            Self::Guest => "--placement",
            Self::PamtPages => "--pamt-pages",
        }
    }
}

/// A placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// The kernel's page allocator.
    UnmovablePcp,
    /// Each TD (or each node's pairs) in a range of its own.
    Contiguous,
    /// Page `i` of each TD beside page `i` of the next.
    Interleaved,
    /// 2 MiB of each TD beside 2 MiB of the next.
    Neighbours,
    /// Where a recording of a real host says.
    Recorded,
    /// Uniform over the host's memory.
    Random,
    /// The pair of a region lies in that region.
    SameRegion,
    /// Pairs come from 2 MiB chunks that hold nothing else.
    DedicatedPool,
}

/// A placement, as `list placements` shows it.
#[derive(Debug)]
pub struct PlacementInfo {
    /// Which.
    pub id: Placement,
    /// Name.
    pub name: &'static str,
    /// What it can place.
    pub uses: &'static [Use],
    /// One line.
    pub summary: &'static str,
}

/// All placements.
pub static PLACEMENTS: &[PlacementInfo] = &[
    PlacementInfo {
        id: Placement::UnmovablePcp,
        name: "unmovable-pcp",
        uses: &[Use::Guest, Use::PamtPages],
        summary: "the kernel's page allocator: per-CPU lists over unmovable pageblocks, shared by all users",
    },
    PlacementInfo {
        id: Placement::Contiguous,
        name: "contiguous",
        uses: &[Use::Guest],
        summary: "each TD in a physical range of its own, in order of guest address",
    },
    PlacementInfo {
        id: Placement::Interleaved,
        name: "interleaved",
        uses: &[Use::Guest],
        summary: "page by page in turn over the TDs of a node: every region is shared by all of them",
    },
    PlacementInfo {
        id: Placement::Neighbours,
        name: "neighbours",
        uses: &[Use::Guest],
        summary: "2 MiB in turn over the TDs of a node: lines of metadata are shared, regions are not",
    },
    PlacementInfo {
        id: Placement::Recorded,
        name: "recorded",
        uses: &[Use::Guest],
        summary: "the page numbers of the workload trace:FILE, and of no other",
    },
    PlacementInfo {
        id: Placement::Random,
        name: "random",
        uses: &[Use::Guest, Use::PamtPages],
        summary: "uniform over the memory set aside for it, by the seed",
    },
    PlacementInfo {
        id: Placement::SameRegion,
        name: "same-region",
        uses: &[Use::PamtPages],
        summary: "the two last pages of the region that the pair serves",
    },
    PlacementInfo {
        id: Placement::DedicatedPool,
        name: "dedicated-pool",
        uses: &[Use::PamtPages],
        summary: "2 MiB chunks that hold backing pages only, so never a target of PAMT.ADD or REMOVE",
    },
];

/// No such placement, or not for this use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown placement `{name}` for {flag}{}; it takes {valid}", nearest_hint(.nearest))]
pub struct UnknownPlacement {
    /// As given.
    pub name: String,
    /// The option.
    pub flag: &'static str,
    /// Nearest valid name.
    pub nearest: Option<&'static str>,
    /// All valid names.
    pub valid: String,
}

impl Placement {
    /// The placement of a name.
    ///
    /// # Errors
    /// No such name for this use.
    pub fn parse(name: &str, for_use: Use) -> Result<Self, UnknownPlacement> {
        let valid = || PLACEMENTS.iter().filter(|info| info.uses.contains(&for_use));
        valid().find(|info| info.name == name).map(|info| info.id).ok_or_else(|| UnknownPlacement {
            name: name.to_owned(),
            flag: for_use.flag(),
            nearest: nearest(name, valid().map(|info| info.name)),
            valid: valid().map(|info| info.name).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_known_only_for_its_use() {
        assert_eq!(Placement::parse("random", Use::Guest), Ok(Placement::Random));
        let wrong = Placement::parse("dedicated-pol", Use::PamtPages).expect_err("misspelt");
        assert!(wrong.to_string().contains("`dedicated-pool`"), "{wrong}");
        let wrong = Placement::parse("dedicated-pool", Use::Guest).expect_err("not for guests");
        assert!(wrong.to_string().contains("--placement"), "{wrong}");
    }
}
