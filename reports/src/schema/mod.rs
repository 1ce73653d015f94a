//! The form of a result file.
//!
//! A [`Document`] holds runs; a [`Run`] says what was asked for ([`Experiment`]), where and when it
//! ran ([`Provenance`], kept apart so that two results can be compared byte for byte without it),
//! what it may be compared with ([`Comparability`]) and what came out ([`RunResult`]).
//!
//! Rules: keys are snake_case with the unit last; times are integer nanoseconds; a figure that is not
//! known is absent, never 0; the written form has sorted keys, so equal results are equal bytes.
//!
//! Version 2 writes who took a line from whom as a matrix; files of version 1 are read as they are.

mod correctness;
mod counters;
mod document;
mod experiment;
mod fidelity;
mod lines;
mod lock_bench;
mod locks;
mod model;
mod noise;
mod ops;
mod ranking;
mod result;
mod timeline;
mod written;

pub use correctness::{Correctness, HistoryRow, Verdict, ViolationRow};
pub use counters::{CounterRow, counter_lines};
pub use document::{Document, ReadError, Run, SCHEMA_VERSION, json_schema};
pub use experiment::{Comparability, Experiment, Provenance};
pub use fidelity::{FidelityCurve, FidelityDocument, FidelityPoint, fidelity_schema};
pub use lines::{FieldRow, LineCounts, LineRow, ObjectRow, Transfers};
pub use lock_bench::{Distribution, LockBenchDocument, LockBenchRow, lock_bench_schema};
pub use locks::{ContentionPoint, Handoffs, LockRow};
pub use model::{ModelParameter, ParameterKind};
pub use noise::{Noise, NoiseCause, NoiseLevel};
pub use ops::{OpRow, SpanRow};
pub use ranking::{Ranking, StrategyRow, TornadoRow};
pub use result::{Memory, MemorySample, RunResult, TdRow, Throughput, World};
pub use timeline::Timeline;
pub use written::{sorted, written};
