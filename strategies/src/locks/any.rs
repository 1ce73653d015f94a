//! Choosing an algorithm by name.

use super::info::LockKindId;
use super::plan::{LockPlan, LockShared};
use super::spin::SpinLock;
use super::{
    BitLock, Clh, Cna, Cohort, Held, Lock, Lockref, Mcs, Osq, QSpinLock, Refcount, Shfl, Tas,
    Ticket, TicketProp, Ttas, VirtSpin,
};
use crate::platform::Platform;
use crate::units::Region;

/// Code that is compiled once for each lock.
pub trait LockVisitor<P: Platform> {
    /// What it returns.
    type Out;
    /// Runs with the lock.
    fn visit<L: Lock<P> + 'static>(self, lock: L) -> Self::Out;
}

macro_rules! any_lock {
    ($($variant:ident($lock:ident)),* $(,)?) => {
        /// A class of spin locks whose algorithm was chosen at run time.
        ///
        /// Strategies use it, so that one compilation of a strategy serves all locks; the choice is a
        /// branch that always goes the same way.
        #[expect(missing_docs, reason = "each variant is the lock of its name")]
        pub enum AnyLock<P: Platform> {
            $($variant(SpinLock<$lock<P>>),)*
        }

        impl<P: Platform> AnyLock<P> {
            /// Allocates and registers the class that `plan` describes.
            pub fn new(
                kind: LockKindId,
                build: &mut P::Build,
                plan: &LockPlan,
                shared: &LockShared<P>,
            ) -> Self {
                match kind {
                    $(LockKindId::$variant => {
                        Self::$variant(SpinLock::new::<P>(build, plan, shared))
                    })*
                }
            }
        }

        impl<P: Platform> Lock<P> for AnyLock<P> {
            fn acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held {
                match self { $(Self::$variant(lock) => Lock::<P>::acquire(lock, cpu, i, region),)* }
            }

            fn try_acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Option<Held> {
                match self {
                    $(Self::$variant(lock) => Lock::<P>::try_acquire(lock, cpu, i, region),)*
                }
            }

            fn release(&self, cpu: &P::Cpu, held: Held) {
                match self { $(Self::$variant(lock) => Lock::<P>::release(lock, cpu, held),)* }
            }

            fn instances(&self) -> usize {
                match self { $(Self::$variant(lock) => Lock::<P>::instances(lock),)* }
            }

            fn memory_bytes(&self) -> u64 {
                match self { $(Self::$variant(lock) => Lock::<P>::memory_bytes(lock),)* }
            }
        }

        /// Builds a lock and runs `visitor` with its static type: for the lock microbenchmark.
        pub fn visit<P: Platform, V: LockVisitor<P>>(
            kind: LockKindId,
            build: &mut P::Build,
            plan: &LockPlan,
            shared: &LockShared<P>,
            visitor: V,
        ) -> V::Out {
            match kind {
                $(LockKindId::$variant => {
                    visitor.visit(SpinLock::<$lock<P>>::new::<P>(build, plan, shared))
                })*
            }
        }
    };
}

any_lock! {
    Tas(Tas),
    Ttas(Ttas),
    Ticket(Ticket),
    Mcs(Mcs),
    QSpinLock(QSpinLock),
    Bit(BitLock),
    TicketProp(TicketProp),
    Clh(Clh),
    VirtSpin(VirtSpin),
    Cna(Cna),
    Cohort(Cohort),
    Shfl(Shfl),
    Osq(Osq),
    Refcount(Refcount),
    Lockref(Lockref),
}
