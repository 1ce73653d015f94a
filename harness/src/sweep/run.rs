//! Running the jobs that are not done yet, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pamt_reports::schema::Run;
use rayon::prelude::*;

use super::job::{Job, Shard};
use super::plan::Keep;
use super::store::{Store, StoreError};

/// Which jobs to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The part of the sweep.
    pub shard: Shard,
    /// Leave alone what failed before.
    pub only_missing: bool,
    /// What of a result is kept.
    pub keep: Keep,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Jobs of the shard.
    pub jobs: usize,
    /// Of them, done before.
    pub found: usize,
    /// Of them, done now.
    pub done: usize,
    /// Of them, failed now.
    pub failed: usize,
    /// Of them, failed before and left alone.
    pub left: usize,
    /// Of them, not begun because of an interruption.
    pub not_begun: usize,
}

/// Told of each job that ends.
pub trait Progress: Sync {
    /// `ended` of `all` jobs have ended.
    fn ended(&self, ended: usize, all: usize);

    /// Whether no further job is to begin.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Runs what is not done. A job that fails, or panics, is kept with its reason and the rest is done.
///
/// # Errors
/// The folder cannot be written: no further job is begun then.
pub fn run(
    store: &Store,
    jobs: &[Job],
    options: Options,
    runner: impl Fn(&Job) -> Result<Run, String> + Sync,
    progress: &impl Progress,
) -> Result<Summary, StoreError> {
    let mine = jobs.iter().enumerate().filter(|(place, _)| options.shard.holds(*place));
    let mine: Vec<&Job> = mine.map(|(_, job)| job).collect();
    let mut summary = Summary { jobs: mine.len(), ..Summary::default() };
    let mut open = Vec::new();
    for job in mine {
        if store.is_done(job) {
            summary.found += 1;
        } else if options.only_missing && store.has_failed(job) {
            summary.left += 1;
        } else {
            open.push(job);
        }
    }
    let (ended, failed, not_begun) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let broken: Mutex<Option<StoreError>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    open.par_iter().with_max_len(1).for_each(|job| {
        // Another sweep of this folder may have done it meanwhile.
        if stop.load(Ordering::Relaxed) || store.is_done(job) {
            return;
        }
        if progress.interrupted() {
            not_begun.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| runner(job)))
            .unwrap_or_else(|_| Err("it panicked: a bug of this tool".to_owned()));
        let kept = match outcome {
            Ok(run) => store.keep_result(job, &kept_part(run, options.keep)),
            Err(reason) => {
                failed.fetch_add(1, Ordering::Relaxed);
                store.keep_failure(job, &reason)
            }
        };
        if let Err(error) = kept {
            stop.store(true, Ordering::Relaxed);
            broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            return;
        }
        progress.ended(ended.fetch_add(1, Ordering::Relaxed) + 1, open.len());
    });
    if let Some(error) = broken.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    summary.failed = failed.into_inner();
    summary.not_begun = not_begun.into_inner();
    summary.done = open.len() - summary.failed - summary.not_begun;
    Ok(summary)
}

/// Without provenance, so that a result is the same wherever it was run.
fn kept_part(mut run: Run, keep: Keep) -> Run {
    run.provenance = None;
    if keep == Keep::Summary {
        let result = &mut run.result;
        result.spans.clear();
        result.tds.clear();
        result.timeline = None;
        result.memory.samples.clear();
        result.ops.values_mut().for_each(|op| op.histogram.clear());
        for lock in result.locks.values_mut() {
            lock.acquisitions_by_cpu.clear();
            lock.points_holders.clear();
            lock.points_waiters.clear();
        }
        for object in result.lines.values_mut() {
            object.top.clear();
            object.transfers = None;
        }
    }
    run
}
