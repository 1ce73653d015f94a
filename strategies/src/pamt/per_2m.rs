//! `per-2m`: the protocol of v6 with a lock for each region.
//!
//! Asked for by Kai Huang (2025-05-05) and suggested by Yan Zhao (2025-05-08); turned down by Dave
//! Hansen (sizing, allocation, hotplug), and found by Yan (2025-09-26) not to be enough by itself,
//! because PAMT.ADD locks the regions of its backing pages, too.
//!
//! `lock=bit` puts the lock into bit 31 of the refcount: no memory, and the line is at hand anyway.
//! `lock=spin` and `lock=ticket` are an array of their own, packed as `spinlock_t` is.

use super::Strategy;
use super::counted::{COVER_PARAM, Counted, RETRIES_PARAM, busy_handling};
use super::domain::Domain;
use super::refcounts::Refcounts;
use super::striped::TARGET_ONLY;
use crate::locks::{AnyLock, BitLock, Layout, LockKindId, LockPlan};
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec};
use crate::spec::{Param, ParamKind};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "per-2m",
    aliases: &[],
    summary: "v6 with a lock for each 2M region",
    origin: "asked for by Kai Huang 2025-05-05, suggested by Yan Zhao 2025-05-08; never posted as code",
    protocol: "As global, with the target region's own lock. cover=target: that lock alone, and a \
               SEAMCALL that met BUSY is done again, at most retries times. cover=all: PAMT.ADD holds \
               the locks of the target and of both backing pages, in order of their number.",
    memory: "4 B a region: 2 MiB a TiB; with lock=spin or ticket as much again for the locks",
    scope_4k: TARGET_ONLY,
    scope_split: TARGET_ONLY,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[
        Param {
            name: "lock",
            kind: ParamKind::Choice(&["bit", "spin", "ticket"]),
            default: "bit",
            help: "bit 31 of the refcount, or an array of queued or ticket spin locks",
        },
        COVER_PARAM,
        RETRIES_PARAM,
    ],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let domain = Domain::Region;
    let plan = LockPlan::new("pamt_locks", domain.locks(params.regions))
        .layout(Layout::Packed)
        .home(params.home);
    let mut refcounts = Refcounts::new(build, params.regions, params.home);
    let (cover_all, on_busy) = busy_handling(spec);
    match spec.lock("lock") {
        LockKindId::Bit => {
            let words = refcounts.share_with_lock_bit();
            let lock = BitLock::within(build, &plan, words);
            Box::new(Counted { refcounts, lock, domain, cover_all, on_busy })
        }
        kind => {
            let lock = AnyLock::new(kind, build, &plan, params.locks);
            Box::new(Counted { refcounts, lock, domain, cover_all, on_busy })
        }
    }
}
