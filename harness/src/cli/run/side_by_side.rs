//! Experiments on the threads of a pool, until all have run or the user wants an end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use indicatif::ProgressBar;
use pamt_reports::schema::Run;
use pamt_strategies::platform::native::Favours;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::cli::interrupt::Interrupt;
use crate::exec::{self, NativeRun, Prepared, RunError};
use crate::experiment::Backend;

/// How often the flag is looked at.
const LOOK: Duration = Duration::from_millis(50);

type Outcome = Result<Result<Run, RunError>, Box<dyn Any + Send>>;

/// The run of each experiment. After an interruption it is `None` where none has ended: a simulation
/// under way is abandoned, because nobody waits minutes for it after Ctrl-C. A native run ends itself
/// within milliseconds, and is waited for: its result is partial.
///
/// # Errors
/// The first experiment that failed.
pub(super) fn run(
    pool: &ThreadPool,
    prepared: &Arc<Vec<Prepared>>,
    bar: &ProgressBar,
    interrupt: &Interrupt,
    favours: Favours,
) -> Result<Vec<Option<Run>>, RunError> {
    let (sender, receiver) = mpsc::channel();
    let native = prepared.iter().all(|prepared| prepared.experiment.backend == Backend::Native);
    let choices = NativeRun { cut: Some(interrupt.flag()), favours };
    let (all, progress, asked) = (Arc::clone(prepared), bar.clone(), interrupt.clone());
    pool.spawn(move || {
        let all = all.par_iter().enumerate().with_max_len(1);
        all.for_each_with(sender, |sender, (place, prepared)| {
            if !asked.asked() {
                one(place, prepared, &progress, &choices, sender);
            }
        });
    });
    let mut runs: Vec<Option<Run>> = prepared.iter().map(|_| None).collect();
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok((place, outcome)) => {
                let outcome: Outcome = outcome;
                runs[place] = Some(outcome.unwrap_or_else(|panic| resume_unwind(panic))?);
            }
            Err(RecvTimeoutError::Timeout) if !interrupt.asked() || native => {}
            Err(_) => return Ok(runs),
        }
    }
}

fn one(
    place: usize,
    prepared: &Prepared,
    bar: &ProgressBar,
    choices: &NativeRun,
    to: &Sender<(usize, Outcome)>,
) {
    let (strategy, workload) = (&prepared.experiment.strategy, &prepared.experiment.workload);
    bar.set_message(format!("{strategy} under {workload}"));
    let outcome = catch_unwind(AssertUnwindSafe(|| exec::run_with(prepared, choices)));
    bar.inc(1);
    // Nobody listens any more after an interruption or a failure.
    let _ = to.send((place, outcome));
}
