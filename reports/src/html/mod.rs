//! The HTML report: one self-contained file, complete without JavaScript.
//!
//! All tables and plots are rendered here. The embedded script only makes them more pleasant: it
//! finds them by the ids and data attributes that `web/README.md` lists. Each number cell can be
//! traced to the result file: row and column carry the parts of a JSON pointer.

mod block;
mod commands;
mod figures;
mod input;
mod pages;
mod plots;
mod report;
mod script;
mod table;

pub(crate) use figures::figures;
pub use input::{Input, Skipped, read_all};
pub use report::render;
