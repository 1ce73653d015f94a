//! `v4` (the protocol of Sean Christopherson's RFC v5, too).
//!
//! [`EarlyDrop`] as in v2: what v4 changed is that the fast path comes before the pair is allocated,
//! which the description of the RFC has already, so that the two run alike here. v5 turned failures
//! into warnings and renamed the helpers.

use super::Strategy;
use super::early_drop::{DOUBLE_REMOVE, EarlyDrop};
use crate::platform::Platform;
use crate::registry::{LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "v4",
    aliases: &["v5"],
    summary: "upstream v4 and v5: as v2, the fast path before the allocation of the pair",
    origin: "Rick Edgecombe, v4 08/16, 2025-11-20; Sean Christopherson, RFC v5, 2026-01-28",
    protocol: "As v2.",
    memory: "4 B a region: 2 MiB a TiB, and one lock",
    scope_4k: DOUBLE_REMOVE,
    scope_split: DOUBLE_REMOVE,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    Box::new(EarlyDrop::new(spec, build, params, true))
}
