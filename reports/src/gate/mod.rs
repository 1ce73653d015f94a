//! The verdict for CI: a comparison under the rules of a checked-in gate file.
//!
//! Modelled and counted metrics gate as they are. Measured ones are advisory until the host has been
//! calibrated (its A/A noise is known, fresh, and of this host). An expected change needs a reason and
//! a day on which it expires; one that no row needs any more fails the gate, so that the list stays
//! true.

mod calibrate;
mod day;
mod file;
mod formats;
mod github;
mod judge;
mod junit;
mod markdown;
mod outcome;
mod text;

pub use calibrate::{CalibrateError, calibrate};
pub use day::Day;
pub use file::{Expectation, GateFile, GateFileError, Gated};
pub use formats::{ImportError, read_table, to_bencher, to_custom_smaller_is_better};
pub use github::annotations;
pub use judge::{Inputs, gate};
pub use junit::to_junit;
pub use markdown::to_markdown;
pub use outcome::{GateRow, Outcome, json_schema};
pub use text::to_text;

#[cfg(test)]
mod tests;
