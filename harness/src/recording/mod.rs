//! Recordings of real hosts: the gets and puts of `tdx_pamt_get()` and `tdx_pamt_put()`, one a line.
//!
//! The command line calls such a file a trace; `docs/trace-format.md` specifies it. (What a run of ours
//! writes for Perfetto is [`crate::trace`].) [`Reader`] streams a file and tells what is wrong with a line;
//! [`scan`] goes through a whole file and checks the order of each page's gets and puts as well;
//! [`Summary`] is what `trace info` prints; [`convert`] makes a recording of what
//! `scripts/capture/pamt.bt` printed; [`generate`] invents one; [`Replay`] holds one in memory for the
//! workload `trace:FILE`.

mod bpftrace;
mod error;
mod generate;
mod operation;
mod pages;
mod reader;
mod replay;
mod summary;

pub use bpftrace::{Converted, WINDOW, convert};
pub use error::{Fault, MOST_FAULTS, Problem, RecordingError};
pub use generate::{Invented, generate};
pub use operation::{Operation, What, header};
pub use reader::{Reader, scan};
pub use replay::Replay;
pub(crate) use replay::Step;
pub use summary::Summary;
