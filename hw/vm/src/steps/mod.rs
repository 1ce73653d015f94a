//! The steps, in the order in which the guest runs them.

mod agreement;
mod bench;
mod faults;
mod fuzz;
mod leaves;
mod lifetime;
mod presence;
mod storm;
mod twins;

use std::process::ExitCode;

use crate::system::Outcome;

/// One step.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Outcome,
}

const fn step(name: &'static str, run: fn() -> Outcome) -> Step {
    Step { name, run }
}

/// All of them.
pub(crate) const STEPS: &[Step] = &[
    step("no-helper", presence::no_helper),
    step("no-emulator", presence::no_emulator),
    step("leaves", leaves::every_leaf),
    step("operands", leaves::refused_operands),
    step("emulator-declines", presence::emulator_declines),
    step("vmfail", presence::vmfail),
    step("static-pamt", presence::static_pamt),
    step("emulator-gone", presence::emulator_gone),
    step("gp", presence::general_protection),
    step("storm", storm::four_threads),
    step("twins", twins::every_twin),
    step("twins-busy", faults::busy),
    step("twins-failing-remove", faults::failing_remove),
    step("twins-slow", faults::slow),
    step("agreement", agreement::every_strategy),
    step("agreement-faults", agreement::every_strategy_with_faults),
    step("bench-refusals", bench::refusals),
    step("bench-result", bench::result),
    step("bench-in-kernel", bench::in_kernel),
    step("close-with-pairs", lifetime::close_with_pairs),
    step("close-pinned", lifetime::close_pinned),
    step("unload-in-run", lifetime::unload_in_run),
    step("kill-in-run", lifetime::kill_in_run),
    step("unprivileged", lifetime::unprivileged),
    step("fuzz", fuzz::hostile_calls),
    step("log", presence::clean_log),
];

/// What a step runs as another process.
pub(crate) fn child(name: &str) -> ExitCode {
    match name {
        "open-expect-eperm" => lifetime::child_open(),
        "run-long" => lifetime::child_run(),
        _ => ExitCode::from(2),
    }
}
