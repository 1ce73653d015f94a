//! `state`: no lock at all, the refcount is a state machine and only same-region callers wait.
//!
//! [`StateWord`] without parking. What it does not exclude are collisions inside the module through
//! the regions of backing pages; a call that got BUSY is done again, at most `retries` times. A
//! PAMT.REMOVE that stays BUSY leaves its pair for the next get or for quiesce, so that a put never
//! fails, but a get may.

use super::Strategy;
use super::busy::OnBusy;
use super::counted::RETRIES_PARAM;
use super::state_word::StateWord;
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict};

const GET_MAY_FAIL: Verdict = Verdict::Unsound(
    "PAMT.ADD also locks the regions of its backing pages: a get fails once it has met BUSY more often \
     than it retries (backing pages from a dedicated pool exclude it)",
);

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "state",
    aliases: &[],
    summary: "no lock: the refcount word is a state machine; BUSY is retried",
    origin: "this project",
    protocol: "get: XADD up; if there was no pair, CAS to transit, PAMT.ADD, XADD to present. put: XADD \
               down; from present with a count of 0, CAS to transit, PAMT.REMOVE, XADD to absent. Who finds \
               transit waits for its end.",
    memory: "4 B a region: 2 MiB a TiB",
    scope_4k: GET_MAY_FAIL,
    scope_split: GET_MAY_FAIL,
    module: ModuleMode::Dynamic,
    argument: None,
    params: &[RETRIES_PARAM],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let on_busy = OnBusy::Retry(spec.number("retries"));
    Box::new(StateWord::new(build, params, on_busy, 0))
}
