//! `rfc`: the first posted version, all of it inside KVM.
//!
//! [`EarlyDrop`], and a PAMT.REMOVE that fails leaves the count at 0 with the pair in place (flagged by
//! Chao Gao, changed in v2); the next get adopts it. Chao Gao (2025-05-14) wanted every access to the
//! count under the lock; Kirill Shutemov (05-23) declined, because most calls need one atomic operation.

use super::Strategy;
use super::early_drop::{DOUBLE_REMOVE, EarlyDrop};
use crate::platform::Platform;
use crate::registry::{LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "rfc",
    aliases: &[],
    summary: "upstream RFC: the count drops to 0 outside the global lock",
    origin: "Kirill A. Shutemov, [RFC, PATCH 05/12] KVM: TDX: Add tdx_pamt_get()/put() helpers, 2025-05-02",
    protocol: "get: atomic_inc_not_zero; else take a pair, lock, count up or PAMT.ADD (a pair that is there already \
               is adopted) and set 1. put: atomic_dec_and_test; if last: lock, PAMT.REMOVE if the count is \
               still 0; a failure is ignored.",
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
    Box::new(EarlyDrop::new(spec, build, params, false))
}
