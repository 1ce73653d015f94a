//! Placeholder.

pub mod seamcall;
pub mod sweep;
