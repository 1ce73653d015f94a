//! The machine: topology, profiles, coherence, and the engine that runs actors on them.

mod profile;
mod topology;

pub use profile::{KeySpec, Kind, Needed, Profile, ProfileError, Value, keys};
pub use topology::{Distance, LlcScope, MAX_CORES, MAX_CPUS, Topology};
