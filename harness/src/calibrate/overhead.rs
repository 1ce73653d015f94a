//! What measuring itself costs: the clock, the record of an operation, the loop of the lock benchmark.

use std::hint::black_box;
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
    /// Two readings of the clock of a run, as each operation needs.
    pub(super) readings: Figure,
    /// One operation recorded: its beginning, its end, and its length in the histogram.
    pub(super) operation: Figure,
    /// The record without the two readings: what one window takes beyond the one before.
    pub(super) record: Figure,
    /// One round of the lock benchmark without a lock, which the simulated loop is given, too.
    pub(super) lock_loop: Figure,
}

const WINDOWS: usize = 100;
const OPERATIONS: u32 = 1000;
/// Runs of the empty loop.
const LOOPS: usize = 9;

pub(super) fn measure() -> Result<Overhead, NativeError> {
    let [readings, operation, record] = recording()?;
    let loops: Vec<f64> = (0..LOOPS).map(|_| empty_loop_ns()).collect::<Result<_, _>>()?;
    let lock_loop = Figure::of(&loops).expect("loops were asked for");
    Ok(Overhead { readings, operation, record, lock_loop })
}

/// Two readings, an operation with them and without, on a recorded thread of the native world. Windows of the
/// two take turns, as a host changes speed from second to second.
fn recording() -> Result<[Figure; 3], NativeError> {
    let windows: Arc<Mutex<[Vec<f64>; 3]>> = Arc::default();
    let results = Arc::clone(&windows);
    let body = move |cpu: &<Native as Platform>::Cpu| {
        for _ in 0..WINDOWS {
            let readings = window(|| [(); 2].map(|()| black_box(Native::now(cpu))));
            let operation = window(|| {
                Native::observe(cpu, Observation::Begin(Op::LockAcquire));
                Native::observe(cpu, Observation::End(Op::LockAcquire));
            });
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            for (samples, ns) in results.iter_mut().zip([readings, operation, operation - readings])
            {
                samples.push(ns);
            }
        }
    };
    let actor = Actor { cpu: CpuId(0), name: "overhead".into(), body: Box::new(body) };
    native::run(NativeBuild::new(NativeOptions::new(1, 1))?, vec![actor])?;
    let windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(windows.each_ref().map(|samples| Figure::of(samples).expect("windows were asked for")))
}

/// ns each of a window full of them.
fn window<T>(mut what: impl FnMut() -> T) -> f64 {
    let begun = Instant::now();
    for _ in 0..OPERATIONS {
        black_box(what());
    }
    begun.elapsed().as_nanos() as f64 / f64::from(OPERATIONS)
}
