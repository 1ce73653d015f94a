//! The protocol of upstream v6 (06/11) over any assignment of locks to regions.
//!
//! Get: `atomic_inc_not_zero()`; that fails only for the first page of a region. Then a pair is taken
//! from the cache, the lock of the region is taken, and the count is read again: if another CPU was
//! faster, count up and give the pair back (reset and freed, never recached); else PAMT.ADD and set
//! the count to 1. Put: `atomic_dec_and_lock()`; only the last reference takes the lock, and drops to
//! 0 under it; PAMT.REMOVE, and on failure the count is set back to 1.
//!
//! With one lock for all regions this is v6 itself. With more than one, PAMT.ADD still locks the
//! regions of its two backing pages inside the module: it may collide with an ADD or REMOVE of such a
//! region that another lock guards, and either side gets OPERAND_BUSY. What then happens is a
//! parameter: `cover=all` takes the locks of all three regions (in order of their index, each once),
//! so that it cannot happen; `cover=target` takes one and does a call that got BUSY again, at most
//! `retries` times.

use super::busy::OnBusy;
use super::domain::Domain;
use super::refcounts::Refcounts;
use super::steps;
use super::{Env, PamtCache, PamtError, Strategy};
use crate::locks::{Held, Lock};
use crate::measure::{Observation, Op};
use crate::module::{PamtPair, Status};
use crate::platform::Platform;
use crate::registry::StrategySpec;
use crate::spec::{Param, ParamKind};
use crate::units::{Pfn, Region};

/// Locks that an ADD may need: its target's and those of two backing pages.
const MOST_LOCKS: usize = 3;

pub(super) struct Counted<P: Platform, L> {
    pub(super) refcounts: Refcounts<P>,
    pub(super) lock: L,
    pub(super) domain: Domain,
    /// Take the locks of the backing pages' regions, too.
    pub(super) cover_all: bool,
    /// What is done about a call that got BUSY.
    pub(super) on_busy: OnBusy<P>,
}

pub(super) const COVER_PARAM: Param = Param {
    name: "cover",
    kind: ParamKind::Choice(&["target", "all"]),
    default: "target",
    help: "lock the target region, or also the regions of both backing pages",
};

pub(super) const RETRIES_PARAM: Param = Param {
    name: "retries",
    kind: ParamKind::Integer { min: 0, max: 1_000_000 },
    default: "64",
    help: "how often a PAMT.ADD or PAMT.REMOVE that met BUSY is done again",
};

/// `cover` and `retries` of a spec.
pub(super) fn busy_handling<P: Platform>(spec: &StrategySpec) -> (bool, OnBusy<P>) {
    (spec.word("cover") == "all", OnBusy::Retry(spec.number("retries")))
}

impl<P: Platform, L: Lock<P>> Counted<P, L> {
    /// Takes every lock that an ADD of `pair` to `region` needs, lowest index first.
    fn lock_for_add(
        &self,
        cpu: &P::Cpu,
        region: Region,
        pair: PamtPair,
    ) -> [Option<Held>; MOST_LOCKS] {
        let target = self.domain.instance(region);
        let mut wanted = [target; MOST_LOCKS];
        if self.cover_all {
            wanted[1] = self.domain.instance(pair.0[0].region());
            wanted[2] = self.domain.instance(pair.0[1].region());
            wanted.sort_unstable();
        }
        let mut held = [None, None, None];
        for n in 0..MOST_LOCKS {
            if n == 0 || wanted[n] != wanted[n - 1] {
                held[n] = Some(self.lock.acquire(cpu, wanted[n], region));
            }
        }
        held
    }

    fn unlock(&self, cpu: &P::Cpu, held: [Option<Held>; MOST_LOCKS]) {
        for held in held.into_iter().rev().flatten() {
            self.lock.release(cpu, held);
        }
    }

    /// Under the lock: whether the module took `pair`, or why not.
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
        self.on_busy.call(cpu, Op::PamtGet, region, || steps::add(cpu, env, region, pair))?;
        self.refcounts.set(cpu, region, 0, 1);
        Ok(true)
    }

    fn get_slow(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let pair = env.host.alloc_pair(cpu, cache, region).ok_or(PamtError::NoMemory)?;
        let outcome = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
            let held = self.lock_for_add(cpu, region, pair);
            let outcome = self.add_or_inc(cpu, env, region, pair);
            self.unlock(cpu, held);
            outcome
        });
        if outcome != Ok(true) {
            steps::free(cpu, env, pair);
        }
        outcome.map(|_| ()).map_err(PamtError::Module)
    }
}

impl<P: Platform, L: Lock<P>> Strategy<P> for Counted<P, L> {
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
            self.get_slow(cpu, env, region, cache)
        })
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        let region = pfn.region();
        steps::put_span::<P, _>(cpu, pfn, || {
            let instance = self.domain.instance(region);
            let Some(held) = self.refcounts.dec_and_lock(cpu, region, &self.lock, instance) else {
                return Ok(());
            };
            let remove = || steps::remove(cpu, env, region);
            let removed = self.on_busy.call(cpu, Op::PamtPut, region, remove);
            if removed.is_err() {
                self.refcounts.set(cpu, region, 0, 1);
            }
            self.lock.release(cpu, held);
            P::observe(cpu, Observation::End(Op::PamtPutSlow));
            removed.map(|pair| steps::free(cpu, env, pair)).map_err(PamtError::Module)
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
        self.refcounts.bytes() + self.lock.memory_bytes() + self.on_busy.bytes()
    }
}
