//! `striped:N`: the protocol of v6 with N hashed locks instead of one.
//!
//! Proposed by Dave Hansen (2025-05-07: hash the address into a fixed number of locks) and Kirill
//! Shutemov (2025-08-11: a power-of-two array indexed by the 2M number modulo its size). Never posted
//! as code. Both spoke before Yan Zhao's finding (2025-09-26) that PAMT.ADD also locks the regions of
//! its backing pages; `cover=all` is the answer to it that keeps the lock order normal.

use super::Strategy;
use super::counted::{COVER_PARAM, Counted, RETRIES_PARAM, busy_handling};
use super::domain::Domain;
use super::refcounts::Refcounts;
use crate::locks::{AnyLock, Layout, LockPlan};
use crate::platform::Platform;
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};
use crate::spec::{Param, ParamKind};

pub(crate) const TARGET_ONLY: Verdict = Verdict::Unsound(
    "PAMT.ADD also locks the regions of its backing pages: with cover=target an ADD or a put of such \
     a region may get BUSY more often than it is retried (cover=all, or backing pages from a \
     dedicated pool, exclude it)",
);

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "striped",
    aliases: &[],
    summary: "v6 with N hashed locks, by 2M number",
    origin: "proposed by Dave Hansen 2025-05-07 and Kirill Shutemov 2025-08-11; never posted as code",
    protocol: "As global, with lock number (2M number modulo N). cover=target: that lock alone, and a \
               SEAMCALL that met BUSY is done again, at most retries times. cover=all: PAMT.ADD holds \
               the locks of the target and of both backing pages, in order of their number.",
    memory: "4 B a region: 2 MiB a TiB, and a line (padded) or 4 B (packed) a lock",
    scope_4k: TARGET_ONLY,
    scope_split: TARGET_ONLY,
    module: ModuleMode::Dynamic,
    argument: Some("locks"),
    params: &[
        Param {
            name: "locks",
            kind: ParamKind::PowerOfTwo { max: 1 << 20 },
            default: "64",
            help: "number of locks",
        },
        Param {
            name: "hash",
            kind: ParamKind::Choice(&["mod", "mix"]),
            default: "mod",
            help: "2M number modulo N, or a multiplicative hash of it",
        },
        Param {
            name: "layout",
            kind: ParamKind::Choice(&["padded", "packed"]),
            default: "padded",
            help: "a line for each lock, or 16 locks to a line",
        },
        LOCK_PARAM,
        COVER_PARAM,
        RETRIES_PARAM,
    ],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let locks = spec.number("locks");
    let domain = match spec.word("hash") {
        "mix" => Domain::Mix { locks },
        _ => Domain::Modulo { locks },
    };
    let layout = if spec.word("layout") == "padded" { Layout::Padded } else { Layout::Packed };
    let plan =
        LockPlan::new("pamt_locks", domain.locks(params.regions)).layout(layout).home(params.home);
    let (cover_all, on_busy) = busy_handling(spec);
    Box::new(Counted::<P, AnyLock<P>> {
        refcounts: Refcounts::new(build, params.regions, params.home),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
        domain,
        cover_all,
        on_busy,
    })
}
