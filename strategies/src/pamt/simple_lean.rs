//! `simple-lean`: `simple` without its waste.
//!
//! The lock is taken on every get and put all the same, but a pair that turns out not to be needed
//! goes back to the cache it came from, and is not reset: the module never wrote to it, so that none
//! of its lines has the module's key. On a machine with the erratum that saves 8 KB of MOVDIR64B on
//! all gets but the first of a region. What remains of the cost of `simple` is the lock's.

use super::Strategy;
use super::global::DEMOTE_BUSY;
use super::simple::Simple;
use crate::platform::Platform;
use crate::registry::{
    LOCK_PARAM, ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict,
};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "simple-lean",
    aliases: &[],
    summary: "simple, but an unused pair goes back to its cache and is not reset",
    origin: "this project",
    protocol: "As simple; the pair that was not needed is put back into the vCPU's cache as it is.",
    memory: "4 B a region: 2 MiB a TiB, and one lock",
    scope_4k: Verdict::Sound,
    scope_split: DEMOTE_BUSY,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[LOCK_PARAM],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    Box::new(Simple::new(spec, build, params, true))
}
