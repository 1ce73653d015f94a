//! All that an execution reports, for `check --trace`: ui.perfetto.dev then shows who held which lock,
//! where each CPU was and what became of a region. Nothing in it is a time: each observation stands a
//! microsecond after the one before.

use std::io::{self, Write};

use pamt_strategies::measure::{LockClass, Observation, TraceSink};
use pamt_strategies::units::{Clock, CpuId, Cycles};

use crate::trace::Trace;

/// Ticks between two observations, of a clock of 1 GHz.
const STEP: u64 = 1000;

/// Observations in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) classes: Vec<LockClass>,
    pub(super) observations: Vec<(CpuId, Observation)>,
}

impl Heard {
    /// Writes them as a Perfetto trace.
    pub(super) fn write<W: Write + Send>(&self, out: W) -> io::Result<W> {
        let mut cpus: Vec<_> = self.observations.iter().map(|(cpu, _)| *cpu).collect();
        cpus.sort_unstable();
        cpus.dedup();
        let actors = cpus.into_iter().map(|cpu| (cpu, format!("CPU {cpu}")));
        let trace = Trace::new(out, Clock::new(1.0), actors);
        let mut sink = trace.clone();
        sink.start(&self.classes);
        let mut now = Cycles(0);
        for (cpu, observation) in &self.observations {
            sink.observed(*cpu, now, observation);
            now += Cycles(STEP);
        }
        TraceSink::finish(&mut sink, now);
        drop(sink);
        trace.finish()
    }
}
