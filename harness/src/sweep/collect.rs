//! Merging the results of a sweep, in the order of its plan.

use std::io::{self, Write};

use pamt_reports::schema::{Ranking, Run};

use super::form::{Form, Merged};
use super::job::Job;
use super::store::{Failure, Store, StoreError};

/// What a merge found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Results merged.
    pub merged: usize,
    /// Jobs that failed.
    pub failed: Vec<Failure>,
    /// Jobs without result or failure.
    pub missing: Vec<Job>,
}

/// Why a merge stopped.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output.
    #[error("cannot write the merged results: {0}")]
    Output(#[from] io::Error),
}

/// Sees each result that is merged, and makes rankings of them.
pub trait Watch {
    /// A result was merged.
    fn collected(&mut self, job: &Job, run: &Run);
    /// The rankings that go into the merged document.
    fn rankings(&self) -> Vec<Ranking>;
}

/// Nobody watches.
impl Watch for () {
    fn collected(&mut self, _job: &Job, _run: &Run) {}

    fn rankings(&self) -> Vec<Ranking> {
        Vec::new()
    }
}

/// Writes all results there are to `output`; each is verified on the way.
///
/// # Errors
/// A result is damaged, or the output cannot be written.
pub fn collect(
    store: &Store,
    jobs: &[Job],
    form: Form,
    output: impl Write + Send,
    watch: &mut impl Watch,
) -> Result<Collected, CollectError> {
    let mut collected = Collected::default();
    let mut file = Merged::begin(form, output)?;
    for job in jobs {
        if let Some(text) = store.result(job)? {
            let run: Run = serde_json::from_str(&text).map_err(io::Error::other)?;
            file.add(&text, &run)?;
            watch.collected(job, &run);
            collected.merged += 1;
        } else if let Some(failure) = store.failure(job)? {
            collected.failed.push(failure);
        } else {
            collected.missing.push(job.clone());
        }
    }
    file.finish(&watch.rankings())?;
    Ok(collected)
}
