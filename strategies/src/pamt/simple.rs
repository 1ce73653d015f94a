//! `simple`: upstream v6 without its optimisation (05/11). Every get and put takes the global lock.
//!
//! Get takes a pair before it knows whether one is needed, because it may not allocate under the lock;
//! a pair that is not needed is reset and freed. Ten patches without the optimisation went to the tip
//! tree on 2026-09-04: that this is the queued code is *inferred*, no text says so.

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

use super::global::DEMOTE_BUSY;

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "simple",
    aliases: &["global-always", "queued"],
    summary: "upstream v6 without the fast path: the global lock on every get and put",
    origin: "Rick Edgecombe, [PATCH v6 05/11], 2026-05-25; probably what is queued for Linux 7.4 \
             (inferred from the tip tree's patch list of 2026-09-04)",
    protocol: "get: take a pair, lock, count up if the count is not 0, else PAMT.ADD and set 1; unlock; \
               reset and free the pair if it was not needed. put: lock, count down if above 1, else \
               PAMT.REMOVE and set 0.",
    memory: "4 B a region: 2 MiB a TiB, and one lock",
    scope_4k: Verdict::Sound,
    scope_split: DEMOTE_BUSY,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

pub(super) struct Simple<P: Platform> {
    refcounts: Refcounts<P>,
    lock: AnyLock<P>,
    /// A pair that was not needed goes back where it came from, as it is.
    lean: bool,
}

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    Box::new(Simple::new(spec, build, params, false))
}

impl<P: Platform> Simple<P> {
    pub(super) fn new(
        spec: &StrategySpec,
        build: &mut P::Build,
        params: &StrategyParams<'_, P>,
        lean: bool,
    ) -> Self {
        let plan = LockPlan::new("pamt_lock", 1).home(params.home);
        Self {
            refcounts: Refcounts::new(build, params.regions, params.home),
            lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
            lean,
        }
    }

    fn give_back(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        cache: Option<&mut PamtCache>,
        pair: PamtPair,
    ) {
        if self.lean {
            steps::unused(cpu, env, cache, pair);
        } else {
            steps::free(cpu, env, pair);
        }
    }

    fn add_or_inc(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        pair: PamtPair,
    ) -> Result<bool, Status> {
        if self.refcounts.read(cpu, region) != 0 {
            self.refcounts.inc(cpu, region);
            return Ok(false);
        }
        steps::add(cpu, env, region, pair)?;
        self.refcounts.set(cpu, region, 0, 1);
        Ok(true)
    }

    fn dec_or_remove(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
    ) -> Result<Option<PamtPair>, Status> {
        if self.refcounts.read(cpu, region) != 1 {
            self.refcounts.dec_and_test(cpu, region);
            return Ok(None);
        }
        let pair = steps::remove(cpu, env, region)?;
        self.refcounts.set(cpu, region, 1, 0);
        Ok(Some(pair))
    }
}

impl<P: Platform> Strategy<P> for Simple<P> {
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        mut cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::get_span::<P, _>(cpu, pfn, || {
            let from = cache.as_deref_mut();
            let pair = env.host.alloc_pair(cpu, from, region).ok_or(PamtError::NoMemory)?;
            let outcome = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = self.add_or_inc(cpu, env, region, pair);
                self.lock.release(cpu, held);
                outcome
            });
            if outcome != Ok(true) {
                self.give_back(cpu, env, cache, pair);
            }
            outcome.map(|_| ()).map_err(PamtError::Module)
        })
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::put_span::<P, _>(cpu, pfn, || {
            let outcome = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = self.dec_or_remove(cpu, env, region);
                self.lock.release(cpu, held);
                outcome
            });
            if let Some(pair) = outcome.map_err(PamtError::Module)? {
                steps::free(cpu, env, pair);
            }
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
