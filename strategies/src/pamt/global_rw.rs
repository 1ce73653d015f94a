//! `global-rw`: the back-pocket plan of 2025-09-30. One global read-write lock: PAMT.ADD and
//! PAMT.REMOVE take the read side; what gets BUSY takes the write side and tries again.
//!
//! Told by Rick Edgecombe as the conclusion of an offline talk, to be built if a problem is measured.
//! The mail does not say what excludes a get and a put of the *same* region from each other, and the
//! read side does not; here it is a bit spin lock in the region's refcount (*inferred*).

use super::Strategy;
use super::busy::OnBusy;
use super::counted::Counted;
use super::domain::Domain;
use super::global::DEMOTE_BUSY;
use super::refcounts::Refcounts;
use crate::locks::{BitLock, Layout, LockPlan, QRwLock};
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "global-rw",
    aliases: &[],
    summary: "a global read-write lock: read for PAMT SEAMCALLs, write to retry after BUSY",
    origin: "Rick Edgecombe, 2025-09-30, in the thread of v3; the lock against callers of the same \
             region is inferred",
    protocol: "As per-2m[lock=bit]; PAMT.ADD and PAMT.REMOVE hold the read side of a global lock, and if \
               one gets BUSY it is done once more with the write side.",
    memory: "4 B a region: 2 MiB a TiB, and one read-write lock",
    scope_4k: Verdict::Sound,
    scope_split: DEMOTE_BUSY,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[],
};

pub(crate) fn build<P: Platform>(
    _spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let domain = Domain::Region;
    let plan = LockPlan::new("pamt_region_locks", domain.locks(params.regions))
        .layout(Layout::Packed)
        .home(params.home);
    let mut refcounts = Refcounts::<P>::new(build, params.regions, params.home);
    let words = refcounts.share_with_lock_bit();
    let lock = BitLock::within(build, &plan, words);
    let global = LockPlan::new("pamt_rwlock", 1).home(params.home);
    let on_busy = OnBusy::WriteLock(QRwLock::new(build, &global, params.locks));
    Box::new(Counted { refcounts, lock, domain, cover_all: false, on_busy })
}
