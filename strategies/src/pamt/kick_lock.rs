//! `kick-lock`: optimistic, the lock only as a fallback when a SEAMCALL got BUSY.
//!
//! An idea that Rick Edgecombe weighed on 2025-08-08 and gave up, because it loses the race of the
//! refcount: a get counts up from 0 and finds the pair still there, while the put that dropped to 0 is
//! on its way to PAMT.REMOVE; the pair goes while the region is used. Nor does a second get wait for
//! the first one's PAMT.ADD.

use super::refcounts::Refcounts;
use super::steps;
use super::{Env, PamtCache, PamtError, Strategy};
use crate::locks::{AnyLock, Lock, LockPlan};
use crate::measure::{Observation, Op};
use crate::module::{Status, StatusName};
use crate::platform::Platform;
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};
use crate::units::{Pfn, Region};

const EARLY_RELEASE: Verdict = Verdict::Unsound(
    "a get may count up between a put's drop to 0 and its PAMT.REMOVE: the pair goes too early",
);

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "kick-lock",
    aliases: &[],
    summary: "no lock until a SEAMCALL got BUSY, then a global one; loses the refcount race",
    origin: "weighed and given up by Rick Edgecombe, 2025-08-08",
    protocol: "get: count up; from 0: take a pair and PAMT.ADD (adopt one that is there). put: count down; \
               to 0: PAMT.REMOVE. A SEAMCALL that got BUSY is done again under the global lock.",
    memory: "4 B a region: 2 MiB a TiB, and one lock",
    scope_4k: EARLY_RELEASE,
    scope_split: EARLY_RELEASE,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

struct KickLock<P: Platform> {
    refcounts: Refcounts<P>,
    lock: AnyLock<P>,
}

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let plan = LockPlan::new("pamt_lock", 1).home(params.home);
    Box::new(KickLock {
        refcounts: Refcounts::<P>::new(build, params.regions, params.home),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
    })
}

impl<P: Platform> KickLock<P> {
    fn lock_if_busy<T>(
        &self,
        cpu: &P::Cpu,
        op: Op,
        region: Region,
        mut call: impl FnMut() -> Result<T, Status>,
    ) -> Result<T, Status> {
        match call() {
            Err(status) if status.is(StatusName::OperandBusy) => {
                P::observe(cpu, Observation::Retry(op));
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = call();
                self.lock.release(cpu, held);
                outcome
            }
            done => done,
        }
    }
}

impl<P: Platform> Strategy<P> for KickLock<P> {
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::get_span::<P, _>(cpu, pfn, || {
            if self.refcounts.inc_not_zero(cpu, region) {
                return Ok(());
            }
            let pair = env.host.alloc_pair(cpu, cache, region).ok_or(PamtError::NoMemory)?;
            self.refcounts.inc(cpu, region);
            let added = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
                let add = || steps::add(cpu, env, region, pair);
                self.lock_if_busy(cpu, Op::PamtGet, region, add)
            });
            let Err(status) = added else {
                return Ok(());
            };
            steps::free(cpu, env, pair);
            if status.is(StatusName::HpaRangeNotFree) {
                return Ok(());
            }
            self.refcounts.dec_and_test(cpu, region);
            Err(PamtError::Module(status))
        })
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::put_span::<P, _>(cpu, pfn, || {
            if !self.refcounts.dec_and_test(cpu, region) {
                return Ok(());
            }
            let removed = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
                let remove = || steps::remove(cpu, env, region);
                self.lock_if_busy(cpu, Op::PamtPut, region, remove)
            });
            steps::free(cpu, env, removed.map_err(PamtError::Module)?);
            Ok(())
        })
    }

    fn demoted(&self, cpu: &P::Cpu, region: Region) {
        self.refcounts.demoted(cpu, region);
    }

    fn promoted(&self, cpu: &P::Cpu, region: Region) {
        self.refcounts.promoted(cpu, region);
    }

    fn peek_refcount(&self, cpu: &P::Cpu, region: Region) -> Option<u64> {
        Some(self.refcounts.peek(cpu, region))
    }

    fn memory_bytes(&self) -> u64 {
        self.refcounts.bytes() + Lock::<P>::memory_bytes(&self.lock)
    }
}
