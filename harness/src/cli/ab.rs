//! `ab`: two builds in turn, in fresh processes, on this host.
//!
//! A native comparison of "all of one, then all of the other" measures the drift of the host. Here each
//! pair runs both builds, and every second pair in the other order (ABBA). Without another build the
//! tool is compared with itself: what it then finds is the host's noise, and it counts how many pairs
//! differ by no more than their verdicts on noise say. `ab -- lock ...` does the same with rows of the lock
//! benchmark.

mod repeats;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use pamt_reports::compare::{Policy, Table, Verdict, compare};
use pamt_reports::exit::Exit;
use pamt_reports::schema::{Document, LockBenchDocument, Run};

use self::repeats::{Figures, Repeats};
use super::compare::{Form, show};
use super::{CliError, output, progress};

/// Arguments of an interleaved comparison.
#[derive(Debug, Args)]
pub(super) struct AbArgs {
    /// The build to compare with; this one when left out (an A/A comparison)
    #[arg(long, value_name = "OLD")]
    baseline_bin: Option<PathBuf>,
    /// Pairs of runs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Keep the results as FOLDER/before.json and FOLDER/after.json
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Form of the comparison
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// End with code 5 if, of a build with itself, fewer than 19 of 20 pairs are within their verdicts
    #[arg(long)]
    strict: bool,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
    /// Arguments of `run`, or `lock` and its arguments; `--backend native` is the default here
    #[arg(last = true, required = true, value_name = "RUN ARGUMENT")]
    run: Vec<String>,
}

pub(super) fn execute(args: &AbArgs) -> Result<Exit, CliError> {
    let this = std::env::current_exe().map_err(|source| CliError::Io {
        doing: "find",
        path: "this program".into(),
        source,
    })?;
    let old = args.baseline_bin.clone().unwrap_or_else(|| this.clone());
    let bar = progress::bar(2 * args.pairs as usize, !args.no_progress);
    let (mut before, mut after) = (Gathered::default(), Gathered::default());
    for side in (0..args.pairs).flat_map(sides) {
        let (program, gathered) = match side {
            Side::Before => (&old, &mut before),
            Side::After => (&this, &mut after),
        };
        gathered.add(fresh(program, &args.run)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let repeats = Repeats::of(&before.figures, &after.figures);
    let compared = if before.runs.is_empty() {
        Exit::Passed
    } else {
        compare_runs(args, before.runs, after.runs)?
    };
    if repeats.pairs > 0 {
        output::text(&repeats.text())?;
    }
    let doubted = args.strict && args.baseline_bin.is_none() && !repeats.holds();
    Ok(if compared == Exit::Passed && doubted { Exit::Inconclusive } else { compared })
}

/// What one build gave.
#[derive(Default)]
struct Gathered {
    runs: Vec<Run>,
    figures: Figures,
}

impl Gathered {
    fn add(&mut self, result: Fresh) {
        match result {
            Fresh::Runs(runs) => {
                runs.iter().for_each(|run| self.figures.add_run(run));
                self.runs.extend(runs);
            }
            Fresh::Rows(rows) => self.figures.add_rows(&rows),
        }
    }
}

fn compare_runs(args: &AbArgs, before: Vec<Run>, after: Vec<Run>) -> Result<Exit, CliError> {
    let (before, after) = (Document::new(before), Document::new(after));
    if let Some(folder) = &args.output {
        keep(folder, &before, &after)?;
    }
    let comparison = compare(&Table::new(&[before]), &Table::new(&[after]), &Policy::default());
    output::text(&show(&comparison, args.format))?;
    Ok(if comparison.count(Verdict::Nondeterministic) > 0 {
        Exit::Nondeterminism
    } else if comparison.count(Verdict::Regressed) > 0 {
        Exit::Regression
    } else {
        Exit::Passed
    })
}

/// A side of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// The order in which a pair runs its sides.
fn sides(pair: u32) -> [Side; 2] {
    if pair.is_multiple_of(2) { [Side::Before, Side::After] } else { [Side::After, Side::Before] }
}

fn keep(folder: &Path, before: &Document, after: &Document) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|source| CliError::Io {
        doing: "make",
        path: folder.display().to_string(),
        source,
    })?;
    output::write_beside(&folder.join("before.json"), before.to_json().as_bytes())?;
    output::write_beside(&folder.join("after.json"), after.to_json().as_bytes())
}

/// What a process of its own gave.
enum Fresh {
    Runs(Vec<Run>),
    Rows(Box<LockBenchDocument>),
}

/// One run in a process of its own.
fn fresh(program: &Path, arguments: &[String]) -> Result<Fresh, CliError> {
    let shown = program.display().to_string();
    let is_lock = arguments.first().is_some_and(|first| first == "lock");
    let mut command = Command::new(program);
    if !is_lock {
        command.arg("run");
    }
    command.args(arguments);
    if !arguments.iter().any(|argument| argument.starts_with("--backend")) {
        command.args(["--backend", "native"]);
    }
    command.args(["--format", "json", "--quiet", "--no-progress"]);
    let output = command.output().map_err(|source| CliError::Io {
        doing: "start",
        path: shown.clone(),
        source,
    })?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let message = format!("{shown} ended with {}: {}", output.status, error.trim());
        let known = |exit: &&Exit| output.status.code() == Some(i32::from(exit.code()));
        let exit = Exit::ALL.iter().find(known).copied().unwrap_or(Exit::Internal);
        return Err(CliError::Ended(exit, message));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    if is_lock {
        let rows = LockBenchDocument::from_json(&text, Path::new(&shown));
        return rows
            .map(|rows| Fresh::Rows(Box::new(rows)))
            .map_err(|error| CliError::Usage(error.to_string()));
    }
    let document = Document::from_json(&text, Path::new(&shown))
        .map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(Fresh::Runs(document.runs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_alternate_and_so_does_which_is_first() {
        let order: Vec<Side> = (0..4).flat_map(sides).collect();
        let [a, b] = [Side::Before, Side::After];
        assert_eq!(order, [a, b, b, a, a, b, b, a]);
    }
}
