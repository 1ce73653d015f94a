//! Merging the results of a sweep, in the order of its plan.

use std::io::{self, Write};

use pamt_reports::csv;
use pamt_reports::schema::{Document, Run, SCHEMA_VERSION};

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

/// Form of the merged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A result document.
    Json,
    /// A run a line.
    Jsonl,
    /// The run columns, a run a line.
    Csv,
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
    output: &mut impl Write,
    mut each: impl FnMut(&Job, &Run),
) -> Result<Collected, CollectError> {
    let mut collected = Collected::default();
    write_head(form, output)?;
    for job in jobs {
        if let Some(text) = store.result(job)? {
            let run: Run = serde_json::from_str(&text).map_err(io::Error::other)?;
            write_run(form, output, &text, &run, collected.merged == 0)?;
            each(job, &run);
            collected.merged += 1;
        } else if let Some(failure) = store.failure(job)? {
            collected.failed.push(failure);
        } else {
            collected.missing.push(job.clone());
        }
    }
    if form == Form::Json {
        write!(output, "\n],\n\"schema_version\": {SCHEMA_VERSION}\n}}\n")?;
    }
    output.flush()?;
    Ok(collected)
}

fn write_head(form: Form, output: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Json => write!(output, "{{\n\"runs\": ["),
        Form::Jsonl => Ok(()),
        Form::Csv => write!(output, "{}", csv::render(&Document::new(Vec::new()))),
    }
}

fn write_run(
    form: Form,
    output: &mut impl Write,
    text: &str,
    run: &Run,
    first: bool,
) -> io::Result<()> {
    match form {
        Form::Json if first => write!(output, "\n{text}"),
        Form::Json => write!(output, ",\n{text}"),
        Form::Jsonl => writeln!(output, "{text}"),
        Form::Csv => {
            let table = csv::render(&Document::new(vec![run.clone()]));
            // A quoted field may hold a line break, the heading holds none.
            let rows = table.split_once('\n').map_or("", |(_, rows)| rows);
            write!(output, "{rows}")
        }
    }
}
