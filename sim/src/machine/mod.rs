//! The machine: topology, profiles, coherence, and the engine that runs actors on them.
//!
//! Layout: [`Profile`] (costs as data) and [`Topology`]; `costs` (a profile in cycles), `line`, `record`,
//! `in_flight` and `memory` (state), `coherence` and `transactions` (what an access costs and changes), `tally`, `handed` and
//! `stats` (its counters), `queue`, `cpu`, `engine`, `sleep` and `fiber` (who acts when), `access`, `store_buffer`, `spin` and
//! `bulk` (the operations), `interrupts`, `words` and `world` (the
//! [`Platform`](pamt_strategies::platform::Platform)), `build` (set-up, run, outcome) and [`LineBook`].
//! `reference` is the same engine without a thought for speed, which tests hold this one to.

mod access;
mod build;
mod bulk;
mod coherence;
mod costs;
mod cpu;
mod engine;
mod fiber;
mod handed;
mod in_flight;
mod interrupts;
mod line;
mod line_book;
mod map;
mod memory;
mod moves;
mod profile;
mod queue;
mod record;
#[cfg(test)]
mod reference;
mod rows;
mod seeds;
mod sleep;
mod spin;
mod stats;
mod store_buffer;
mod table;
mod tally;
mod topology;
mod transactions;
mod words;
mod world;

pub use build::{End, SimBuild, SimOptions, SimOutcome, Stuck, StuckWait, run};
pub use engine::EngineCounts;
pub use fiber::Switch;
pub use handed::Handed;
pub use interrupts::Interrupts;
pub use line_book::{LineBook, LineRow, NamedOffset, ObjectRow};
pub use profile::{KeySpec, Kind, Needed, Profile, ProfileError, Value, keys};
pub use stats::{LineCounters, OffsetRow};
pub use topology::{Distance, LlcScope, MAX_CORES, MAX_CPUS, Topology};
pub use words::SimWords;
pub use world::{Sim, SimCpu};
