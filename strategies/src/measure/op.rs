//! The operations that a run times, each with a histogram and a name of its own.

use crate::module::Leaf;

/// A timed operation. Spans of operations nest; the nesting is the "where the time goes" view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// `tdx_pamt_get()`, whole.
    PamtGet,
    /// `tdx_pamt_put()`, whole.
    PamtPut,
    /// The part of a get from just before taking the lock to just after releasing it.
    PamtGetSlow,
    /// The same of a put.
    PamtPutSlow,
    /// Reset (8 KB of MOVDIR64B) of a page pair before it is freed.
    PairReset,
    /// Return of a page pair to its allocator.
    PairFree,
    /// Taking a page pair from a cache or the page allocator.
    PairAlloc,
    /// Top-up of a per-vCPU cache, before `mmu_lock`.
    Topup,
    /// A private EPT violation, from exit to re-entry.
    Fault,
    /// A fault of open-loop load, from the moment at which it was due.
    Response,
    /// A TD from its first control page until it can run.
    TdCreate,
    /// A TD from creation to its last boot fault.
    TdBoot,
    /// A TD from the start of its teardown to its last page.
    TdTeardown,
    /// Removal of one page while the TD runs.
    PageRemoval,
    /// Reclaim of one page after HKID release.
    PageReclaim,
    /// Conversion of one region between shared and private.
    Conversion,
    /// Split of one 2 MiB mapping.
    Split,
    /// Time in the guest.
    Guest,
    /// A TD exit, up to the return of VP.ENTER.
    TdExit,
    /// Host work of KVM around the SEAMCALLs.
    KvmWork,
    /// Acquire-hold-release of the lock microbenchmark.
    LockAcquire,
    /// Uncontended part of taking a lock (pushed by the recorder itself).
    LockTake,
    /// Waiting for a lock (pushed by the recorder itself).
    LockWait,
    /// One SEAMCALL or TDCALL.
    Leaf(Leaf),
}

impl Op {
    const NAMED: [(Self, &'static str); 23] = [
        (Self::PamtGet, "pamt_get"),
        (Self::PamtPut, "pamt_put"),
        (Self::PamtGetSlow, "pamt_get_slow"),
        (Self::PamtPutSlow, "pamt_put_slow"),
        (Self::PairReset, "pair_reset"),
        (Self::PairFree, "pair_free"),
        (Self::PairAlloc, "pair_alloc"),
        (Self::Topup, "topup"),
        (Self::Fault, "fault"),
        (Self::Response, "response"),
        (Self::TdCreate, "td_create"),
        (Self::TdBoot, "td_boot"),
        (Self::TdTeardown, "td_teardown"),
        (Self::PageRemoval, "page_removal"),
        (Self::PageReclaim, "page_reclaim"),
        (Self::Conversion, "conversion"),
        (Self::Split, "split"),
        (Self::Guest, "guest"),
        (Self::TdExit, "td_exit"),
        (Self::KvmWork, "kvm_work"),
        (Self::LockAcquire, "lock_acquire"),
        (Self::LockTake, "lock_take"),
        (Self::LockWait, "lock_wait"),
    ];

    /// Number of operations; [`Op::index`] is below it.
    pub const COUNT: usize = Self::NAMED.len() + Leaf::COUNT;

    /// Dense index.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Leaf(leaf) => Self::NAMED.len() + leaf.index(),
            named => Self::NAMED.iter().position(|(op, _)| *op == named).unwrap_or(0),
        }
    }

    /// The operation of an index.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        match Self::NAMED.get(index) {
            Some((op, _)) => Some(*op),
            None => Leaf::from_index(index - Self::NAMED.len()).map(Self::Leaf),
        }
    }

    /// Name in results: snake_case, or the full ABI name of a leaf.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaf(leaf) => leaf.name(),
            named => Self::NAMED[named.index()].1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_names_its_operation_once() {
        for index in 0..Op::COUNT {
            let op = Op::from_index(index).expect("dense");
            assert_eq!(op.index(), index, "{}", op.name());
        }
    }
}
