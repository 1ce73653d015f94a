//! How far the simulated machine is from curves that others measured.
//!
//! [`rows`] reads the curves and says which of their rows a profile may be fitted on; [`replay`] runs
//! the benchmark with a profile at each point. Nothing is fitted here.

mod baselines;
mod hosts;
mod replay;
pub mod rows;

pub use hosts::{HOSTS, PublishedHost};
pub use replay::{ReplayOptions, replay};
