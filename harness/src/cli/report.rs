//! `report`: views of results that were written before.

use std::path::PathBuf;

use clap::Args;
use pamt_reports::exit::Exit;
use pamt_reports::export;
use pamt_reports::html::{self, Input, Skipped};
use pamt_reports::schema::Document;

use super::CliError;
use super::output::{self, Format};

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Result files (JSON), written with `run -o FILE.json`
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// Where to write; the ending says the form: .html, .json, .csv, .md, .txt, or an export
    /// (.c2c, .lockstat, .folded, .speedscope.json, .hgrm, .mail.txt, .svg, and .png in a build with that feature)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn execute(args: &ReportArgs) -> Result<Exit, CliError> {
    let (inputs, skipped) = html::read_all(&args.results);
    for file in &skipped {
        anstream::eprintln!("pamt-bench: {}", file.reason);
    }
    if inputs.is_empty() {
        return Err(CliError::Usage("no result could be read; nothing was written".into()));
    }
    write(args, &inputs, &skipped)?;
    Ok(if skipped.is_empty() { Exit::Passed } else { Exit::Partial })
}

fn write(args: &ReportArgs, inputs: &[Input], skipped: &[Skipped]) -> Result<(), CliError> {
    let path = &args.output;
    if path.extension().is_some_and(|extension| extension == "html") {
        return output::write_beside(path, html::render(inputs, skipped).as_bytes());
    }
    let document = Document::merged(inputs.iter().map(|input| &input.document));
    let Some(exporter) = export::by_path(path) else {
        if path.extension().is_some_and(|extension| extension == "png") {
            return Err(CliError::Usage(format!(
                "-o {}: this build draws no PNG; build it with `cargo build --release --features png`, \
                 or choose .svg",
                path.display()
            )));
        }
        return output::document(&document, Format::of(path)?, Some(path));
    };
    let parts = exporter.export(&document).map_err(|error| CliError::Usage(error.to_string()))?;
    let paths = export::paths(path, exporter.suffix(), &parts);
    for (path, part) in paths.iter().zip(&parts) {
        output::write_beside(path, &part.bytes)?;
    }
    Ok(())
}
