//! `static`: the module in static mode. All PAMT memory is there from boot on, get and put do nothing.
//!
//! The floor that dynamic strategies are compared with, at 4 GiB of PAMT a TiB (0.4 %).

use super::{Call, DemoteCall, Env, PamtCache, PamtError, Strategy};
use crate::module::{PamtPair, Regs};
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict};
use crate::units::{Pfn, Region};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "static",
    aliases: &[],
    summary: "no Dynamic PAMT: all PAMT memory is allocated at boot, get and put do nothing",
    origin: "Linux before Dynamic PAMT",
    protocol: "None. The module runs in static mode and keeps no page_count.",
    memory: "none of its own; the module's static PAMT is 4 GiB a TiB",
    scope_4k: Verdict::Sound,
    scope_split: Verdict::Sound,
    module: ModuleMode::Static,
    argument: None,
    params: &[],
};

struct Static;

pub(crate) fn build<P: Platform>(
    _spec: &StrategySpec,
    _build: &mut P::Build,
    _params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    Box::new(Static)
}

impl<P: Platform> Strategy<P> for Static {
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

    /// Static mode has all PAMT entries: DEMOTE takes no pair.
    fn demote(
        &self,
        cpu: &P::Cpu,
        _env: &Env<'_, P>,
        _region: Region,
        _cache: Option<&mut PamtCache>,
        call: DemoteCall<'_, P>,
    ) -> Result<Regs, PamtError> {
        Ok(call(cpu, PamtPair([Pfn(0); 2])))
    }

    fn promote(&self, cpu: &P::Cpu, _env: &Env<'_, P>, _region: Region, call: Call<'_, P>) -> Regs {
        call(cpu)
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}
