//! `cargo xtask long strategies`: runs every strategy under every workload and renews the tables of
//! docs/strategies.md, below the line that says so. What stands above is written by hand.

use std::fs;
use std::io;

use crate::step::{Outcome, Step, command};

const PROGRAM: &str = "target/release/pamt-bench";
const PAGE: &str = "docs/strategies.md";
/// Everything below this line is made.
const MADE: &str = "<!-- below: cargo xtask long strategies -->\n";

/// A plan, the folder of its results, and the table that is taken from there.
struct Part {
    plan: &'static str,
    folder: &'static str,
    table: &'static str,
}

/// What the values of the machine leave of the order, the order itself, and that on other machines.
const PARTS: [Part; 3] = [
    Part {
        plan: "suites/strategies-draws.toml",
        folder: "target/strategies-draws",
        table: "draws.md",
    },
    Part { plan: "suites/strategies.toml", folder: "target/strategies", table: "strategies.md" },
    Part {
        plan: "suites/strategies-machines.toml",
        folder: "target/strategies-machines",
        table: "strategies.md",
    },
];

/// The step.
pub(crate) const STEP: Step = Step {
    name: "strategies",
    what: "every strategy under every workload, 30 seeds each: renews docs/strategies.md",
    needs: &[],
    run,
};

fn run() -> Outcome {
    if !passed(&["cargo", "build", "--release", "-p", "pamt-harness"]) {
        return Outcome::Failed;
    }
    for Part { plan, folder, .. } in &PARTS {
        // What an earlier build or plan left would be mixed with this one's, or refused.
        if let Err(error) = emptied(folder) {
            eprintln!("xtask: {folder}: {error}");
            return Outcome::Failed;
        }
        let merged = format!("{folder}/merged.jsonl");
        let swept = passed(&[PROGRAM, "sweep", plan, "-o", folder]);
        if !swept || !passed(&[PROGRAM, "sweep", "collect", folder, "-o", &merged]) {
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

fn emptied(folder: &str) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn passed(line: &[&str]) -> bool {
    matches!(command(line), Outcome::Passed)
}

fn renew() -> io::Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let Some((written, _)) = page.split_once(MADE) else {
        return Err(io::Error::other(format!("the line `{}` is missing", MADE.trim())));
    };
    let tables: io::Result<Vec<String>> = PARTS
        .iter()
        .map(|part| fs::read_to_string(format!("{}/{}", part.folder, part.table)))
        .collect();
    fs::write(PAGE, format!("{written}{MADE}\n{}", tables?.join("\n")))
}
