//! Placeholder.

pub mod sweep;
