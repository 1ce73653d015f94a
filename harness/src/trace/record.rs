//! `run --trace FILE.pftrace`: one simulated run with its events written down.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use pamt_reports::schema::Run;

use crate::cli::CliError;
use crate::exec::{Prepared, run_traced};
use crate::experiment::Backend;

/// The one experiment that a trace can be of.
fn only(prepared: &[Prepared]) -> Result<&Prepared, CliError> {
    let [one] = prepared else {
        let count = prepared.len();
        return Err(CliError::Usage(format!(
            "--trace needs a single run, these are {count}; give one strategy, one workload, --runs 1"
        )));
    };
    if one.experiment.backend != Backend::Sim {
        return Err(CliError::Usage(
            "--trace needs --backend sim: writing events down would change a native run".into(),
        ));
    }
    Ok(one)
}

/// Runs the only experiment of `prepared` and writes its trace.
///
/// # Errors
/// There are several, it is not simulated, its own errors, and those of the file.
pub(crate) fn record(prepared: &[Prepared], path: &Path) -> Result<Run, CliError> {
    let prepared = only(prepared)?;
    to_file(path, |out| run_traced(prepared, out).map_err(CliError::from))
}

/// Writes a trace beside `path`, then renames it: a trace that is there is whole. `write` gives the
/// output back, beside its own result.
///
/// # Errors
/// Those of `write` and of the file.
pub(crate) fn to_file<T>(
    path: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<(T, io::Result<BufWriter<File>>), CliError>,
) -> Result<T, CliError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    let failed = |source| CliError::Io { doing: "write", path: path.display().to_string(), source };
    let out = BufWriter::new(File::create(&beside).map_err(failed)?);
    let result = write(out).and_then(|(result, written)| {
        let flushed = written.and_then(|mut out| out.flush());
        flushed.and_then(|()| fs::rename(&beside, path)).map_err(failed)?;
        Ok(result)
    });
    if result.is_err() {
        // What is left of the attempt is of no use to anyone.
        let _ = fs::remove_file(&beside);
    }
    result
}
