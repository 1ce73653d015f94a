//! Locks of other libraries, to set ours beside on this host: the adapters, and a row for each.
//!
//! They are compiled code that parks threads in the kernel, so no other world can run them.

use std::sync::PoisonError;

use crossbeam::sync::ShardedLock;
use crossbeam::utils::CachePadded;
use pamt_strategies::platform::native::{Native, NativeCpu};
use parking_lot::lock_api::{self, RawMutex};

use super::body::Guarded;

/// Which library's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// `std::sync::Mutex`.
    Std,
    /// `parking_lot::Mutex`.
    ParkingLot,
    /// `parking_lot::FairMutex`.
    ParkingLotFair,
    /// `crossbeam::sync::ShardedLock`.
    Crossbeam,
}

/// A contender, as `list locks` shows it.
#[derive(Debug)]
pub struct ContenderInfo {
    /// Which.
    pub id: Contender,
    /// Name on the command line and in results.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Its type.
    pub origin: &'static str,
}

/// All contenders.
pub static CONTENDERS: &[ContenderInfo] = &[
    ContenderInfo {
        id: Contender::Std,
        name: "mutex",
        summary: "the standard library's mutex: a short spin, then a futex (native only)",
        origin: "std::sync::Mutex",
    },
    ContenderInfo {
        id: Contender::ParkingLot,
        name: "parking-lot",
        summary: "one byte and a parking lot of threads, eventually fair (native only)",
        origin: "parking_lot::Mutex, by way of lock_api",
    },
    ContenderInfo {
        id: Contender::ParkingLotFair,
        name: "parking-lot-fair",
        summary: "the same, handed to the longest waiter at each release (native only)",
        origin: "parking_lot::FairMutex, by way of lock_api",
    },
    ContenderInfo {
        id: Contender::Crossbeam,
        name: "crossbeam-sharded",
        summary: "a read-write lock a shard, taken for writing: all of them (native only)",
        origin: "crossbeam::sync::ShardedLock",
    },
];

impl Contender {
    /// What is known of it.
    #[must_use]
    pub fn info(self) -> &'static ContenderInfo {
        // The registry test holds the table to one row a variant.
        CONTENDERS.iter().find(|info| info.id == self).unwrap_or(&CONTENDERS[0])
    }

    /// The contender of a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        CONTENDERS.iter().find(|info| info.name == name).map(|info| info.id)
    }

    /// Calls `visitor` with the lock itself, on a line of its own.
    pub(super) fn visit<V: ContenderVisitor>(self, visitor: V) -> V::Out {
        match self {
            Self::Std => visitor.visit(CachePadded::new(std::sync::Mutex::new(()))),
            Self::ParkingLot => visitor.visit(CachePadded::new(parking_lot::Mutex::new(()))),
            Self::ParkingLotFair => {
                visitor.visit(CachePadded::new(parking_lot::FairMutex::new(())))
            }
            Self::Crossbeam => visitor.visit(CachePadded::new(ShardedLock::new(()))),
        }
    }
}

/// Code that is compiled once for each contender.
pub(super) trait ContenderVisitor {
    type Out;
    fn visit<G: Guarded<Native> + 'static>(self, lock: G) -> Self::Out;
}

impl Guarded<Native> for CachePadded<std::sync::Mutex<()>> {
    fn guarded(&self, _cpu: &NativeCpu, hold: impl FnOnce()) {
        let _held = self.lock().unwrap_or_else(PoisonError::into_inner);
        hold();
    }
}

impl<R: RawMutex + Send + Sync> Guarded<Native> for CachePadded<lock_api::Mutex<R, ()>> {
    fn guarded(&self, _cpu: &NativeCpu, hold: impl FnOnce()) {
        let _held = self.lock();
        hold();
    }
}

impl Guarded<Native> for CachePadded<ShardedLock<()>> {
    fn guarded(&self, _cpu: &NativeCpu, hold: impl FnOnce()) {
        let _held = self.write().unwrap_or_else(PoisonError::into_inner);
        hold();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contender_has_one_row_and_a_name_of_its_own() {
        use Contender::{Crossbeam, ParkingLot, ParkingLotFair, Std};
        for id in [Std, ParkingLot, ParkingLotFair, Crossbeam] {
            assert_eq!(CONTENDERS.iter().filter(|info| info.id == id).count(), 1);
            assert_eq!(Contender::by_name(id.info().name), Some(id));
        }
    }
}
