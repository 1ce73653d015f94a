//! The leaves as data: locks in order, RMW counts, page types, work, statuses (tdx-module.md
//! section 3). A walk takes the 1 GiB and 2 MiB entries shared, and the 4 KiB entry as said. `list leaves` prints it, and the tests hold the steps to it.

use pamt_strategies::module::{Leaf, Operand, StatusName};

use crate::tdx::cx::Mode;

/// A lock that a leaf takes, in the order of its code.
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
    /// Statuses besides OPERAND_BUSY, OPERAND_INVALID and OPERAND_ADDR_RANGE_ERROR.
    pub statuses: &'static [StatusName],
}

/// The sheet of a leaf.
#[must_use]
pub fn leaf_sheet(leaf: Leaf) -> &'static LeafSheet {
    &SHEETS[leaf.index()]
}

/// Keys of the profile that price a leaf, besides locked instructions and key-hole mappings.
#[must_use]
pub fn leaf_costs(leaf: Leaf) -> Vec<&'static str> {
    const STORE: &str = "memory.direct_store_line_ns";
    const SCAN: &str = "memory.scan_line_ns";
    const BLOCK: &str = "tdx.sha384_block_ns";
    let transition = match leaf {
        Leaf::VpEnter => "tdx.td_enter_exit_ns",
        Leaf::TdgMemPageAccept => "tdx.tdcall_ns",
        _ => "tdx.seamcall_ns",
    };
    let own: &[&str] = match leaf {
        Leaf::MngCreate => &[STORE, "tdx.rdseed_ns"],
        Leaf::MngKeyConfig => &["tdx.pconfig_ns"],
        Leaf::MngInit => &["tdx.mng_init_ns"],
        Leaf::MngAddcx
        | Leaf::VpCreate
        | Leaf::VpAddcx
        | Leaf::MemSeptAdd
        | Leaf::MemPageDemote
        | Leaf::PhymemPamtAdd
        | Leaf::TdgMemPageAccept => &[STORE],
        Leaf::VpInit => &["tdx.vp_init_ns"],
        Leaf::VpFlush => &["tdx.vp_flush_ns"],
        Leaf::MemPageAdd => &[SCAN, STORE, BLOCK],
        Leaf::MrExtend => &[SCAN, BLOCK],
        Leaf::MrFinalize => &[BLOCK],
        Leaf::MemSeptRemove | Leaf::MemPagePromote => &[SCAN],
        Leaf::PhymemPamtRemove => &[SCAN, "tdx.pamt_remove_loop_ns"],
        Leaf::PhymemPageWbinvd => &["memory.flush_line_ns"],
        Leaf::PhymemCacheWb => &[SCAN, "tdx.cache_wb_block_ns"],
        _ => &[],
    };
    std::iter::once(transition).chain(own.iter().copied()).collect()
}

const fn lock(what: &'static str, mode: Mode, busy: Operand) -> LockSheet {
    LockSheet { what, mode, busy }
}

use Mode::{Exclusive as X, Shared as S};
use Operand as O;
use StatusName as St;

const OP_STATE: LockSheet = lock("TDCS.OP_STATE", S, O::OP_STATE);
const TREE_S: LockSheet = lock("Secure EPT tree", S, O::SEPT_TREE);
const TREE_X: LockSheet = lock("Secure EPT tree", X, O::SEPT_TREE);
const ENTRY: LockSheet = lock("Secure EPT entry", X, O::RCX);
const KOT_X: LockSheet = lock("KOT", X, O::KOT);
const TDR_RCX_X: LockSheet = lock("walk to TDR", X, O::RCX);
const TDR_RCX_S: LockSheet = lock("walk to TDR", S, O::RCX);
const TDR_RDX_X: LockSheet = lock("walk to TDR", X, O::RDX);
const TDR_RDX_S: LockSheet = lock("walk to TDR", S, O::RDX);
const OWNER_S: LockSheet = lock("4 KiB entry of the owning TDR", S, O::TDR);

/// In the order of [`Leaf::ALL`].
#[rustfmt::skip]
static SHEETS: [LeafSheet; Leaf::COUNT] = [
    LeafSheet {
        leaf: Leaf::VpEnter,
        summary: "enters a VCPU's guest; 5 more locked instructions at the exit",
        locks: &[lock("walk to TDVPR (held until the exit)", S, O::RCX), lock("4 KiB entry of the owning TDR (held until the exit)", S, O::TDR), OP_STATE, lock("TD epoch", S, O::TD_EPOCH)],
        rmw: (10, 11),
        pamt: "none",
        work: "state restore; association CMPXCHG; epoch refcount",
        statuses: &[St::VcpuAssociated, St::VcpuStateIncorrect, St::OpStateIncorrect, St::TscRollback, St::TdKeysNotConfigured],
    },
    LeafSheet {
        leaf: Leaf::MngAddcx,
        summary: "adds a control page to a TD",
        locks: &[TDR_RDX_X, lock("walk to the page", X, O::RCX)],
        rmw: (13, 13),
        pamt: "NDA to TDCX, page_count + 1",
        work: "4 KiB MOVDIR64B; chldcnt by plain store",
        statuses: &[St::TdKeysNotConfigured, St::TdcxNumIncorrect, St::OpStateIncorrect, St::MissingPamtPagePair, St::PageMetadataIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemPageAdd,
        summary: "adds an initial page with its contents",
        locks: &[TDR_RDX_X, lock("walk to the page", X, O::R8)],
        rmw: (13, 13),
        pamt: "NDA to REG, page_count + 1",
        work: "4 KiB copy, one SHA-384 block; chldcnt and entry by plain stores",
        statuses: &[St::OpStateIncorrect, St::EptWalkFailed, St::EptEntryStateIncorrect, St::MissingPamtPagePair, St::PageMetadataIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemSeptAdd,
        summary: "adds a table to the Secure EPT",
        locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("walk to the table's page", X, O::R8)],
        rmw: (22, 22),
        pamt: "NDA to EPT, page_count + 1",
        work: "4 KiB MOVDIR64B; chldcnt XADD",
        statuses: &[St::EptWalkFailed, St::EptEntryStateIncorrect, St::MissingPamtPagePair, St::PageMetadataIncorrect],
    },
    LeafSheet {
        leaf: Leaf::VpAddcx,
        summary: "adds a control page to a VCPU",
        locks: &[lock("walk to TDVPR", X, O::RDX), OWNER_S, OP_STATE, lock("walk to the page", X, O::RCX)],
        rmw: (18, 18),
        pamt: "NDA to TDCX, page_count + 1",
        work: "4 KiB MOVDIR64B; chldcnt XADD",
        statuses: &[St::VcpuStateIncorrect, St::TdcxNumIncorrect, St::OpStateIncorrect, St::MissingPamtPagePair],
    },
    LeafSheet {
        leaf: Leaf::MemPageAug,
        summary: "adds a pending page to a TD; 2 MiB pages: 19 locked instructions",
        locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("walk to the page", X, O::R8)],
        rmw: (19, 21),
        pamt: "NDA to REG, page_count + 1 (4 KiB)",
        work: "entry CMPXCHG to PENDING; chldcnt XADD; the page is not touched",
        statuses: &[St::EptWalkFailed, St::EptEntryStateIncorrect, St::MissingPamtPagePair, St::PageMetadataIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemRangeBlock,
        summary: "blocks an entry for new translations",
        locks: &[TDR_RDX_S, OP_STATE, TREE_X, ENTRY],
        rmw: (14, 14),
        pamt: "writes BEPOCH without a lock",
        work: "entry CMPXCHG",
        statuses: &[St::GpaRangeAlreadyBlocked, St::EptWalkFailed, St::EptEntryStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MngKeyConfig,
        summary: "configures a TD's key on the caller's package",
        locks: &[TDR_RCX_X, lock("key engine of the package (hardware)", X, O::KET)],
        rmw: (6, 6),
        pamt: "none",
        work: "PCONFIG",
        statuses: &[St::LifecycleStateIncorrect, St::KeyConfigured],
    },
    LeafSheet {
        leaf: Leaf::MngCreate,
        summary: "creates a TD from its root page and a key id",
        locks: &[lock("walk to TDR", X, O::RCX), KOT_X],
        rmw: (9, 9),
        pamt: "NDA to TDR, page_count + 1",
        work: "4 KiB MOVDIR64B; RDSEED 4 x 64; KOT entry FREE to ASSIGNED",
        statuses: &[St::MissingPamtPagePair, St::PageMetadataIncorrect, St::HkidNotFree],
    },
    LeafSheet {
        leaf: Leaf::VpCreate,
        summary: "creates a VCPU from its root page",
        locks: &[TDR_RDX_S, OP_STATE, lock("walk to the page", X, O::RCX)],
        rmw: (16, 16),
        pamt: "NDA to TDVPR, page_count + 1",
        work: "4 KiB MOVDIR64B; chldcnt XADD",
        statuses: &[St::OpStateIncorrect, St::TdcsNotAllocated, St::MissingPamtPagePair],
    },
    LeafSheet {
        leaf: Leaf::MemPageDemote,
        summary: "splits a 2 MiB page; takes the pair of its region in R12 and R13",
        locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("walk to the new table's page", X, O::R8), lock("2 MiB entry of the page", X, O::RCX), lock("walk to backing page 0", S, O::R12), lock("walk to backing page 1", S, O::R13)],
        rmw: (34, 39),
        pamt: "new table NDA to EPT, + 1; 2 MiB REG to PAMT, page_count 512",
        work: "4 KiB table and 8 KiB of PAMT entries by MOVDIR64B; 2 bitmap BTS",
        statuses: &[St::EptWalkFailed, St::EptEntryStateIncorrect, St::GpaRangeNotBlocked, St::TlbTrackingNotDone, St::MissingPamtPagePair, St::PageNotFree],
    },
    LeafSheet {
        leaf: Leaf::MrExtend,
        summary: "measures 256 bytes of an initial page",
        locks: &[TDR_RDX_X],
        rmw: (6, 6),
        pamt: "none",
        work: "three SHA-384 blocks",
        statuses: &[St::EptEntryNotPresent, St::EptWalkFailed, St::OpStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MrFinalize,
        summary: "ends the build of a TD",
        locks: &[TDR_RCX_X],
        rmw: (7, 7),
        pamt: "none",
        work: "SHA-384 of the end; td_build_count XADD",
        statuses: &[St::NoVcpus, St::OpStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::VpFlush,
        summary: "takes a VCPU from the CPU that it is associated with",
        locks: &[lock("walk to TDVPR", X, O::RCX), OWNER_S],
        rmw: (9, 9),
        pamt: "none",
        work: "INVEPT, VMCLEAR; num_assoc_vcpus XADD",
        statuses: &[St::VcpuNotAssociated, St::TdKeysNotConfigured],
    },
    LeafSheet {
        leaf: Leaf::MngVpflushdone,
        summary: "says that all VCPUs of a TD are flushed",
        locks: &[TDR_RCX_X, KOT_X],
        rmw: (8, 9),
        pamt: "none",
        work: "KOT entry ASSIGNED to FLUSHED; life cycle to BLOCKED",
        statuses: &[St::FlushvpNotDone, St::LifecycleStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MngKeyFreeid,
        summary: "frees a TD's key id",
        locks: &[TDR_RCX_X, KOT_X],
        rmw: (8, 8),
        pamt: "none",
        work: "KOT entry FLUSHED to FREE; life cycle to TEARDOWN",
        statuses: &[St::WbcacheNotComplete, St::LifecycleStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MngInit,
        summary: "initialises a TD (its parameters are not modelled)",
        locks: &[TDR_RCX_X],
        rmw: (7, 7),
        pamt: "none",
        work: "reads TD_PARAMS, fills tables; td_build_count XADD",
        statuses: &[St::TdcsNotAllocated, St::TdKeysNotConfigured, St::OpStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::VpInit,
        summary: "initialises a VCPU; from version 1 on the TD is held exclusively",
        locks: &[lock("walk to TDVPR", X, O::RCX), lock("4 KiB entry of the owning TDR (X from version 1)", S, O::TDR), OP_STATE],
        rmw: (12, 12),
        pamt: "none",
        work: "VMCS initialisation; num_vcpus and num_assoc_vcpus XADD",
        statuses: &[St::MaxVcpusExceeded, St::X2apicIdNotUnique, St::VcpuStateIncorrect, St::TdcxNumIncorrect, St::OpStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemPagePromote,
        summary: "merges 512 pages; returns the pair of their region in R12 and R13",
        locks: &[TDR_RDX_S, OP_STATE, TREE_X, ENTRY, lock("4 KiB entry of the table's page", X, O::RCX), lock("2 MiB entry of the pages", X, O::RCX)],
        rmw: (22, 23),
        pamt: "table EPT to NDA, - 1; 2 MiB PAMT to REG",
        work: "scan of the table; 2 bitmap BTR",
        statuses: &[St::EptInvalidPromoteConditions, St::EptWalkFailed, St::EptEntryStateIncorrect, St::GpaRangeNotBlocked, St::TlbTrackingNotDone],
    },
    LeafSheet {
        leaf: Leaf::PhymemPageRdmd,
        summary: "reads the metadata of a page at the level asked for",
        locks: &[lock("walk to the page", S, O::RCX)],
        rmw: (2, 6),
        pamt: "none",
        work: "out: type, owner, level, BEPOCH, pair",
        statuses: &[],
    },
    LeafSheet {
        leaf: Leaf::MngKeyReclaimid,
        summary: "does nothing, always SUCCESS",
        locks: &[],
        rmw: (0, 0),
        pamt: "none",
        work: "none",
        statuses: &[],
    },
    LeafSheet {
        leaf: Leaf::PhymemPageReclaim,
        summary: "takes a page from a TD whose key id is freed; the TDR page last, with 7",
        locks: &[lock("walk to the page", X, O::RCX), OWNER_S],
        rmw: (7, 10),
        pamt: "any to NDA, page_count - 1 (hint in R9)",
        work: "chldcnt XADD",
        statuses: &[St::LifecycleStateIncorrect, St::TdAssociatedPagesExist, St::PageMetadataIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemPageRemove,
        summary: "takes a page from a TD that has its key",
        locks: &[TDR_RDX_S, OP_STATE, TREE_S, ENTRY, lock("4 KiB entry of the page", X, O::RCX)],
        rmw: (16, 18),
        pamt: "REG to NDA, page_count - 1 (hint in RCX)",
        work: "chldcnt XADD; entry CMPXCHG to FREE",
        statuses: &[St::GpaRangeNotBlocked, St::TlbTrackingNotDone, St::EptWalkFailed, St::EptEntryStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemSeptRemove,
        summary: "takes an empty table from the Secure EPT",
        locks: &[TDR_RDX_S, OP_STATE, TREE_X, ENTRY, lock("4 KiB entry of the table's page", X, O::RCX)],
        rmw: (17, 18),
        pamt: "EPT to NDA, page_count - 1 (hint in RCX)",
        work: "scan of the table; chldcnt XADD",
        statuses: &[St::GpaRangeNotBlocked, St::TlbTrackingNotDone, St::EptPageNotFree, St::EptWalkFailed, St::EptEntryStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::MemTrack,
        summary: "starts a new TLB epoch of a TD",
        locks: &[TDR_RCX_S, OP_STATE, lock("TD epoch", X, O::TD_EPOCH)],
        rmw: (10, 10),
        pamt: "none",
        work: "td_epoch + 1",
        statuses: &[St::PreviousTlbEpochBusy, St::OpStateIncorrect],
    },
    LeafSheet {
        leaf: Leaf::PhymemCacheWb,
        summary: "writes a package's caches back; one more locked instruction a key id",
        locks: &[lock("WBT entry of the package", X, O::WBCACHE), lock("KOT (held for the whole call)", S, O::KOT)],
        rmw: (5, 2051),
        pamt: "none",
        work: "16 blocks; a timer interrupt ends the call, RCX = 1 resumes",
        statuses: &[St::NoHkidReadyToWbcache, St::WbcacheResumeError, St::InterruptedResumable],
    },
    LeafSheet {
        leaf: Leaf::PhymemPageWbinvd,
        summary: "writes the lines of a free page back",
        locks: &[lock("walk to the page", S, O::RCX)],
        rmw: (4, 6),
        pamt: "must be NDA",
        work: "64 CLFLUSHOPT",
        statuses: &[St::PageMetadataIncorrect],
    },
    LeafSheet {
        leaf: Leaf::PhymemPamtAdd,
        summary: "gives a page pair to a region",
        locks: &[lock("2 MiB entry of the target (S, then promoted)", X, O::RCX), lock("walk to backing page 0, if outside the target", S, O::RDX), lock("walk to backing page 1, if outside the target", S, O::R8)],
        rmw: (7, 19),
        pamt: "2 MiB NDA to PAMT, page_count 0",
        work: "8 KiB MOVDIR64B; 2 bitmap BTS",
        statuses: &[St::HpaRangeNotFree, St::PageNotFree],
    },
    LeafSheet {
        leaf: Leaf::PhymemPamtRemove,
        summary: "takes the page pair of a region back",
        locks: &[lock("2 MiB entry of the target (S, then promoted)", X, O::RCX)],
        rmw: (7, 7),
        pamt: "2 MiB PAMT to NDA",
        work: "scan of 512 entries (8 KiB); 2 bitmap BTR",
        statuses: &[St::NoPamtPagePair, St::PamtPageNotEmpty],
    },
    LeafSheet {
        leaf: Leaf::TdgMemPageAccept,
        summary: "the guest accepts a pending page; a hole or a blocked page ends in a TD exit",
        locks: &[lock("Secure EPT entry, as a guest", X, O::RCX)],
        rmw: (3, 3),
        pamt: "none",
        work: "4 KiB MOVDIR64B, 512 times for a 2 MiB page",
        statuses: &[St::PageAlreadyAccepted, St::PageSizeMismatch, St::HostPriorityBusyTimeout],
    },
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
