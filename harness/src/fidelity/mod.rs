//! How far the simulated machine is from curves that others measured.
//!
//! [`rows`] reads the curves and says which of their rows a profile may be fitted on; [`replay`] runs
//! the benchmark with a profile at each point. [`own_rows`] measures the curves of this host. Nothing is fitted
//! here.

mod baselines;
mod hosts;
mod own;
mod replay;
pub mod rows;

pub use hosts::{HOSTS, PublishedHost};
pub use own::{OwnRows, own_points, own_rows};
pub use replay::{Claim, ReplayOptions, replay};
