//! A step of a task: a name, what it needs, what it does; and the runner with its summary.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::setup::{self, Need};

/// How a step ended.
pub(crate) enum Outcome {
    /// It did what it should.
    Passed,
    /// It did not; why is on the terminal already.
    Failed,
    /// It could not run here.
    Skipped(String),
}

/// One step.
pub(crate) struct Step {
    /// What the command line calls it.
    pub(crate) name: &'static str,
    /// One line for `steps`.
    pub(crate) what: &'static str,
    /// What must be on the machine.
    pub(crate) needs: &'static [Need],
    /// The work, from the top of the repository.
    pub(crate) run: fn() -> Outcome,
}

/// Runs a program with these words and says whether it passed.
pub(crate) fn command(line: &[&str]) -> Outcome {
    let Some((program, args)) = line.split_first() else { return Outcome::Failed };
    match Command::new(program).args(args).status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => {
            eprintln!("xtask: `{}` ended with {status}", line.join(" "));
            Outcome::Failed
        }
        Err(error) => {
            eprintln!("xtask: `{}` did not start: {error}", line.join(" "));
            Outcome::Failed
        }
    }
}

/// Lists steps.
pub(crate) fn list(task: &str, steps: &[Step]) {
    println!("cargo xtask {task}:");
    for step in steps {
        println!("  {:<14} {}", step.name, step.what);
    }
}

/// Runs the named steps, or all. Every step runs, whatever happened to those before it. A step that
/// cannot run is skipped loudly; with `CI` or `REQUIRE_ALL` set that is a failure.
pub(crate) fn run(steps: &[Step], names: &[String]) -> ExitCode {
    if let Some(unknown) = names.iter().find(|n| !steps.iter().any(|s| s.name == n.as_str())) {
        let known: Vec<_> = steps.iter().map(|s| s.name).collect();
        eprintln!("cargo xtask: unknown step {unknown:?}; there are: {}", known.join(", "));
        return ExitCode::from(2);
    }
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    if let Err(error) = std::env::set_current_dir(top) {
        eprintln!("cargo xtask: cannot enter {top}: {error}");
        return ExitCode::FAILURE;
    }
    let required = ["CI", "REQUIRE_ALL"].iter().any(|v| std::env::var_os(v).is_some());
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|n| n == step.name);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut lines = Vec::new();
    for step in steps.iter().filter(wanted) {
        eprintln!("\n==== {}: {}", step.name, step.what);
        let begun = Instant::now();
        let outcome = match setup::provide(step.needs) {
            Ok(()) => (step.run)(),
            Err(lack) => Outcome::Skipped(lack),
        };
        let seconds = begun.elapsed().as_secs();
        lines.push(match outcome {
            Outcome::Passed => {
                passed += 1;
                format!("pass {:>5} s  {}", seconds, step.name)
            }
            Outcome::Failed => {
                failed += 1;
                format!("FAIL {:>5} s  {}", seconds, step.name)
            }
            Outcome::Skipped(why) if required => {
                failed += 1;
                format!("FAIL {:>5} s  {} (must not be skipped here: {why})", seconds, step.name)
            }
            Outcome::Skipped(why) => {
                skipped += 1;
                format!("SKIP {:>5} s  {} ({why})", seconds, step.name)
            }
        });
    }
    println!("\n{}", lines.join("\n"));
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
