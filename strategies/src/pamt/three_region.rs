//! `three-region`: a read-write lock a region, taken as the module takes its own: write on the target,
//! read on the regions of both backing pages, in order of their number.
//!
//! From Rick Edgecombe's idea of host locks that mirror the module's (2025-09-26), which Yan Zhao
//! (09-28) showed to deadlock when each CPU's backing page lies in the other's region, and the answer
//! of Dave Hansen and Rick (09-29): a normal lock order, by page frame number. Regions that coincide
//! are locked once, and for writing if one of them is the target. PAMT.REMOVE locks its target alone:
//! for writing, which excludes every ADD whose backing pages lie in it.

use super::refcounts::Refcounts;
use super::steps;
use super::{Env, PamtCache, PamtError, Strategy};
use crate::locks::{Held, Layout, LockPlan, QRwLock, RwLock};
use crate::measure::{Observation, Op};
use crate::module::{PamtPair, Status};
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict};
use crate::units::{Pfn, Region};

use super::global::DEMOTE_BUSY;

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "three-region",
    aliases: &[],
    summary: "a read-write lock a region: write the target, read both backing regions, in order",
    origin: "Rick Edgecombe 2025-09-26 and 29, Yan Zhao 2025-09-28, Dave Hansen 2025-09-29, in the \
             thread of v3; never posted as code",
    protocol: "As per-2m; PAMT.ADD holds the target's lock for writing and those of its backing pages' \
               regions for reading, lowest region first; PAMT.REMOVE the target's for writing.",
    memory: "4 B and a read-write lock of 8 B a region: 6 MiB a TiB",
    scope_4k: Verdict::Sound,
    scope_split: DEMOTE_BUSY,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[],
};

struct ThreeRegion<P: Platform> {
    refcounts: Refcounts<P>,
    locks: QRwLock<P>,
}

pub(crate) fn build<P: Platform>(
    _spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let plan =
        LockPlan::new("pamt_rwlocks", params.regions).layout(Layout::Packed).home(params.home);
    Box::new(ThreeRegion {
        refcounts: Refcounts::<P>::new(build, params.regions, params.home),
        locks: QRwLock::new(build, &plan, params.locks),
    })
}

/// A lock that is held, and whether for writing.
type HeldLock = (Held, bool);

impl<P: Platform> ThreeRegion<P> {
    fn lock_all(&self, cpu: &P::Cpu, region: Region, pair: PamtPair) -> [Option<HeldLock>; 3] {
        let mut wanted = [region, pair.0[0].region(), pair.0[1].region()];
        wanted.sort_unstable();
        let mut held = [None, None, None];
        for n in 0..wanted.len() {
            if n > 0 && wanted[n] == wanted[n - 1] {
                continue;
            }
            let (write, i) = (wanted[n] == region, wanted[n].0 as usize);
            let lock = if write {
                self.locks.write(cpu, i, region)
            } else {
                self.locks.read(cpu, i, region)
            };
            held[n] = Some((lock, write));
        }
        held
    }

    fn unlock_all(&self, cpu: &P::Cpu, held: [Option<HeldLock>; 3]) {
        for (held, write) in held.into_iter().rev().flatten() {
            if write {
                self.locks.write_unlock(cpu, held);
            } else {
                self.locks.read_unlock(cpu, held);
            }
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
}

impl<P: Platform> Strategy<P> for ThreeRegion<P> {
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
                let held = self.lock_all(cpu, region, pair);
                let outcome = self.add_or_inc(cpu, env, region, pair);
                self.unlock_all(cpu, held);
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
            if self.refcounts.dec_not_one(cpu, region) {
                return Ok(());
            }
            P::observe(cpu, Observation::Begin(Op::PamtPutSlow));
            let held = self.locks.write(cpu, region.0 as usize, region);
            let last = self.refcounts.dec_and_test(cpu, region);
            let removed = last.then(|| steps::remove(cpu, env, region));
            if matches!(removed, Some(Err(_))) {
                self.refcounts.set(cpu, region, 0, 1);
            }
            self.locks.write_unlock(cpu, held);
            P::observe(cpu, Observation::End(Op::PamtPutSlow));
            if let Some(removed) = removed {
                steps::free(cpu, env, removed.map_err(PamtError::Module)?);
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
        self.refcounts.bytes() + self.locks.memory_bytes()
    }
}
