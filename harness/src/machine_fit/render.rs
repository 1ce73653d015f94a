//! The profile of a fit as text.

use super::FitRequest;
use super::profile_text::ProfileText;

/// What stands above a fitted profile.
const COMMENT: &str = "Written by `pamt-bench machine fit`. Kinds of values: fitted (the source names the rows), measured,\n\
                       estimate (with a range). What is not given here is inherited and marked so in every report.";

/// What was fitted.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) occupancy_ns: f64,
    pub(super) lock_cycles: f64,
    /// Base's extra included.
    pub(super) isolated_ns: f64,
    pub(super) shared_ns: f64,
    pub(super) hold_ns: f64,
    pub(super) loop_ns: f64,
    pub(super) keep_share: f64,
    /// Least and greatest number of threads of the saturated rows.
    pub(super) saturated: (usize, usize),
}

pub(super) fn text(fitted: &Fitted, request: &FitRequest) -> String {
    let FitRequest { name, rows_name, topology_text, base, .. } = request;
    let (from, to) = fitted.saturated;
    let pin = request.pin.name();
    let window = format!("N = {from} to {to}");
    let split = format!("range = [0.0, {:.2}]", fitted.hold_ns + fitted.loop_ns + 0.01);
    let description = format!("a host of {topology_text}, fitted on lock rows");
    let note = format!(
        "Fitted on incdec_refcount and swap_mutex at crit = par = 0 of {rows_name}, threads {pin}; \
         what they cannot tell is {base}'s."
    );
    let mut text = ProfileText::new(name, base, &description, &[note]).comment(COMMENT);
    text.topology(&request.topology, &format!("--topology {topology_text}"));
    text.section("core");
    text.value(
        "lock_cycles",
        fitted.lock_cycles,
        "kind = \"fitted\"",
        "incdec_refcount less swap_mutex at N = 1, in cycles of the base's clock",
    );
    text.value(
        "pause_cycles",
        0.0,
        "kind = \"measured\"",
        "lockhammer's loops of 2018 read without PAUSE on x86",
    );
    text.value(
        "smt_factor",
        1.0,
        "kind = \"measured\"",
        "lockhammer holds and waits by the clock: two siblings at 200/1000 take half the time of one",
    );
    text.section("bench");
    text.value(
        "hold_ns",
        fitted.hold_ns,
        &format!("{split}, kind = \"estimate\""),
        "a third of what swap_mutex at N = 1 takes beyond the model: the rows give the sum, the split is a guess",
    );
    text.value(
        "loop_ns",
        fitted.loop_ns,
        &format!("{split}, kind = \"estimate\""),
        "the rest of what swap_mutex at N = 1 takes beyond the model",
    );
    text.section("coherence");
    text.value(
        "rmw_occupancy_ns",
        fitted.occupancy_ns,
        "kind = \"fitted\"",
        &format!("half the median of incdec_refcount at crit = par = 0, {window}"),
    );
    text.value(
        "shared_occupancy_ns",
        fitted.shared_ns,
        // Between a pipelined cache slice and what an isolated LOCK operation takes.
        &format!(
            "range = [{:.2}, {:.2}], kind = \"derived\"",
            fitted.shared_ns / 5.0,
            fitted.isolated_ns
        ),
        &format!("{base}'s, in the proportion of rmw_occupancy_ns"),
    );
    text.value(
        "keep_share",
        fitted.keep_share,
        "kind = \"fitted\"",
        &format!("swap_mutex at crit = par = 0, {window}, by bisection with the model"),
    );
    text.into()
}
