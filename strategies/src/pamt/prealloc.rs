//! `prealloc`: the pair is there from the moment when guest_memfd allocates a folio.
//!
//! Suggested by Sean Christopherson (2025-08-11): populate PAMT at guest_memfd time. Vishal Annapurve
//! objected: memory that ends up mapped as 2M needs no pair, and guest_memfd should not know of PAMT.
//!
//! A folio holds one reference of its region from its allocation to its release. Faults then always
//! find a count above 0, so that no PAMT.ADD and no lock is left under `mmu_lock`; the price is a pair
//! for every region that guest_memfd touches, mapped as 2M or not.

use super::busy::OnBusy;
use super::counted::Counted;
use super::domain::Domain;
use super::refcounts::Refcounts;
use super::{Env, PairFor, PamtCache, PamtError, Strategy};
use crate::locks::{AnyLock, LockPlan};
use crate::platform::Platform;
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};
use crate::units::{Pfn, Region};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "prealloc",
    aliases: &[],
    summary: "global, with a reference that each guest_memfd folio holds: no PAMT.ADD in a fault",
    origin: "suggested by Sean Christopherson, 2025-08-11; never posted as code",
    protocol: "As global; guest_memfd gets when it allocates a folio and puts when it frees it, outside \
               mmu_lock. Maps and unmaps count up and down above that.",
    memory: "4 B a region: 2 MiB a TiB, and one lock; a pair for every region that guest_memfd uses",
    scope_4k: Verdict::Sound,
    scope_split: Verdict::Unsound("a region that holds a pair cannot be mapped as 2M at all"),
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

struct Prealloc<P: Platform> {
    counted: Counted<P, AnyLock<P>>,
}

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let domain = Domain::One;
    let plan = LockPlan::new("pamt_lock", domain.locks(params.regions)).home(params.home);
    Box::new(Prealloc {
        counted: Counted::<P, AnyLock<P>> {
            refcounts: Refcounts::new(build, params.regions, params.home),
            lock: AnyLock::new(spec.lock("lock"), build, &plan, params.locks),
            domain,
            cover_all: false,
            on_busy: OnBusy::Retry(0),
        },
    })
}

impl<P: Platform> Strategy<P> for Prealloc<P> {
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        self.counted.get(cpu, env, pfn, cache)
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        self.counted.put(cpu, env, pfn)
    }

    fn memfd_populate(&self, cpu: &P::Cpu, env: &Env<'_, P>, first: Pfn) -> Result<(), PamtError> {
        self.counted.get(cpu, env, first, None)
    }

    fn memfd_release(&self, cpu: &P::Cpu, env: &Env<'_, P>, first: Pfn) -> Result<(), PamtError> {
        self.counted.put(cpu, env, first)
    }

    fn demoted(&self, cpu: &P::Cpu, region: Region) {
        self.counted.demoted(cpu, region);
    }

    fn promoted(&self, cpu: &P::Cpu, region: Region) {
        self.counted.promoted(cpu, region);
    }

    fn pair_is_for(&self) -> PairFor {
        PairFor::Folios
    }

    fn peek_refcount(&self, cpu: &P::Cpu, region: Region) -> Option<u64> {
        self.counted.peek_refcount(cpu, region)
    }

    fn memory_bytes(&self) -> u64 {
        self.counted.memory_bytes()
    }
}
