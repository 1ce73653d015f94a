//! What a run reports about itself, folded on the fly.
//!
//! Strategies, locks, the module model and the host model call `P::observe` with an [`Observation`];
//! each world feeds it to a [`Recorder`]. A simulated run has one recorder (one host thread), a native
//! run one per thread, merged at the end. The result is a [`Measurement`]: plain data from which the
//! harness makes a result file. Observing costs no modelled time.

mod held;
mod lock_book;
mod observation;
mod op;
mod recorder;
mod span_tree;
mod trace;

pub use held::HeldOverTime;
pub use lock_book::{HolderBoard, LockClassStats, LockWait};
pub use observation::{
    Chronicle, LockClass, LockClassId, LockKind, LockStep, Observation, Stamped, Violation,
    ViolationKind,
};
pub use op::Op;
pub use recorder::{
    CpuPlace, FoundViolation, LongestSections, Measurement, OpStats, PairCount, Recorder,
};
pub use span_tree::{SpanPath, SpanTree};
pub use trace::{TraceSink, Transfer};
