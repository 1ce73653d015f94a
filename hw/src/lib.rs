//! Real SEAMCALLs: what this host can do for them ([`probe`]), and the driver of the kernel helper.
//!
//! Everything measured through this crate is *measured*; inside a guest with the SEAM emulator it is
//! not a performance result at all.

pub mod probe;

pub use probe::{Check, Probe, State, probe};
