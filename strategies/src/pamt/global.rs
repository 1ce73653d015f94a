//! `global`: upstream v6 with its fast path, one spin lock for the host.
//!
//! [`Counted`](super::counted::Counted) with one lock. PAMT.ADD and PAMT.REMOVE never meet another
//! one, so BUSY can come only from a leaf that holds a region shared: of those only DEMOTE, which
//! walks the regions of its pair outside `pamt_lock`, can meet them when refcounts are right.

use super::Strategy;
use super::busy::OnBusy;
use super::counted::Counted;
use super::domain::Domain;
use super::refcounts::Refcounts;
use crate::locks::{AnyLock, LockPlan};
use crate::platform::Platform;
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};

pub(crate) const DEMOTE_BUSY: Verdict = Verdict::Unsound(
    "DEMOTE of another TD walks the regions of its pair outside the lock: a put may get BUSY",
);

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "global",
    aliases: &["v6"],
    summary: "upstream v6: refcount fast path, one global spin lock for 0->1 and 1->0",
    origin: "Rick Edgecombe, [PATCH v6 06/11] x86/virt/tdx: Optimize tdx_pamt_get/put(), 2026-05-25",
    protocol: "get: atomic_inc_not_zero; else take a pair, lock, read again, count up or PAMT.ADD and \
               set 1. put: atomic_dec_and_lock; PAMT.REMOVE under the lock, on failure set 1.",
    memory: "4 B a region: 2 MiB a TiB, and one lock",
    scope_4k: Verdict::Sound,
    scope_split: DEMOTE_BUSY,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let domain = Domain::One;
    let plan = LockPlan::new("pamt_lock", domain.locks(params.regions)).home(params.home);
    Box::new(Counted::<P, AnyLock<P>> {
        refcounts: Refcounts::new(build, params.regions, params.home),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
        domain,
        cover_all: false,
        on_busy: OnBusy::Retry(0),
    })
}
