//! Locks: one file an algorithm, each with its protocol and its source.
//!
//! A lock here is a *class* of instances in one array of words, as lockdep uses the word: `pamt_lock`
//! is a class of one, `striped:64` a class of 64 that share lines unless they are padded. Acquire
//! returns a token and release takes it back; there is no guard, because a `Drop` that suspends would
//! abort the process. Each acquire names the region that it is for, so that contention can be told
//! true from false.
//!
//! An algorithm file implements [`Algorithm`], which knows nothing of measurement; [`SpinLock`] adds
//! what every spin lock of the kernel has around it: preemption off, and the steps that lock_stat
//! counts. [`AnyLock`] chooses among them at run time, [`visit`] at compile time.

mod any;
mod bit;
mod clh;
mod cna;
mod cohort;
mod info;
mod lockref;
mod mcs;
mod mutex;
mod nodes;
mod osq;
mod plan;
mod qspinlock;
mod refcount;
mod rwlock;
mod shfl;
mod spin;
mod tas;
mod ticket;
mod ticket_prop;
mod ttas;
mod virt_spin;

pub use any::{AnyLock, LockVisitor, visit};
pub use bit::BitLock;
pub use clh::Clh;
pub use cna::Cna;
pub use cohort::Cohort;
pub use info::{LOCKS, LockInfo, LockKindId};
pub use lockref::Lockref;
pub use mcs::Mcs;
pub use mutex::Mutex;
pub use osq::Osq;
pub use plan::{Layout, LockPlan, LockShared};
pub use qspinlock::QSpinLock;
pub use refcount::Refcount;
pub use rwlock::QRwLock;
pub use shfl::Shfl;
pub use spin::{Algorithm, Attempt, SpinLock};
pub use tas::Tas;
pub use ticket::Ticket;
pub use ticket_prop::TicketProp;
pub use ttas::Ttas;
pub use virt_spin::VirtSpin;

use crate::platform::Platform;
use crate::units::Region;

/// An acquisition that has not been released yet.
#[derive(Debug)]
#[must_use = "a lock that is not released stops everyone"]
pub struct Held {
    instance: u32,
    region: Region,
    node: u32,
}

impl Held {
    /// Which instance of the class is held.
    #[must_use]
    pub fn instance(&self) -> usize {
        self.instance as usize
    }
}

/// A class of mutual-exclusion locks.
pub trait Lock<P: Platform>: Send + Sync {
    /// Takes instance `i` for work on `region`.
    fn acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held;
    /// Takes instance `i` if the first try succeeds.
    fn try_acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Option<Held>;
    /// Releases what `held` stands for.
    fn release(&self, cpu: &P::Cpu, held: Held);
    /// Number of instances.
    fn instances(&self) -> usize;
    /// Bytes of all instances and nodes.
    fn memory_bytes(&self) -> u64;
}

/// A class of read-write locks.
pub trait RwLock<P: Platform>: Send + Sync {
    /// Shared acquire.
    fn read(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held;
    /// Shared release.
    fn read_unlock(&self, cpu: &P::Cpu, held: Held);
    /// Exclusive acquire.
    fn write(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held;
    /// Exclusive release.
    fn write_unlock(&self, cpu: &P::Cpu, held: Held);
}
