//! Experiments on the threads of a pool, until all have run or the user wants an end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use indicatif::ProgressBar;
use pamt_reports::schema::Run;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::cli::interrupt::Interrupt;
use crate::exec::{self, Prepared, RunError};

/// How often the flag is looked at.
const LOOK: Duration = Duration::from_millis(50);

type Outcome = Result<Result<Run, RunError>, Box<dyn Any + Send>>;

/// The run of each experiment. After an interruption it is `None` where none has ended: what is under
/// way is abandoned, because nobody waits for a simulation of minutes after Ctrl-C.
///
/// # Errors
/// The first experiment that failed.
pub(super) fn run(
    pool: &ThreadPool,
    prepared: &Arc<Vec<Prepared>>,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<Vec<Option<Run>>, RunError> {
    let (sender, receiver) = mpsc::channel();
    let (all, progress, asked) = (Arc::clone(prepared), bar.clone(), interrupt.clone());
    pool.spawn(move || {
        let all = all.par_iter().enumerate().with_max_len(1);
        all.for_each_with(sender, |sender, (place, prepared)| {
            if !asked.asked() {
                one(place, prepared, &progress, sender);
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
            Err(RecvTimeoutError::Timeout) if !interrupt.asked() => {}
            Err(_) => return Ok(runs),
        }
    }
}

fn one(place: usize, prepared: &Prepared, bar: &ProgressBar, to: &Sender<(usize, Outcome)>) {
    let (strategy, workload) = (&prepared.experiment.strategy, &prepared.experiment.workload);
    bar.set_message(format!("{strategy} under {workload}"));
    let outcome = catch_unwind(AssertUnwindSafe(|| exec::run(prepared)));
    bar.inc(1);
    // Nobody listens any more after an interruption or a failure.
    let _ = to.send((place, outcome));
}
