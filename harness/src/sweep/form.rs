//! The forms of a merged file.

use std::io::{self, Write};

use pamt_reports::csv;
#[cfg(feature = "parquet")]
use pamt_reports::parquet;
use pamt_reports::schema::{Ranking, Run, SCHEMA_VERSION};

/// Form of the merged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A result document.
    Json,
    /// A run a line.
    Jsonl,
    /// The table of runs, a run a line.
    Csv,
    /// The same table with typed columns.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// A merged file that is being written.
pub(super) enum Merged<W: Write + Send> {
    Json {
        output: W,
        first: bool,
    },
    Jsonl(W),
    Csv(W),
    // Its buffers are large beside the other forms.
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Writer<W>>),
}

impl<W: Write + Send> Merged<W> {
    pub(super) fn begin(form: Form, mut output: W) -> io::Result<Self> {
        Ok(match form {
            Form::Json => {
                write!(output, "{{\n\"runs\": [")?;
                Self::Json { output, first: true }
            }
            Form::Jsonl => Self::Jsonl(output),
            Form::Csv => {
                write!(output, "{}", csv::head())?;
                Self::Csv(output)
            }
            #[cfg(feature = "parquet")]
            Form::Parquet => Self::Parquet(Box::new(parquet::Writer::new(output)?)),
        })
    }

    /// Adds a run, whose result file has this text.
    pub(super) fn add(&mut self, text: &str, run: &Run) -> io::Result<()> {
        match self {
            Self::Json { output, first } => {
                let gap = if std::mem::take(first) { "" } else { "," };
                write!(output, "{gap}\n{text}")
            }
            Self::Jsonl(output) => writeln!(output, "{text}"),
            Self::Csv(output) => write!(output, "{}", csv::row(run)),
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.add(run),
        }
    }

    /// Writes the end; only a result document has a place for `rankings`.
    pub(super) fn finish(self, rankings: &[Ranking]) -> io::Result<()> {
        match self {
            Self::Json { mut output, .. } => {
                write!(output, "\n],\n")?;
                if !rankings.is_empty() {
                    writeln!(output, "\"rankings\": {},", serde_json::to_string(rankings)?)?;
                }
                write!(output, "\"schema_version\": {SCHEMA_VERSION}\n}}\n")?;
                output.flush()
            }
            Self::Jsonl(mut output) | Self::Csv(mut output) => output.flush(),
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.finish(),
        }
    }
}
