//! The protocol of upstream before v6 (RFC, v2 to v5): the count drops to 0 *outside* the lock.
//!
//! Get: `atomic_inc_not_zero()`; else take a pair, lock, read the count again: count up, or PAMT.ADD.
//! HPA_RANGE_NOT_FREE means that a put has dropped the count to 0 but has not come to its REMOVE: the
//! pair is adopted. Then the count is set to 1. Put: `atomic_dec_and_test()` without the lock; if it
//! was the last, lock, leave if the count is no longer 0, else PAMT.REMOVE.
//!
//! Two puts may stand between their drop and the lock at once: CPU 0 drops to 0; CPU 1 gets, adopts
//! the pair, puts, and removes it; then CPU 0 takes the lock, sees 0, and removes a pair that is gone.
//! The module answers NO_PAMT_PAGE_PAIR. What follows depends on the version: the RFC ignores it, v2
//! to v5 count up again, so that a region without a pair has a refcount of 1 and the next SEAMCALL on
//! it misses the pair. v6 dropped under the lock and so closed the hole.

use super::refcounts::Refcounts;
use super::steps;
use super::{Env, PamtCache, PamtError, Strategy};
use crate::locks::{AnyLock, Lock, LockPlan};
use crate::measure::Op;
use crate::module::{PamtPair, Status, StatusName};
use crate::platform::Platform;
use crate::registry::{StrategyParams, StrategySpec, Verdict};
use crate::units::{Pfn, Region};

pub(super) const DOUBLE_REMOVE: Verdict =
    Verdict::Unsound("the count drops to 0 outside the lock: two puts may both remove one pair");

pub(super) struct EarlyDrop<P: Platform> {
    refcounts: Refcounts<P>,
    lock: AnyLock<P>,
    /// Count up again when PAMT.REMOVE fails.
    restores_on_failure: bool,
}

impl<P: Platform> EarlyDrop<P> {
    pub(super) fn new(
        spec: &StrategySpec,
        build: &mut P::Build,
        params: &StrategyParams<'_, P>,
        restores_on_failure: bool,
    ) -> Self {
        let plan = LockPlan::new("pamt_lock", 1).home(params.home);
        Self {
            refcounts: Refcounts::new(build, params.regions, params.home),
            lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
            restores_on_failure,
        }
    }

    /// Under the lock: whether the module took `pair`, or why not.
    fn add_or_adopt(
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
        let added = match steps::add(cpu, env, region, pair) {
            Ok(()) => true,
            Err(status) if status.is(StatusName::HpaRangeNotFree) => false,
            Err(status) => return Err(status),
        };
        self.refcounts.set(cpu, region, 0, 1);
        Ok(added)
    }

    /// Under the lock: the pair, unless somebody has got the region meanwhile.
    fn remove_unless_used(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
    ) -> Result<Option<PamtPair>, Status> {
        if self.refcounts.read(cpu, region) != 0 {
            return Ok(None);
        }
        let removed = steps::remove(cpu, env, region);
        if removed.is_err() && self.restores_on_failure {
            self.refcounts.inc(cpu, region);
        }
        removed.map(Some)
    }
}

impl<P: Platform> Strategy<P> for EarlyDrop<P> {
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
            let outcome = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = self.add_or_adopt(cpu, env, region, pair);
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
            if !self.refcounts.dec_and_test(cpu, region) {
                return Ok(());
            }
            let outcome = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
                let held = self.lock.acquire(cpu, 0, region);
                let outcome = self.remove_unless_used(cpu, env, region);
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
