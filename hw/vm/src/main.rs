//! The program that the test guest runs: every check of the kernel helper, in order.
//!
//! It loads and unloads modules, so it refuses to run anywhere but in the guest that
//! `cargo xtask vm-test` boots. Each step prints `ok NAME` or `FAIL NAME: why`; the last line is
//! `DONE fail=N passed=N planned=N`, and only a run without failures leaves through the exit device
//! with the value that means so. Timings in this guest mean nothing.

mod steps;
mod system;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// On the guest's kernel command line.
const MARK: &str = "pamt_hw_guest";

fn main() -> ExitCode {
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if !command_line.split_whitespace().any(|word| word == MARK) {
        eprintln!(
            "pamt-hw-guest loads test modules: it runs in the guest of `cargo xtask vm-test` only"
        );
        return ExitCode::from(2);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("all") => all(),
        Some("leave") => system::leave(arguments.get(1).is_some_and(|word| word == "passed")),
        Some(child) => steps::child(child),
        None => ExitCode::from(2),
    }
}

fn all() -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for step in steps::STEPS {
        let begun = std::time::Instant::now();
        let ran = catch_unwind(AssertUnwindSafe(step.run));
        match ran.unwrap_or_else(|_| Err("panicked".to_owned())) {
            Ok(note) => {
                passed += 1;
                println!("ok {} {note} [{} s]", step.name, begun.elapsed().as_secs());
            }
            Err(why) => {
                failed += 1;
                println!("FAIL {}: {why}", step.name);
            }
        }
    }
    println!("DONE fail={failed} passed={passed} planned={}", steps::STEPS.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
