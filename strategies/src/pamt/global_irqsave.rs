//! `global-irqsave`: v6 with interrupts off while the global lock is awaited and held.
//!
//! Discussed under RFC v5 (2026-01/02): a put could come from an RCU callback, in softirq context,
//! while a get held the lock in process context; lockdep warned (Yan Zhao). `spin_lock_irqsave` would
//! answer that. Yan doubted that waiting for a global lock with interrupts off is wise; Sean
//! Christopherson noted that the SEAMCALL itself runs so anyway; Dave Hansen asked why *raw*. v6 freed
//! the S-EPT pages in task context instead.

use super::Strategy;
use super::busy::OnBusy;
use super::counted::Counted;
use super::domain::Domain;
use super::global::DEMOTE_BUSY;
use super::refcounts::Refcounts;
use crate::locks::{AnyLock, LockPlan};
use crate::platform::{Platform, Section};
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "global-irqsave",
    aliases: &[],
    summary: "global with interrupts off while the lock is awaited and held",
    origin: "discussed under Sean Christopherson's RFC v5 20/45, 2026-01 and 02; not taken",
    protocol: "As global; spin_lock_irqsave instead of spin_lock.",
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
    let plan = LockPlan::new("pamt_lock", domain.locks(params.regions))
        .home(params.home)
        .section(Section::IrqOff);
    Box::new(Counted::<P, AnyLock<P>> {
        refcounts: Refcounts::new(build, params.regions, params.home),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
        domain,
        cover_all: false,
        on_busy: OnBusy::Retry(0),
    })
}
