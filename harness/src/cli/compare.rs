//! `compare`: differences between results, with their evidence, worst first.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pamt_reports::capture::{Capture, beside};
use pamt_reports::compare::{
    Comparison, Limit, Policy, Verdict, compare, markdown_table, text_table,
};
use pamt_reports::exit::Exit;
use pamt_reports::gate::read_table;
use pamt_reports::schema::Document;

use super::{CliError, output};

/// Arguments of a comparison.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Results: the first is compared with each of the others; or a text capture of a real host
    /// (/proc/lock_stat, perf c2c report --stdio), which is laid beside modelled results
    #[arg(required = true, num_args = 2.., value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// Tolerated change in percent, for all metrics
    #[arg(long, value_name = "PERCENT")]
    margin: Option<f64>,
    /// Form of the comparison
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Form of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Columns for a terminal
    #[default]
    Text,
    /// A table for a mail or a pull request
    Markdown,
    /// Every row, those unchanged too
    Json,
}

pub(super) fn execute(args: &CompareArgs) -> Result<Exit, CliError> {
    let mut policy = Policy::default();
    if let Some(percent) = args.margin {
        if percent.is_nan() || percent < 0.0 {
            return Err(CliError::Usage(format!("--margin {percent}: give 0 or more")));
        }
        let (metric, cell) = ("*".to_owned(), "*".to_owned());
        policy.limits.push(Limit { metric, cell, soft_percent: Some(percent), hard: None });
    }
    if let Some(capture) = capture(&args.results[0])? {
        return lay_beside(args, &capture);
    }
    let read = |path: &PathBuf| {
        read_table(std::slice::from_ref(path)).map_err(|error| CliError::Usage(error.to_string()))
    };
    let tables = args.results.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let comparisons: Vec<Comparison> =
        tables[1..].iter().map(|after| compare(&tables[0], after, &policy)).collect();
    let mut text = String::new();
    for (comparison, path) in comparisons.iter().zip(&args.results[1..]) {
        if comparisons.len() > 1 && args.format != Form::Json {
            text.push_str(&format!("{} -> {}\n", args.results[0].display(), path.display()));
        }
        text.push_str(&show(comparison, args.format));
    }
    output::text_to(args.output.as_ref(), &text)?;
    Ok(comparisons.iter().map(exit).max().unwrap_or(Exit::NothingToCompare))
}

/// The first file as a capture, if it is one.
fn capture(path: &Path) -> Result<Option<Capture>, CliError> {
    // What is no text, or not there, is told as a result that cannot be read.
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(None);
    };
    let parse = |kind| Capture::parse(kind, &text, path);
    let parsed = Capture::kind_of(&text).map(parse).transpose();
    parsed.map_err(|error| CliError::Usage(error.to_string()))
}

fn lay_beside(args: &CompareArgs, capture: &Capture) -> Result<Exit, CliError> {
    if args.format != Form::Text || args.margin.is_some() {
        return Err(CliError::Usage(
            "a capture is laid beside runs as text and without a verdict; leave --format and --margin out"
                .into(),
        ));
    }
    let read =
        |path: &PathBuf| Document::read(path).map_err(|error| CliError::Usage(error.to_string()));
    let documents = args.results[1..].iter().map(read).collect::<Result<Vec<_>, _>>()?;
    match beside(capture, &Document::merged(&documents)) {
        Some(text) => {
            output::text_to(args.output.as_ref(), &text)?;
            Ok(Exit::Passed)
        }
        None => Err(CliError::Ended(
            Exit::NothingToCompare,
            format!(
                "{} and the modelled runs have no lock or cache line in common",
                args.results[0].display()
            ),
        )),
    }
}

pub(super) fn show(comparison: &Comparison, form: Form) -> String {
    match form {
        Form::Text => text_table(comparison),
        Form::Markdown => markdown_table(comparison),
        Form::Json => comparison.to_json(),
    }
}

/// A comparison informs: it fails only where nothing was compared.
fn exit(comparison: &Comparison) -> Exit {
    let compared = comparison
        .rows
        .iter()
        .any(|row| !matches!(row.verdict, Verdict::Incomparable | Verdict::New | Verdict::Missing));
    if compared {
        Exit::Passed
    } else if comparison.count(Verdict::Incomparable) > 0 {
        Exit::Incomparable
    } else {
        Exit::NothingToCompare
    }
}
