//! Merging the results of a sweep, in the order of its plan.

use std::io::{self, Write};

use pamt_reports::schema::Run;

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

/// Writes all results there are to `output`; each is verified on the way.
///
/// # Errors
/// A result is damaged, or the output cannot be written.
pub fn collect(
    store: &Store,
    jobs: &[Job],
    form: Form,
    output: impl Write + Send,
    mut each: impl FnMut(&Job, &Run),
) -> Result<Collected, CollectError> {
    let mut collected = Collected::default();
    let mut file = Merged::begin(form, output)?;
    for job in jobs {
        if let Some(text) = store.result(job)? {
            let run: Run = serde_json::from_str(&text).map_err(io::Error::other)?;
            file.add(&text, &run)?;
            each(job, &run);
            collected.merged += 1;
        } else if let Some(failure) = store.failure(job)? {
            collected.failed.push(failure);
        } else {
            collected.missing.push(job.clone());
        }
    }
    file.finish()?;
    Ok(collected)
}
