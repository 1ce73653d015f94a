//! The project gates itself: modelled results of the standard suite, and instructions per run.
//!
//! `cargo xtask gate` compares with `suites/baseline/`; any change of a modelled number fails, and
//! so does a run that needs over 3 % more instructions (callgrind counts them, so the host's speed and
//! noise do not matter). `cargo xtask baseline REASON` accepts what is: it writes the baseline anew and
//! the reason into CHANGELOG.md.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::setup::{self, Need};
use crate::step::{Outcome, Step, command};

/// The build of the tests: it is there already when this runs in CI.
const PROGRAM: &str = "target/debug/pamt-bench";
const FOLDER: &str = "target/gate";
const SUITE: &str = "suites/standard.toml";
const RULES: &str = "suites/gate.toml";
const MODELLED: &str = "suites/baseline/standard.json";
const COUNTED: &str = "suites/baseline/counted.json";
const CHANGELOG: &str = "CHANGELOG.md";
const UNRELEASED: &str = "## [Unreleased]\n";

/// The run whose instructions are counted: enough of it that start-up is small beside it.
const COUNTED_RUN: &str = "--strategy global,striped:64 --workload teardown --tds 2 --vcpus 4 \
                           --memory 4MiB --jobs 1 --format json --quiet";

/// The step.
pub(crate) const STEP: Step = Step {
    name: "gate",
    what: "modelled numbers and instructions per run are those of the baseline",
    needs: &[Need::Debian { file: "/usr/bin/valgrind", package: "valgrind" }],
    run,
};

fn run() -> Outcome {
    match judge() {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("xtask: gate: {error}");
            Outcome::Failed
        }
    }
}

fn judge() -> io::Result<Outcome> {
    if !build()? {
        return Ok(Outcome::Failed);
    }
    let program = format!("PAMT_BENCH={PROGRAM}");
    let script = ["env", &program, "scripts/ci/gate.sh", SUITE, MODELLED, RULES, FOLDER];
    let modelled = matches!(command(&script), Outcome::Passed);
    let counted_now = format!("{FOLDER}/counted.json");
    fs::write(&counted_now, count()?)?;
    let gate = [PROGRAM, "gate", "--baseline", COUNTED, "--config", RULES, &counted_now];
    let counted = matches!(command(&gate), Outcome::Passed);
    if !(modelled && counted) {
        eprintln!("xtask: if the change is meant: cargo xtask baseline \"why the numbers change\"");
    }
    Ok(if modelled && counted { Outcome::Passed } else { Outcome::Failed })
}

/// Builds the program and empties the folder.
fn build() -> io::Result<bool> {
    let line = ["cargo", "build", "-q", "-p", "pamt-harness"];
    if !matches!(command(&line), Outcome::Passed) {
        return Ok(false);
    }
    if Path::new(FOLDER).exists() {
        fs::remove_dir_all(FOLDER)?;
    }
    fs::create_dir_all(FOLDER)?;
    Ok(true)
}

/// Instructions of the counted run, as customSmallerIsBetter.
fn count() -> io::Result<String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", PROGRAM])
        .args(COUNTED_RUN.split_whitespace())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    let Some(count): Option<u64> = count else {
        return Err(io::Error::other(format!("callgrind counted nothing: {said}")));
    };
    Ok(format!(
        "[{{\"name\": \"simulator: {COUNTED_RUN}\", \"unit\": \"instructions\", \"value\": {count}}}]\n"
    ))
}

/// `cargo xtask baseline REASON`.
pub(crate) fn baseline(words: &[String]) -> ExitCode {
    let reason = words.join(" ");
    if reason.trim().is_empty() {
        eprintln!("cargo xtask baseline: say why the numbers change");
        return ExitCode::from(2);
    }
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let accepted = std::env::set_current_dir(top)
        .and_then(|()| setup::provide(STEP.needs).map_err(io::Error::other))
        .and_then(|()| accept(reason.trim()));
    match accepted {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: baseline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn accept(reason: &str) -> io::Result<bool> {
    let folder = format!("{FOLDER}/first");
    let current = format!("{FOLDER}/first.json");
    let sweep = [PROGRAM, "sweep", SUITE, "-o", &folder, "--quiet"];
    let collect = [PROGRAM, "sweep", "collect", &folder, "-o", &current];
    let ran = build()?
        && matches!(command(&sweep), Outcome::Passed)
        && matches!(command(&collect), Outcome::Passed);
    if !ran {
        return Ok(false);
    }
    fs::create_dir_all("suites/baseline")?;
    let changelog = with_reason(&fs::read_to_string(CHANGELOG)?, reason)?;
    fs::write(COUNTED, count()?)?;
    fs::copy(current, MODELLED)?;
    fs::write(CHANGELOG, changelog)?;
    eprintln!("xtask: wrote {MODELLED}, {COUNTED} and the reason into {CHANGELOG}");
    Ok(true)
}

/// The changelog with the reason under its unreleased changes.
fn with_reason(changelog: &str, reason: &str) -> io::Result<String> {
    let (head, rest) = changelog
        .split_once(UNRELEASED)
        .ok_or_else(|| io::Error::other(format!("{CHANGELOG} has no `{}`", UNRELEASED.trim())))?;
    const HEADING: &str = "\n### Modelled numbers\n";
    let (unreleased, older) = match rest.find("\n## ") {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let unreleased = match unreleased.split_once(HEADING) {
        Some((before, after)) => format!("{before}{HEADING}- {reason}\n{after}"),
        None => format!("{}\n{HEADING}- {reason}\n", unreleased.trim_end()),
    };
    Ok(format!("{head}{UNRELEASED}{unreleased}{older}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_gather_under_the_unreleased_changes_latest_first() {
        let start = "# Changelog\n\n## [Unreleased]\n\n### Added\n- a\n\n## [0.1.0]\n- b\n";
        let once = with_reason(start, "first").unwrap();
        let twice = with_reason(&once, "second").unwrap();
        assert_eq!(
            twice,
            "# Changelog\n\n## [Unreleased]\n\n### Added\n- a\n\n### Modelled numbers\n- second\n\
             - first\n\n## [0.1.0]\n- b\n"
        );
    }

    #[test]
    fn a_changelog_without_unreleased_changes_is_refused() {
        assert!(with_reason("# Changelog\n", "x").is_err());
    }
}
