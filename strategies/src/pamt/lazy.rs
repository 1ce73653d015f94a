//! `lazy`: no refcount in the kernel; add a pair when the module misses one, take it back when it
//! hints that the last page is gone.
//!
//! Kirill Shutemov's first attempt (told 2025-05-15; no posting of the code was found). Dropped,
//! because PAMT.ADD and PAMT.REMOVE then run against all SEAMCALLs that use the region, so that
//! OPERAND_BUSY appears on either side and only loops get over it: there is no bound on them.
//!
//! The window that v3's cover letter describes stays open whatever is retried: CPU 0 finds the pair
//! there already, CPU 1 removes the last page and then the pair, CPU 0's call misses it again.

use super::busy::again_while_busy;
use super::steps;
use super::{Call, Env, PamtCache, PamtError, Strategy};
use crate::measure::{Observation, Op};
use crate::module::{Regs, StatusName};
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict};
use crate::spec::{Param, ParamKind};
use crate::units::{Pfn, Region};

const UNBOUNDED: Verdict = Verdict::Unsound(
    "BUSY and lost races are retried: unbounded without retries=N, and with it a put may fail",
);

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "lazy",
    aliases: &[],
    summary: "no refcount: PAMT.ADD when a SEAMCALL misses the pair, PAMT.REMOVE on the hint, retry on BUSY",
    origin: "Kirill Shutemov's attempt before the RFC, told 2025-05-15; code never posted",
    protocol: "with_page: call; on MISSING_PAMT_PAGE_PAIR take a pair, PAMT.ADD (again while BUSY; \
               HPA_RANGE_NOT_FREE: somebody else did), call again. after_page: call; on the removal \
               hint PAMT.REMOVE (again while BUSY; NO_PAMT_PAGE_PAIR or PAMT_PAGE_NOT_EMPTY: somebody \
               else was faster).",
    memory: "none",
    scope_4k: UNBOUNDED,
    scope_split: UNBOUNDED,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[Param {
        name: "retries",
        kind: ParamKind::Bound { max: 1_000_000 },
        default: "unbounded",
        help: "how often one get or put may try again",
    }],
};

struct Lazy {
    retries: u64,
}

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    _build: &mut P::Build,
    _params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    Box::new(Lazy { retries: spec.number("retries") })
}

impl Lazy {
    /// Makes sure that `region` has a pair right now.
    fn add<P: Platform>(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let pair = env.host.alloc_pair(cpu, cache, region).ok_or(PamtError::NoMemory)?;
        let added = steps::span::<P, _>(cpu, Op::PamtGetSlow, || {
            again_while_busy::<P, _>(cpu, Op::PamtGet, self.retries, || {
                steps::add(cpu, env, region, pair)
            })
        });
        if added.is_err() {
            steps::free(cpu, env, pair);
        }
        match added {
            Err(status) if !status.is(StatusName::HpaRangeNotFree) => {
                Err(PamtError::Module(status))
            }
            _ => Ok(()),
        }
    }

    fn remove<P: Platform>(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
    ) -> Result<(), PamtError> {
        let removed = steps::span::<P, _>(cpu, Op::PamtPutSlow, || {
            again_while_busy::<P, _>(cpu, Op::PamtPut, self.retries, || {
                steps::remove(cpu, env, region)
            })
        });
        match removed {
            Ok(pair) => {
                steps::free(cpu, env, pair);
                Ok(())
            }
            Err(status)
                if status.is(StatusName::NoPamtPagePair)
                    || status.is(StatusName::PamtPageNotEmpty) =>
            {
                Ok(())
            }
            Err(status) => Err(PamtError::Module(status)),
        }
    }
}

impl<P: Platform> Strategy<P> for Lazy {
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

    fn with_page(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        mut cache: Option<&mut PamtCache>,
        call: Call<'_, P>,
    ) -> Result<Regs, PamtError> {
        let mut left = self.retries;
        loop {
            let regs = call(cpu);
            if !regs.status().is(StatusName::MissingPamtPagePair) || left == 0 {
                return Ok(regs);
            }
            if left < self.retries {
                P::observe(cpu, Observation::Retry(Op::PamtGet));
            }
            left -= 1;
            steps::get_span::<P, _>(cpu, pfn, || {
                self.add::<P>(cpu, env, pfn.region(), cache.as_deref_mut())
            })?;
        }
    }

    fn after_page(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        call: Call<'_, P>,
    ) -> Result<Regs, PamtError> {
        let regs = call(cpu);
        // PAGE.REMOVE and SEPT.REMOVE hint in RCX, PHYMEM.PAGE.RECLAIM in R9.
        let hint = (regs.rcx | regs.r9) & Regs::REMOVAL_HINT != 0;
        if !regs.status().is_error() && hint {
            steps::put_span::<P, _>(cpu, pfn, || self.remove::<P>(cpu, env, pfn.region()))?;
        }
        Ok(regs)
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}
