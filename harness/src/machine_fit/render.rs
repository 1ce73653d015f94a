//! The profile of a fit as text.

use std::fmt::Write;

use pamt_sim::machine::{LlcScope, Topology};

use super::FitRequest;

/// What was fitted.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) occupancy_ns: f64,
    pub(super) lock_cycles: f64,
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
    let mut text = format!(
        "# Written by `pamt-bench machine fit`. Kinds of values: fitted (the source names the rows), measured,\n\
         # estimate (with a range). What is not given here is inherited and marked so in every report.\n\n\
         [machine]\nname = \"{name}\"\n\
         description = \"a host of {topology_text}, fitted on lock rows\"\n\
         inherit = \"{base}\"\n\
         notes = [\n    \"Fitted on incdec_refcount and swap_mutex at crit = par = 0 of {rows_name}, threads {pin}; \
         what they cannot tell is {base}'s.\",\n]\n\n"
    );
    topology(&mut text, &request.topology, topology_text);
    let mut value = |key: &str, v: f64, how: &str, source: &str| {
        let _ = writeln!(text, "{key} = {{ v = {v:.3}, {how}, source = \"{source}\" }}");
    };
    value(
        "\n[core]\nlock_cycles",
        fitted.lock_cycles,
        "kind = \"fitted\"",
        "incdec_refcount less swap_mutex at N = 1, in cycles of the base's clock",
    );
    value(
        "pause_cycles",
        0.0,
        "kind = \"measured\"",
        "lockhammer's loops of 2018 read without PAUSE on x86",
    );
    value(
        "smt_factor",
        1.0,
        "kind = \"measured\"",
        "lockhammer holds and waits by the clock: two siblings at 200/1000 take half the time of one",
    );
    value(
        "\n[bench]\nhold_ns",
        fitted.hold_ns,
        &format!("{split}, kind = \"estimate\""),
        "a third of what swap_mutex at N = 1 takes beyond the model: the rows give the sum, the split is a guess",
    );
    value(
        "loop_ns",
        fitted.loop_ns,
        &format!("{split}, kind = \"estimate\""),
        "the rest of what swap_mutex at N = 1 takes beyond the model",
    );
    value(
        "\n[coherence]\nrmw_occupancy_ns",
        fitted.occupancy_ns,
        "kind = \"fitted\"",
        &format!("half the median of incdec_refcount at crit = par = 0, {window}"),
    );
    value(
        "keep_share",
        fitted.keep_share,
        "kind = \"fitted\"",
        &format!("swap_mutex at crit = par = 0, {window}, by bisection with the model"),
    );
    text
}

fn topology(text: &mut String, topology: &Topology, asked: &str) {
    let llc = match topology.llc {
        LlcScope::Socket => "socket",
        LlcScope::Die => "die",
        LlcScope::Ccx => "ccx",
    };
    let _ = writeln!(
        text,
        "[topology]\nsockets = {}\ndies_per_socket = {}\nllcs_per_die = {}\ncores_per_llc = {}\n\
         threads_per_core = {}\nnodes_per_socket = {}\nllc = \"{llc}\"\nsource = \"--topology {asked}\"",
        topology.sockets,
        topology.dies_per_socket,
        topology.llcs_per_die,
        topology.cores_per_llc,
        topology.threads_per_core,
        topology.nodes_per_socket,
    );
}
