//! The surface of the TDX module: status codes, leaf and operand names, and the two traits through
//! which the host calls it.
//!
//! [`PamtOps`] exists in all worlds, [`TdLeaves`] where the module is modelled. Behind them stands the
//! module model of `pamt-sim` or, for `PamtOps`, the kernel helper of `pamt-hw`.

mod leaf;
mod operand;
mod ops;
mod status;

pub use leaf::Leaf;
pub use operand::Operand;
pub use ops::{PamtOps, PamtPair, Regs, TdLeaves};
pub use status::{Status, StatusName};
