//! This host as a place to measure on: what is known of it, and how far it lets itself be measured.
//!
//! [`facts`] reads what shapes every figure (governor, turbo, SMT, hypervisor, ...); what cannot be read
//! is told with the reason. A [`Watch`] goes with a measurement: short probes of every CPU before and
//! after it, and what others took of the CPUs in between. [`verdict`] turns both into words, a cause and a
//! remedy each.

mod counters;
mod facts;
mod hitm;
mod load;
mod probe;
mod verdict;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use counters::Counters;
pub(crate) use facts::{Fact, facts};
pub(crate) use watch::Watch;

/// What is known of this host, and why the rest is not, as provenance keeps it.
pub(crate) fn provenance() -> BTreeMap<String, String> {
    let facts = facts(Path::new("/")).into_iter();
    facts.map(|(name, fact)| (name.to_owned(), fact.unwrap_or_else(|why| why))).collect()
}
