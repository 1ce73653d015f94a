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
        name: "parquet",
        what: "the Parquet table, by its writer's own reader, and by pandas and DuckDB",
        needs: &[
            Need::Debian { file: "/usr/bin/python3", package: "python3" },
            Need::Debian { file: "/usr/share/doc/python3-venv", package: "python3-venv" },
            Need::Python("scripts/parquet/requirements.txt"),
        ],
        run: parquet,
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
        needs: &[
            Need::Debian { file: "/usr/bin/python3", package: "python3" },
            Need::Debian { file: "/usr/share/doc/python3-venv", package: "python3-venv" },
            Need::Python("scripts/cluster/requirements.txt"),
        ],
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

fn parquet() -> Outcome {
    let test = "scripts/parquet/test_read_back.py";
    // Of the whole workspace, so that dependencies are those of the steps before. The tests leave the
    // program that they tested in target/debug.
    let feature = ["-q", "--workspace", "--features", "pamt-harness/parquet"];
    let lines = [
        [&["cargo", "clippy", "--all-targets"], &feature[..], &["--", "-Dwarnings"]].concat(),
        [&["cargo", "test", "--test", "parquet", "--test", "sweep_cli"], &feature[..]].concat(),
        vec![PYTHON, test, "target/debug/pamt-bench"],
    ];
    let failed = lines.iter().map(|line| command(line)).find(|o| !matches!(o, Outcome::Passed));
    failed.unwrap_or(Outcome::Passed)
}

fn dask() -> Outcome {
    let test = "scripts/cluster/test_sweep_dask.py";
    match command(&["cargo", "build", "-q", "-p", "pamt-harness"]) {
        Outcome::Passed => {
            command(&[PYTHON, test, "target/debug/pamt-bench", "suites/standard.toml"])
        }
        failed => failed,
    }
}

fn web() -> Outcome {
    let pages = "target/report-pages";
    let lines: [&[&str]; 3] = [
        &["npm", "--prefix", "reports/web", "run", "--silent", "check"],
        &["cargo", "run", "-q", "-p", "pamt-reports", "--example", "report_pages", "--", pages],
        &["npm", "--prefix", "reports/web", "run", "--silent", "test"],
    ];
    let failed = lines.iter().map(|line| command(line)).find(|o| !matches!(o, Outcome::Passed));
    failed.unwrap_or(Outcome::Passed)
}

fn shell() -> Outcome {
    command(&["sh", "-c", "git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck"])
}
