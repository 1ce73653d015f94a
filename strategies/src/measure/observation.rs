//! The vocabulary of [`Platform::observe`](crate::platform::Platform::observe).

use core::fmt;

use super::op::Op;
use crate::module::{Leaf, Status};
use crate::units::{CpuId, Cycles, Pfn, Region};

/// Id of a registered [`LockClass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockClassId(pub u16);

/// perf lock's type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Any mutual-exclusion spin lock.
    Spinlock,
    /// Read-write spin lock; lock_stat gives it two rows, `-R` and `-W`.
    Rwlock,
    /// Sleeping lock.
    Mutex,
}

/// All instances of a lock that share a name, as lock_stat counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockClass {
    /// Name, as in the kernel: `pamt_lock`, `mmu_lock`.
    pub name: String,
    /// Its type.
    pub kind: LockKind,
    /// Number of instances.
    pub instances: usize,
}

/// One step in the life of an acquisition, in this order; `Contended` only if the first try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockStep {
    /// Before the first try.
    Request,
    /// The first try failed. `queued`: the path that the kernel's contention tracepoint counts.
    Contended {
        /// Whether the waiter went through a queue.
        queued: bool,
    },
    /// The lock is held.
    Acquired,
    /// A first and only try failed: nothing is held and no wait follows.
    Abandoned,
    /// The lock is about to be released.
    Released,
}

/// Something worth counting.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A timed operation begins. Spans of one CPU nest.
    Begin(Op),
    /// The innermost operation, which is this one, ends.
    End(Op),
    /// A lock changes hands.
    Lock {
        /// Which class.
        class: LockClassId,
        /// Which instance.
        instance: u32,
        /// Shared mode of a read-write lock.
        shared: bool,
        /// The 2 MiB region it is taken for: contention is *true* if holder and waiter agree on it.
        region: Region,
        /// What happened.
        step: LockStep,
    },
    /// A SEAMCALL returned.
    Status {
        /// Which leaf.
        leaf: Leaf,
        /// Its status.
        status: Status,
    },
    /// An operation has ended that took so long from the moment at which it was due, which is not the
    /// moment at which a CPU began it: the latency of open-loop load.
    Took(Op, Cycles),
    /// A strategy did again what had met BUSY or a lost race.
    Retry(Op),
    /// A page pair was given to the module (true) or came back (false).
    Pair {
        /// Its region.
        region: Region,
        /// Direction.
        added: bool,
    },
    /// An entry in the history of a region, kept for the report of a violation.
    Chronicle(Region, Chronicle),
    /// An invariant broke.
    Violation(Violation),
}

/// One entry of a region's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chronicle {
    /// A strategy entered or left a get.
    Get(Pfn),
    /// A strategy entered or left a put.
    Put(Pfn),
    /// The refcount went from one value to another.
    Refcount(u32, u32),
    /// A SEAMCALL on a page of the region returned.
    Returned(Leaf, Pfn, Status),
}

impl fmt::Display for Chronicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(pfn) => write!(f, "get pfn {:#x}", pfn.0),
            Self::Put(pfn) => write!(f, "put pfn {:#x}", pfn.0),
            Self::Refcount(from, to) => write!(f, "refcount {from} -> {to}"),
            Self::Returned(leaf, pfn, status) => {
                write!(f, "{} pfn {:#x}: {status}", leaf.name(), pfn.0)
            }
        }
    }
}

/// What kind of invariant broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViolationKind {
    /// A page was handed to the module while its region had no pair.
    MissingPair,
    /// A pair was taken back while pages of its region were in use.
    EarlyRelease,
    /// A put failed.
    PutFailed,
    /// A get failed although there was memory.
    GetFailed,
    /// A pair is left, or a refcount is not 0, when all TDs are gone.
    Leak,
    /// Two holders of one lock.
    MutualExclusion,
    /// The module would have shut down (fatal error).
    ModuleFatal,
    /// A refcount went below 0 or above what the region holds.
    RefcountRange,
    /// A retry loop passed its bound.
    UnboundedRetry,
    /// All CPUs wait for each other.
    Deadlock,
    /// The books of the host model do not balance.
    Accounting,
}

impl ViolationKind {
    /// snake_case name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingPair => "missing_pair",
            Self::EarlyRelease => "early_release",
            Self::PutFailed => "put_failed",
            Self::GetFailed => "get_failed",
            Self::Leak => "leak",
            Self::MutualExclusion => "mutual_exclusion",
            Self::ModuleFatal => "module_fatal",
            Self::RefcountRange => "refcount_range",
            Self::UnboundedRetry => "unbounded_retry",
            Self::Deadlock => "deadlock",
            Self::Accounting => "accounting",
        }
    }
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What broke.
    pub kind: ViolationKind,
    /// Where.
    pub region: Option<Region>,
    /// One sentence with the values that prove it.
    pub detail: String,
}

/// A [`Chronicle`] entry with who and when, as a violation's report lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When.
    pub at: Cycles,
    /// Who.
    pub cpu: CpuId,
    /// What.
    pub what: Chronicle,
}
