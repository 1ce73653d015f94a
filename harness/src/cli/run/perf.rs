//! `run --perf`: what the command line means there.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pamt_reports::schema::Document;

use super::{CliError, RunArgs, run_all};
use crate::exec::Prepared;
use crate::experiment::Backend;
use crate::perf::PerfKind;

/// The single native run with perf around it, or without where perf cannot.
pub(super) fn run_under(
    kind: PerfKind,
    args: &RunArgs,
    prepared: Vec<Prepared>,
) -> Result<Document, CliError> {
    let [only] = &prepared[..] else {
        let runs = prepared.len();
        return Err(CliError::Usage(format!("--perf needs a single run, these are {runs}")));
    };
    if only.experiment.backend != Backend::Native {
        return Err(CliError::Usage("--perf needs --backend native".into()));
    }
    let folder = Folder::new().map_err(|source| failed("make", "a temporary folder", source))?;
    if let Some(why) = kind.obstacle(&folder.0) {
        let mut document = run_all(args, prepared)?;
        document.runs.iter_mut().for_each(|run| run.result.notes.push(why.clone()));
        return Ok(document);
    }
    let result = folder.0.join("result.json");
    let this = std::env::current_exe().map_err(|source| failed("find", "this program", source))?;
    // The command is quoted for a shell; its first word is this program.
    let command = only.experiment.command();
    let arguments = command.strip_prefix("pamt-bench").unwrap_or(&command);
    let script = format!("exec \"$0\"{arguments} --quiet --no-progress -o \"$1\"");
    let shell: [&OsStr; 5] =
        ["sh".as_ref(), "-c".as_ref(), script.as_ref(), this.as_ref(), result.as_ref()];
    let output =
        kind.record(&folder.0, &shell).map_err(|source| failed("start", "perf", source))?;
    let mut document = Document::read(&result).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        CliError::Usage(format!("the run under perf left no result ({error}): {said}"))
    })?;
    for run in &mut document.runs {
        kind.read_into(&folder.0, run).map_err(|source| failed("start", "perf", source))?;
    }
    Ok(document)
}

fn failed(doing: &'static str, path: &str, source: io::Error) -> CliError {
    CliError::Io { doing, path: path.to_owned(), source }
}

/// A folder that goes away with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("pamt-bench-perf-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is of no use to anyone.
        let _ = fs::remove_dir_all(Path::new(&self.0));
    }
}
