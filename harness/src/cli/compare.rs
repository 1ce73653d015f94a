//! `compare`: differences between results, with their evidence, worst first.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pamt_reports::compare::{
    Comparison, Limit, Policy, Verdict, compare, markdown_table, text_table,
};
use pamt_reports::exit::Exit;
use pamt_reports::gate::read_table;

use super::{CliError, output};

/// Arguments of a comparison.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Results: the first is compared with each of the others
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
