//! `run --trace FILE.pftrace`: one simulated run with its events written down.

use std::io::Write;
use std::path::Path;

use pamt_reports::schema::Run;

use crate::cli::{Beside, CliError};
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

/// Runs the only experiment of `prepared` and writes its trace beside `path`, then renames it.
///
/// # Errors
/// There are several, it is not simulated, its own errors, and those of the file.
pub(crate) fn record(prepared: &[Prepared], path: &Path) -> Result<Run, CliError> {
    let prepared = only(prepared)?;
    let beside = Beside::new(path);
    let (run, written) = run_traced(prepared, beside.create()?)?;
    written.and_then(|mut out| out.flush()).map_err(|source| beside.failed(source))?;
    beside.finish()?;
    Ok(run)
}
