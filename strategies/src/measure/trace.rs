//! The raw events of a run, for those who want to see each of them in its order.
//!
//! A [`Recorder`](super::Recorder) folds observations into sums; given a [`TraceSink`] it also hands
//! on every one of them, and so does the world with every line that moves. Without a sink that costs
//! one branch an observation.
//!
//! Events of one CPU come in order of time. Those of different CPUs may not: a simulated CPU runs
//! ahead of others while nothing that it does can be seen by them.

use super::observation::{LockClass, Observation};
use crate::units::{CpuId, Cycles};

/// A cache line that came to a CPU, or that became its alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// The object that the line belongs to.
    pub object: &'a str,
    /// Number of the line within it.
    pub line: u64,
    /// Whose cache had it last (of a core, its first CPU); nothing when it came from elsewhere.
    pub from: Option<CpuId>,
    /// The line came with the right to write (RFO).
    pub owned: bool,
    /// From asking for it to having it, queueing included.
    pub length: Cycles,
}

/// Receives the events of a run.
pub trait TraceSink {
    /// The run begins; a `LockClassId` is an index of `classes`.
    fn start(&mut self, classes: &[LockClass]);
    /// `cpu` reported this at its local time `now`.
    fn observed(&mut self, cpu: CpuId, now: Cycles, observation: &Observation);
    /// A line came to `cpu`, which asked for it at `now`.
    fn transferred(&mut self, cpu: CpuId, now: Cycles, transfer: &Transfer<'_>);
    /// The run ended.
    fn finish(&mut self, end: Cycles);
}
