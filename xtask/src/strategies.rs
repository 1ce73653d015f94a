//! `cargo xtask long strategies`: runs every strategy under every workload and renews the tables of
//! docs/strategies.md, below the line that says so. What stands above is written by hand.

use std::fs;
use std::io;

use crate::step::{Outcome, Step, command};

const PROGRAM: &str = "target/release/pamt-bench";
const SUITE: &str = "suites/strategies.toml";
const FOLDER: &str = "target/strategies";
const PAGE: &str = "docs/strategies.md";
/// Everything below this line is made.
const MADE: &str = "<!-- below: cargo xtask long strategies -->\n";

/// The step.
pub(crate) const STEP: Step = Step {
    name: "strategies",
    what: "every strategy under every workload, 30 seeds each: renews docs/strategies.md",
    needs: &[],
    run,
};

fn run() -> Outcome {
    let merged = format!("{FOLDER}/merged.jsonl");
    let lines: [&[&str]; 3] = [
        &["cargo", "build", "--release", "-p", "pamt-harness"],
        &[PROGRAM, "sweep", SUITE, "-o", FOLDER],
        &[PROGRAM, "sweep", "collect", FOLDER, "-o", &merged],
    ];
    for line in lines {
        if !matches!(command(line), Outcome::Passed) {
            return Outcome::Failed;
        }
    }
    match renew() {
        Ok(()) => Outcome::Passed,
        Err(error) => {
            eprintln!("xtask: {PAGE}: {error}");
            Outcome::Failed
        }
    }
}

fn renew() -> io::Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let tables = fs::read_to_string(format!("{FOLDER}/strategies.md"))?;
    let Some((written, _)) = page.split_once(MADE) else {
        return Err(io::Error::other(format!("the line `{}` is missing", MADE.trim())));
    };
    fs::write(PAGE, format!("{written}{MADE}\n{tables}"))
}
