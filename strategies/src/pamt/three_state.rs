//! `three-state`: no pair without a TD, all pairs from the first TD on, none after the last.
//!
//! Proposed by Dave Hansen (2025-09-08): a middle way between static and dynamic. Kiryl Shutsemau
//! answered (09-09) that a region that holds a pair cannot be mapped as 2M, so that huge pages are out
//! of the question. Gets and puts cost nothing; the first TD pays for the whole host.

use super::steps;
use super::{Env, PairFor, PamtCache, PamtError, Strategy};
use crate::locks::{AnyLock, Lock, LockPlan};
use crate::module::Status;
use crate::platform::{Ordering, Place, Platform, Words};
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};
use crate::units::{Pfn, Region};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "three-state",
    aliases: &[],
    summary: "all pairs at the first TD, freed after the last; no 2M mappings meanwhile",
    origin: "proposed by Dave Hansen, 2025-09-08; objection by Kiryl Shutsemau, 2025-09-09",
    protocol: "td_create: lock, count TDs, PAMT.ADD for every region if it is the first. td_destroy: lock, \
               PAMT.REMOVE for every region if it was the last. get and put: nothing.",
    memory: "a count and a lock; pairs of 4 GiB a TiB while a TD runs",
    scope_4k: Verdict::Sound,
    scope_split: Verdict::Unsound("a region that holds a pair cannot be mapped as 2M at all"),
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

struct ThreeState<P: Platform> {
    tds: P::Words<u32>,
    lock: AnyLock<P>,
    regions: u32,
}

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let plan = LockPlan::new("pamt_lock", 1).home(params.home);
    let tds = Place::packed("pamt_tds", 1).home(params.home);
    Box::new(ThreeState::<P> {
        tds: P::words(build, tds),
        lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
        regions: params.regions as u32,
    })
}

impl<P: Platform> ThreeState<P> {
    /// Adds every pair, or none.
    fn add_all(&self, cpu: &P::Cpu, env: &Env<'_, P>) -> Result<(), PamtError> {
        for region in 0..self.regions {
            if let Err(error) = self.add(cpu, env, Region(region)) {
                // The TD cannot start; why tells more than what else may fail now.
                let _ = self.remove_below(cpu, env, region);
                return Err(error);
            }
        }
        Ok(())
    }

    fn add(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region) -> Result<(), PamtError> {
        let pair = env.host.alloc_pair(cpu, None, region).ok_or(PamtError::NoMemory)?;
        steps::add(cpu, env, region, pair).map_err(|status| {
            steps::free(cpu, env, pair);
            PamtError::Module(status)
        })
    }

    /// Removes the pairs of all regions below `end`; goes on after a failure, and reports the first.
    fn remove_below(&self, cpu: &P::Cpu, env: &Env<'_, P>, end: u32) -> Result<(), PamtError> {
        let mut outcome = Ok::<(), Status>(());
        for region in (0..end).map(Region) {
            match steps::remove(cpu, env, region) {
                Ok(pair) => steps::free(cpu, env, pair),
                Err(status) => outcome = outcome.and(Err(status)),
            }
        }
        outcome.map_err(PamtError::Module)
    }
}

impl<P: Platform> Strategy<P> for ThreeState<P> {
    fn get(
        &self,
        _cpu: &P::Cpu,
        _env: &Env<'_, P>,
        _pfn: Pfn,
        _cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        Ok(())
    }

    fn put(&self, _cpu: &P::Cpu, _env: &Env<'_, P>, _pfn: Pfn) -> Result<(), PamtError> {
        Ok(())
    }

    fn td_create(&self, cpu: &P::Cpu, env: &Env<'_, P>) -> Result<(), PamtError> {
        let held = self.lock.acquire(cpu, 0, Region(0));
        let before = self.tds.load(cpu, 0, Ordering::Relaxed);
        let outcome = if before == 0 { self.add_all(cpu, env) } else { Ok(()) };
        if outcome.is_ok() {
            self.tds.store(cpu, 0, before + 1, Ordering::Relaxed);
        }
        self.lock.release(cpu, held);
        outcome
    }

    fn td_destroy(&self, cpu: &P::Cpu, env: &Env<'_, P>) -> Result<(), PamtError> {
        let held = self.lock.acquire(cpu, 0, Region(0));
        let left = self.tds.load(cpu, 0, Ordering::Relaxed).saturating_sub(1);
        self.tds.store(cpu, 0, left, Ordering::Relaxed);
        let outcome = if left == 0 { self.remove_below(cpu, env, self.regions) } else { Ok(()) };
        self.lock.release(cpu, held);
        outcome
    }

    fn pair_is_for(&self) -> PairFor {
        PairFor::Tds
    }

    fn memory_bytes(&self) -> u64 {
        4 + Lock::<P>::memory_bytes(&self.lock)
    }
}
