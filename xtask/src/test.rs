//! The steps of `cargo xtask test`, in the order in which they are cheapest to fail.

use crate::gate;
use crate::setup::{Need, PYTHON};
use crate::step::{Outcome, Step, command};
use crate::tidy;
use crate::vm_test;

/// What CI runs.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "format",
        what: "rustfmt changes nothing",
        needs: &[],
        run: || command(&["cargo", "fmt", "--all", "--", "--check"]),
    },
    Step {
        name: "tidy",
        what: "rules that no lint knows: file sizes, forbidden texts, licence headers",
        needs: &[],
        run: tidy::run,
    },
    Step {
        name: "clippy",
        what: "no warning in any target",
        needs: &[],
        run: || {
            command(&["cargo", "clippy", "-q", "--workspace", "--all-targets", "--", "-Dwarnings"])
        },
    },
    Step {
        name: "tests",
        what: "unit, behaviour, property, snapshot, loom and shuttle tests of all crates",
        needs: &[],
        run: || command(&["cargo", "test", "-q", "--workspace", "--no-fail-fast"]),
    },
    Step {
        name: "features",
        what: "plots as PNG; the Parquet table, by its writer's own reader, and by pandas and DuckDB",
        needs: &python("scripts/parquet/requirements.txt"),
        run: features,
    },
    Step {
        name: "web",
        what: "the report's script is what its sources build; the report in a browser",
        needs: &[
            Need::Debian { file: "/usr/bin/node", package: "nodejs" },
            Need::Debian { file: "/usr/bin/npm", package: "npm" },
            Need::Debian { file: "/usr/bin/chromium", package: "chromium" },
            Need::Npm("reports/web"),
        ],
        run: web,
    },
    Step {
        name: "shell",
        what: "shellcheck finds nothing in the shell scripts",
        needs: &[Need::Debian { file: "/usr/bin/shellcheck", package: "shellcheck" }],
        run: shell,
    },
    Step {
        name: "dask",
        what: "a sweep on three Dask workers, one of them killed, gives the bytes of one process",
        needs: &python("scripts/cluster/requirements.txt"),
        run: dask,
    },
    Step {
        name: "deny",
        what: "licences, bans and sources of all dependencies",
        needs: &[Need::Cargo { name: "cargo-deny", version: "0.20.2" }],
        run: || {
            command(&[
                "cargo",
                "deny",
                "--log-level",
                "error",
                "check",
                "licenses",
                "bans",
                "sources",
            ])
        },
    },
    gate::STEP,
    vm_test::STEP,
];

/// Python with the packages of a list.
const fn python(requirements: &'static str) -> [Need; 3] {
    [
        Need::Debian { file: "/usr/bin/python3", package: "python3" },
        Need::Debian { file: "/usr/share/doc/python3-venv", package: "python3-venv" },
        Need::Python(requirements),
    ]
}

/// Runs the commands up to the first that fails.
fn commands(lines: &[&[&str]]) -> Outcome {
    let failed = lines.iter().map(|line| command(line)).find(|o| !matches!(o, Outcome::Passed));
    failed.unwrap_or(Outcome::Passed)
}

fn features() -> Outcome {
    let read_back = "scripts/parquet/test_read_back.py";
    // Of the whole workspace, so that dependencies are those of the steps before. The tests leave the
    // program that they tested in target/debug.
    let all = ["-q", "--workspace", "--features", "pamt-harness/parquet,pamt-harness/png"];
    let tests = ["--test", "parquet", "--test", "png", "--test", "sweep_cli"];
    commands(&[
        &[&["cargo", "clippy", "--all-targets"], &all[..], &["--", "-Dwarnings"]].concat(),
        &[&["cargo", "test"], &tests[..], &all[..]].concat(),
        &[PYTHON, read_back, "target/debug/pamt-bench"],
    ])
}

fn dask() -> Outcome {
    let test = "scripts/cluster/test_sweep_dask.py";
    commands(&[
        &["cargo", "build", "-q", "-p", "pamt-harness"],
        &[PYTHON, test, "target/debug/pamt-bench", "suites/standard.toml"],
    ])
}

fn web() -> Outcome {
    let pages = "target/report-pages";
    commands(&[
        &["npm", "--prefix", "reports/web", "run", "--silent", "check"],
        &["cargo", "run", "-q", "-p", "pamt-reports", "--example", "report_pages", "--", pages],
        &["npm", "--prefix", "reports/web", "run", "--silent", "test"],
    ])
}

fn shell() -> Outcome {
    command(&["sh", "-c", "git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck"])
}
