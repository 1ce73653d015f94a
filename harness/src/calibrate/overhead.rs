//! What measuring itself costs: the clock, the record of an operation, the loop of the lock benchmark.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeError, NativeOptions};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::CpuId;

use super::figure::Figure;
use crate::lockbench::empty_loop_ns;

/// ns each.
pub(super) struct Overhead {
    /// One reading of the clock of a run.
    pub(super) clock: Figure,
    /// One operation recorded: its beginning, its end, and its length in the histogram.
    pub(super) operation: Figure,
    /// One round of the lock benchmark without a lock, which the simulated loop is given, too.
    pub(super) lock_loop: Figure,
}

impl Overhead {
    /// The record without the two readings of the clock in it.
    pub(super) fn record_ns(&self) -> f64 {
        (self.operation.median - 2.0 * self.clock.median).max(0.0)
    }
}

const WINDOWS: usize = 100;
const OPERATIONS: u32 = 1000;
/// Runs of the empty loop.
const LOOPS: usize = 9;

pub(super) fn measure() -> Result<Overhead, NativeError> {
    let clock = windows(|cpu| {
        std::hint::black_box(Native::now(cpu));
    })?;
    let operation = windows(|cpu| {
        Native::observe(cpu, Observation::Begin(Op::LockAcquire));
        Native::observe(cpu, Observation::End(Op::LockAcquire));
    })?;
    let loops: Vec<f64> = (0..LOOPS).map(|_| empty_loop_ns()).collect::<Result<_, _>>()?;
    let lock_loop = Figure::of(&loops).expect("loops were asked for");
    Ok(Overhead { clock, operation, lock_loop })
}

/// ns of `what`, on a recorded thread of the native world.
fn windows(what: fn(&<Native as Platform>::Cpu)) -> Result<Figure, NativeError> {
    let samples: Arc<Mutex<Vec<f64>>> = Arc::default();
    let results = Arc::clone(&samples);
    let actor = Actor {
        cpu: CpuId(0),
        name: "overhead".into(),
        body: Box::new(move |cpu: &_| {
            let mut windows = Vec::with_capacity(WINDOWS);
            for _ in 0..WINDOWS {
                let begun = Instant::now();
                for _ in 0..OPERATIONS {
                    what(cpu);
                }
                windows.push(begun.elapsed().as_nanos() as f64 / f64::from(OPERATIONS));
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).extend(windows);
        }),
    };
    native::run(NativeBuild::new(NativeOptions::new(1, 1))?, vec![actor])?;
    let samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Figure::of(&samples).expect("windows were asked for"))
}
