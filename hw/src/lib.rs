//! Real SEAMCALLs: what this host can do for them ([`probe`]), and the driver of the kernel helper.
//!
//! [`Device`] speaks the helper's ABI ([`abi`]); [`HwOps`] makes it a
//! [`PamtOps`](pamt_strategies::module::PamtOps), so that any strategy runs on it; [`Twin`] names the
//! strategies that the helper also has in C, for in-kernel runs.
//!
//! Everything measured through this crate is *measured*; inside a guest with the SEAM emulator it is
//! not a performance result at all.

pub mod abi;
pub mod probe;

mod device;
mod ops;
mod twin;

pub use device::{Device, DeviceError, InKernelRun};
pub use ops::{HwOps, OpsFailure};
pub use probe::{Check, Probe, State, probe};
pub use twin::{Twin, TwinError};
