//! The result schema and every view of a result.
//!
//! [`schema`] owns the form of a result file. Everything else reads it: this crate knows nothing of
//! how a number was produced, and could render the results of another tool.

pub mod capture;
pub mod columns;
pub mod compare;
pub mod conclude;
pub mod contention;
pub mod csv;
pub mod exit;
pub mod export;
pub mod fidelity;
pub mod figure;
pub mod gate;
pub mod html;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod perfetto;
pub mod plot;
pub mod queueing;
mod run_table;
pub mod scenario;
pub mod schema;
pub mod stats;
pub mod text;
