//! The operations that a run times, each with a histogram and a name of its own.

use crate::module::Leaf;

macro_rules! ops {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// A timed operation. Spans of operations nest; the nesting is the "where the time goes" view.
        // A tag of its own, and not one hidden in the leaf's, makes comparing and [`Op::index`] short.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Op {
            $($(#[$doc])* $variant,)*
            /// One SEAMCALL or TDCALL.
            Leaf(Leaf),
        }

        /// Which kind of operation: the first leaf comes last.
        enum Position {
            $($variant,)*
            Leaf,
        }

        impl Op {
            /// Those that are no leaves, in the order of their index.
            const NAMED: &[Self] = &[$(Self::$variant,)*];

            /// Dense index. Every operation that ends is looked up by it: this is its tag and, of a
            /// leaf, one addition.
            #[must_use]
            pub const fn index(self) -> usize {
                let position = match self {
                    $(Self::$variant => Position::$variant,)*
                    Self::Leaf(_) => Position::Leaf,
                };
                match self {
                    Self::Leaf(leaf) => position as usize + leaf.index(),
                    _ => position as usize,
                }
            }

            /// Name in results: snake_case, or the full ABI name of a leaf.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Leaf(leaf) => leaf.name(),
                }
            }
        }
    };
}

ops! {
    /// `tdx_pamt_get()`, whole.
    PamtGet = "pamt_get";
    /// `tdx_pamt_put()`, whole.
    PamtPut = "pamt_put";
    /// The part of a get from just before taking the lock to just after releasing it.
    PamtGetSlow = "pamt_get_slow";
    /// The same of a put.
    PamtPutSlow = "pamt_put_slow";
    /// Reset (8 KB of MOVDIR64B) of a page pair before it is freed.
    PairReset = "pair_reset";
    /// Return of a page pair to its allocator.
    PairFree = "pair_free";
    /// Taking a page pair from a cache or the page allocator.
    PairAlloc = "pair_alloc";
    /// Top-up of a per-vCPU cache, before `mmu_lock`.
    Topup = "topup";
    /// A private EPT violation, from exit to re-entry.
    Fault = "fault";
    /// A fault of open-loop load, from the moment at which it was due.
    Response = "response";
    /// A TD from its first control page until it can run.
    TdCreate = "td_create";
    /// A TD from creation to its last boot fault.
    TdBoot = "td_boot";
    /// A TD from the start of its teardown to its last page.
    TdTeardown = "td_teardown";
    /// Removal of one page while the TD runs.
    PageRemoval = "page_removal";
    /// Reclaim of one page after HKID release.
    PageReclaim = "page_reclaim";
    /// Conversion of one region between shared and private.
    Conversion = "conversion";
    /// Split of one 2 MiB mapping.
    Split = "split";
    /// Time in the guest.
    Guest = "guest";
    /// A TD exit, up to the return of VP.ENTER.
    TdExit = "td_exit";
    /// Host work of KVM around the SEAMCALLs.
    KvmWork = "kvm_work";
    /// Acquire-hold-release of the lock microbenchmark.
    LockAcquire = "lock_acquire";
    /// Uncontended part of taking a lock (pushed by the recorder itself).
    LockTake = "lock_take";
    /// Waiting for a lock (pushed by the recorder itself).
    LockWait = "lock_wait";
}

impl Op {
    /// Number of operations; [`Op::index`] is below it.
    pub const COUNT: usize = Self::NAMED.len() + Leaf::COUNT;

    /// The operation of an index.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        match Self::NAMED.get(index) {
            Some(op) => Some(*op),
            None => Leaf::from_index(index - Self::NAMED.len()).map(Self::Leaf),
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
