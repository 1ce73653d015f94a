//! `domain:G`: one lock for each G GiB of physical memory.
//!
//! The protocol of v6 with `cover=all`. Where backing pages come from the same domain as the region
//! that they serve (the same part of a NUMA node), the three locks that PAMT.ADD needs are one and the
//! same, and a hand-over never leaves the socket. Where they do not, up to three locks are taken in
//! order, so that the strategy is right under any placement.

use super::Strategy;
use super::busy::OnBusy;
use super::counted::Counted;
use super::domain::Domain;
use super::global::DEMOTE_BUSY;
use super::refcounts::Refcounts;
use crate::locks::{AnyLock, LockPlan};
use crate::platform::{Home, Platform};
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};
use crate::spec::{Param, ParamKind};

const REGIONS_PER_GIB: u64 = 512;

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "domain",
    aliases: &[],
    summary: "v6 with a lock for each GiB of memory; PAMT.ADD takes those of its backing pages, too",
    origin: "this project",
    protocol: "As global, with the lock of the region's domain; PAMT.ADD holds the locks of the domains \
               of the target and of both backing pages, in order, each once.",
    memory: "4 B a region: 2 MiB a TiB, and a line of 64 B a domain",
    scope_4k: Verdict::Sound,
    scope_split: DEMOTE_BUSY,
    module: ModuleMode::Dynamic,
    argument: Some("gib"),
    params: &[
        Param {
            name: "gib",
            kind: ParamKind::PowerOfTwo { max: 1024 },
            default: "1",
            help: "GiB of memory that share a lock",
        },
        LOCK_PARAM,
    ],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let domain = Domain::Block { regions: spec.number("gib") * REGIONS_PER_GIB };
    let plan = LockPlan::new("pamt_locks", domain.locks(params.regions)).home(Home::Split);
    Box::new(Counted::<P, AnyLock<P>> {
        refcounts: Refcounts::new(build, params.regions, params.home),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
        domain,
        cover_all: true,
        on_busy: OnBusy::Retry(0),
    })
}
