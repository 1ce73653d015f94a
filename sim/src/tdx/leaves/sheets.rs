//! The leaves as data: locks in order, RMW counts, page types, work, costs, statuses (tdx-module.md
//! section 3). A leaf's sheet stands beside its steps; here is what a sheet holds, and the table of all
//! of them. `list leaves` prints them, and the conformance suite must cover each status and each BUSY
//! that they name.

use pamt_strategies::module::{Leaf, Operand, StatusName};

use crate::tdx::cx::Mode;

/// A lock that a leaf takes, in the order of its code. A walk takes the 1 GiB and 2 MiB entries
/// shared, and the 4 KiB entry as said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockSheet {
    /// What it locks.
    pub what: &'static str,
    /// How.
    pub mode: Mode,
    /// Operand that OPERAND_BUSY names when it is taken.
    pub busy: Operand,
}

/// What there is to know about a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafSheet {
    /// The leaf.
    pub leaf: Leaf,
    /// What it does.
    pub summary: &'static str,
    /// Locks, in order.
    pub locks: &'static [LockSheet],
    /// Least and most locked instructions on uncontended success in dynamic mode.
    pub rmw: (u32, u32),
    /// Change of page types and counts.
    pub pamt: &'static str,
    /// Work besides locks.
    pub work: &'static str,
    /// Keys of the profile that price it, besides the transition, locked instructions and key-hole
    /// mappings.
    pub costs: &'static [&'static str],
    /// Statuses besides SUCCESS and OPERAND_BUSY, each with the operands that it may name; none: its
    /// details say something else, or nothing. OPERAND_INVALID|RAX (version, or a TDCALL outside of a
    /// guest), SYS_NOT_READY and SYS_SHUTDOWN can come from every leaf.
    pub statuses: &'static [(StatusName, &'static [Operand])],
}

impl LeafSheet {
    /// Where the public source of the module has it, below `src/`.
    #[must_use]
    pub fn source(&self) -> String {
        let folder = match self.leaf {
            Leaf::VpEnter => "td_transitions",
            Leaf::TdgMemPageAccept => "td_dispatcher/vm_exits",
            _ => "vmm_dispatcher/api_calls",
        };
        format!("{folder}/{}.c", self.leaf.name().to_lowercase().replace('.', "_"))
    }

    /// The highest version of its ABI.
    #[must_use]
    pub fn most_version(&self) -> u64 {
        match self.leaf {
            // Version 1 of SEPT.ADD adds tables of L2 VMs as well; without any it is version 0.
            Leaf::VpInit | Leaf::MemSeptAdd => 1,
            _ => 0,
        }
    }

    /// Key of the profile that prices getting into the module and out again.
    #[must_use]
    pub fn transition_cost(&self) -> &'static str {
        match self.leaf {
            Leaf::VpEnter => "tdx.td_enter_exit_ns",
            Leaf::TdgMemPageAccept => "tdx.tdcall_ns",
            _ => "tdx.seamcall_ns",
        }
    }
}

/// The sheet of a leaf.
#[must_use]
pub fn leaf_sheet(leaf: Leaf) -> &'static LeafSheet {
    SHEETS[leaf.index()]
}

/// Short names that sheets are written in.
pub(super) mod notation {
    pub(in crate::tdx::leaves) use pamt_strategies::module::{
        Leaf, Operand as O, StatusName as St,
    };

    pub(in crate::tdx::leaves) use super::{LeafSheet, LockSheet};
    use crate::tdx::cx::Mode;
    pub(in crate::tdx::leaves) use crate::tdx::cx::Mode::{Exclusive as X, Shared as S};

    pub(in crate::tdx::leaves) const DIRECT_STORE: &str = "memory.direct_store_line_ns";
    pub(in crate::tdx::leaves) const SCAN: &str = "memory.scan_line_ns";
    pub(in crate::tdx::leaves) const SHA384: &str = "tdx.sha384_block_ns";

    pub(in crate::tdx::leaves) const fn lock(what: &'static str, mode: Mode, busy: O) -> LockSheet {
        LockSheet { what, mode, busy }
    }

    pub(in crate::tdx::leaves) const OP_STATE: LockSheet = lock("TDCS.OP_STATE", S, O::OP_STATE);
    pub(in crate::tdx::leaves) const TREE_S: LockSheet = lock("Secure EPT tree", S, O::SEPT_TREE);
    pub(in crate::tdx::leaves) const TREE_X: LockSheet = lock("Secure EPT tree", X, O::SEPT_TREE);
    pub(in crate::tdx::leaves) const ENTRY: LockSheet = lock("Secure EPT entry", X, O::RCX);
    pub(in crate::tdx::leaves) const KOT_X: LockSheet = lock("KOT", X, O::KOT);
    pub(in crate::tdx::leaves) const TDR_RCX_X: LockSheet = lock("walk to TDR", X, O::RCX);
    pub(in crate::tdx::leaves) const TDR_RCX_S: LockSheet = lock("walk to TDR", S, O::RCX);
    pub(in crate::tdx::leaves) const TDR_RDX_X: LockSheet = lock("walk to TDR", X, O::RDX);
    pub(in crate::tdx::leaves) const TDR_RDX_S: LockSheet = lock("walk to TDR", S, O::RDX);
    pub(in crate::tdx::leaves) const OWNER_S: LockSheet =
        lock("4 KiB entry of the owning TDR", S, O::TDR);
}

/// In the order of [`Leaf::ALL`].
static SHEETS: [&LeafSheet; Leaf::COUNT] = [
    &super::vp_enter::ENTER,
    &super::mng::ADDCX,
    &super::mem_build::ADD,
    &super::mem_sept::ADD,
    &super::vp::ADDCX,
    &super::mem_page::AUG,
    &super::mem_track::BLOCK,
    &super::mng::KEY_CONFIG,
    &super::mng::CREATE,
    &super::vp::CREATE,
    &super::mem_split::DEMOTE,
    &super::mem_build::EXTEND,
    &super::mem_build::FINALIZE,
    &super::vp::FLUSH,
    &super::mng_key::VPFLUSHDONE,
    &super::mng_key::FREEID,
    &super::mng::INIT,
    &super::vp::INIT,
    &super::mem_split::PROMOTE,
    &super::phymem_page::RDMD,
    &super::mng_key::RECLAIMID,
    &super::phymem_page::RECLAIM,
    &super::mem_page::REMOVE,
    &super::mem_sept::REMOVE,
    &super::mem_track::TRACK,
    &super::mng_key::CACHE_WB,
    &super::phymem_page::WBINVD,
    &super::phymem_pamt::ADD,
    &super::phymem_pamt::REMOVE,
    &super::accept::ACCEPT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_has_its_own_sheet() {
        for leaf in Leaf::ALL {
            assert_eq!(leaf_sheet(*leaf).leaf, *leaf, "{leaf}");
        }
    }
}
