//! `v2`: the helpers moved out of KVM (v2 and v2.1, 2025-06-09; v3 08/16 has the same protocol).
//!
//! [`EarlyDrop`]; a PAMT.REMOVE that fails counts up again.

use super::Strategy;
use super::early_drop::{DOUBLE_REMOVE, EarlyDrop};
use crate::platform::Platform;
use crate::registry::{LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "v2",
    aliases: &[],
    summary: "upstream v2: as rfc, and a failed PAMT.REMOVE counts up again",
    origin: "Kirill A. Shutemov, v2 of the series, 2025-06-09; same protocol in v3 08/16, 2025-09-18",
    protocol: "get: atomic_inc_not_zero; else take a pair, lock, count up or PAMT.ADD (a pair that is there already \
               is adopted) and set 1. put: atomic_dec_and_test; if last: lock, PAMT.REMOVE if the count is \
               still 0; on failure count up.",
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
