//! `v3-07`: v3 07/16 as posted, which was meant to be the simple version and was wrong.
//!
//! Everything under the global lock, but a get that finds a count above 0 does not count up, and a put
//! that finds a count above 1 does not count down (Xiaoyao Li and Dave Hansen, 2025-09-30; Rick
//! Edgecombe confirms; 08/16 replaced it). So the count never exceeds 1 and the first put of a region
//! removes the pair under everybody else.

use super::refcounts::Refcounts;
use super::steps;
use super::{Env, PamtCache, PamtError, Strategy};
use crate::locks::{AnyLock, Lock, LockPlan};
use crate::measure::Op;
use crate::module::{PamtPair, Status};
use crate::platform::Platform;
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};
use crate::units::{Pfn, Region};

const NEVER_COUNTS: Verdict = Verdict::Unsound(
    "never counts above 1: the first put of a region removes its pair while others use it",
);

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "v3-07",
    aliases: &[],
    summary: "upstream v3 07/16 as posted, with its bug: counts never exceed 1",
    origin: "Rick Edgecombe, v3 07/16, 2025-09-18; bug found by Xiaoyao Li and Dave Hansen, 2025-09-30",
    protocol: "get: take a pair, lock; count above 0: nothing; else PAMT.ADD and set 1. put: lock; count \
               above 1: nothing; else PAMT.REMOVE and set 0.",
    memory: "4 B a region: 2 MiB a TiB, and one lock",
    scope_4k: NEVER_COUNTS,
    scope_split: NEVER_COUNTS,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

struct Posted<P: Platform> {
    refcounts: Refcounts<P>,
    lock: AnyLock<P>,
}

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let plan = LockPlan::new("pamt_lock", 1).home(params.home);
    Box::new(Posted {
        refcounts: Refcounts::<P>::new(build, params.regions, params.home),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
    })
}

impl<P: Platform> Posted<P> {
    fn add_unless_there(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        pair: PamtPair,
    ) -> Result<bool, Status> {
        if self.refcounts.read(cpu, region) != 0 {
            return Ok(false);
        }
        steps::add(cpu, env, region, pair)?;
        self.refcounts.set(cpu, region, 0, 1);
        Ok(true)
    }

    fn remove_unless_shared(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
    ) -> Result<Option<PamtPair>, Status> {
        let count = self.refcounts.read(cpu, region);
        if count > 1 {
            return Ok(None);
        }
        let pair = steps::remove(cpu, env, region)?;
        self.refcounts.set(cpu, region, count, 0);
        Ok(Some(pair))
    }
}

impl<P: Platform> Strategy<P> for Posted<P> {
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::get_span::<P, _>(cpu, pfn, || {
            let pair = env.host.alloc_pair(cpu, cache, region).ok_or(PamtError::NoMemory)?;
            let outcome = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = self.add_unless_there(cpu, env, region, pair);
                self.lock.release(cpu, held);
                outcome
            });
            if outcome != Ok(true) {
                steps::free(cpu, env, pair);
            }
            outcome.map(|_| ()).map_err(PamtError::Module)
        })
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::put_span::<P, _>(cpu, pfn, || {
            let outcome = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = self.remove_unless_shared(cpu, env, region);
                self.lock.release(cpu, held);
                outcome
            });
            if let Some(pair) = outcome.map_err(PamtError::Module)? {
                steps::free(cpu, env, pair);
            }
            Ok(())
        })
    }

    fn peek_refcount(&self, cpu: &P::Cpu, region: Region) -> Option<u64> {
        Some(self.refcounts.peek(cpu, region))
    }

    fn memory_bytes(&self) -> u64 {
        self.refcounts.bytes() + Lock::<P>::memory_bytes(&self.lock)
    }
}
