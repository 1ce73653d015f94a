//! The simulated machine, and the TDX module on it.
//!
//! [`machine`] is the deterministic world: topology, profiles, coherence, the event engine and the
//! [`Platform`](pamt_strategies::platform::Platform) that strategies, locks and the module model run
//! on. A run is a pure function of profile, actors and seed. [`tdx`] is the module.

pub mod machine;
pub mod stepped;
pub mod tdx;

pub use machine::{Sim, SimBuild, SimCpu, SimOptions, SimOutcome, SimWords, run};
