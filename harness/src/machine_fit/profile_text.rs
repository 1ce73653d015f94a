//! A profile as text, in the form that all written profiles have.

use std::fmt::Write;

use pamt_sim::machine::{LlcScope, Topology};

/// A profile that is being written.
pub(crate) struct ProfileText(String);

impl ProfileText {
    /// Head of a profile that takes what it does not give from `base`.
    pub(crate) fn new(name: &str, base: &str, description: &str, notes: &[String]) -> Self {
        let notes: String = notes.iter().map(|note| format!("    {note:?},\n")).collect();
        Self(format!(
            "[machine]\nname = \"{name}\"\n\
             description = \"{description}\"\n\
             inherit = \"{base}\"\n\
             notes = [\n{notes}]\n\n"
        ))
    }

    /// What a reader should know first.
    pub(crate) fn comment(self, comment: &str) -> Self {
        let lines: String = comment.lines().map(|line| format!("# {line}\n")).collect();
        Self(format!("{lines}\n{}", self.0))
    }

    pub(crate) fn topology(&mut self, topology: &Topology, source: &str) {
        let llc = match topology.llc {
            LlcScope::Socket => "socket",
            LlcScope::Die => "die",
            LlcScope::Ccx => "ccx",
        };
        let _ = writeln!(
            self.0,
            "[topology]\nsockets = {}\ndies_per_socket = {}\nllcs_per_die = {}\ncores_per_llc = {}\n\
             threads_per_core = {}\nnodes_per_socket = {}\nllc = \"{llc}\"\nsource = \"{source}\"",
            topology.sockets,
            topology.dies_per_socket,
            topology.llcs_per_die,
            topology.cores_per_llc,
            topology.threads_per_core,
            topology.nodes_per_socket,
        );
    }

    pub(crate) fn section(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[{name}]");
    }

    /// A value; `how` is its kind, and its range if it has one.
    pub(crate) fn value(&mut self, key: &str, v: f64, how: &str, source: &str) {
        let _ = writeln!(self.0, "{key} = {{ v = {v:.3}, {how}, source = \"{source}\" }}");
    }
}

impl From<ProfileText> for String {
    fn from(text: ProfileText) -> Self {
        text.0
    }
}
