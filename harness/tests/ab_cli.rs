//! `ab` runs two builds in turn, each time in a fresh process, and judges what comes out.
//!
//! The runs are simulated here, so that the verdicts cannot depend on the host.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const BENCH: &str = env!("CARGO_BIN_EXE_pamt-bench");
const PAIRS: usize = 3;

/// Compares this build with `old`, a shell script that can call it as `"$BENCH"`.
fn ab(folder: &Path, old: &str) -> Output {
    let path = folder.join("old");
    std::fs::write(&path, format!("#!/bin/sh\necho $$ >> pids\n{old}\n")).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("executable");
    Command::new(BENCH)
        .current_dir(folder)
        .env("BENCH", BENCH)
        .args(["ab", "--baseline-bin", "./old", "--pairs", &PAIRS.to_string(), "-o", "kept", "--"])
        .args(["--backend", "sim", "--strategy", "global", "--workload", "teardown"])
        .args(["--tds", "1", "--vcpus", "2", "--memory", "1MiB"])
        .output()
        .expect("the program starts")
}

#[test]
fn a_build_that_does_the_same_passes_and_each_run_had_its_own_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = ab(folder.path(), "exec \"$BENCH\" \"$@\"");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let pids = std::fs::read_to_string(folder.path().join("pids")).expect("the script ran");
    let mut pids: Vec<&str> = pids.lines().collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), PAIRS);
    for side in ["before", "after"] {
        let path = folder.path().join("kept").join(side).with_extension("json");
        let text = std::fs::read_to_string(path).expect("kept");
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["runs"].as_array().map(Vec::len), Some(PAIRS), "{side}");
    }
}

/// An old build whose virtual time is that of this one put through a shell's arithmetic.
fn with_time(arithmetic: &str) -> String {
    [
        "\"$BENCH\" \"$@\" > out.json",
        "time=$(sed -n 's/.*\"virtual_time_ns\": *\\([0-9]*\\).*/\\1/p' out.json)",
        "run=$(wc -l < pids)",
        &format!("other=$(({arithmetic}))"),
        "sed \"s/\\(\\\"virtual_time_ns\\\": *\\)$time/\\1$other/\" out.json",
    ]
    .join("\n")
}

#[test]
fn a_build_that_became_slower_is_a_regression() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = ab(folder.path(), &with_time("time / 2"));
    assert_eq!(done.status.code(), Some(100), "{done:?}");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("regressed") && said.contains("+100.00 %"), "{said}");
}

#[test]
fn a_build_that_does_not_repeat_its_modelled_results_is_nondeterministic() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = ab(folder.path(), &with_time("time + run"));
    assert_eq!(done.status.code(), Some(102), "{done:?}");
}

#[test]
fn a_run_that_fails_ends_the_comparison_with_its_own_code_and_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = ab(folder.path(), "echo 'no such strategy' >&2; exit 2");
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("./old") && said.contains("no such strategy"), "{said}");
}
