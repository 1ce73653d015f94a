//! Results as plain text: the terminal's tables, Markdown for pull requests.

pub mod fidelity;
pub mod lock_bench;
pub mod markdown;
mod ranking;
mod sections;
mod table;
pub mod terminal;

pub use ranking::ranking;
pub(crate) use sections::{hottest, verdicts};
