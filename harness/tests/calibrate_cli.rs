//! `pamt-bench calibrate`, as people and scripts call it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pamt-bench"));
    command.current_dir(folder).args(arguments).output().expect("the program starts")
}

/// Whether this process may use two CPUs: transfers need them.
fn two_cpus() -> bool {
    std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1)
}

#[test]
fn a_calibrated_profile_runs_at_once_and_is_validated_on_its_own_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let made = bench(folder, &["calibrate", "-o", "here.toml", "--heat-map", "here.svg"]);
    if !two_cpus() {
        assert_eq!(made.status.code(), Some(120), "{made:?}");
        return;
    }
    assert!(made.status.success(), "{made:?}");
    let report = String::from_utf8_lossy(&made.stdout);
    for part in ["CAS ping-pong", "LOCK addition after a contended store", "an operation costs"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    let svg = std::fs::read_to_string(folder.join("here.svg")).expect("drawn");
    assert!(svg.starts_with("<svg"), "{svg}");

    let shown = bench(folder, &["machine", "show", "here.toml"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("coherence.c2c_llc_ns") && shown.contains("ping-pong"), "{shown}");

    let run = ["--strategy", "global", "--workload", "teardown", "--memory", "2MiB"];
    let small = ["--machine", "here.toml", "--tds", "1", "--vcpus", "2"];
    let run = bench(folder, &[&run[..], &small[..]].concat());
    assert!(run.status.success(), "{run:?}");

    let validate = ["validate", "--native", "--machine", "here.toml", "--runs", "1"];
    let few = ["--threads", "1", "--acquires", "50", "--format", "json"];
    let validated = bench(folder, &[&validate[..], &few[..]].concat());
    let document: Value = serde_json::from_slice(&validated.stdout).expect("JSON");
    let curves = document["curves"].as_array().expect("a list");
    assert_eq!(curves.len(), 15, "five locks in three mixes");
    assert!(curves.iter().all(|curve| curve["counts"] == true), "none was fitted");
    assert!(curves.iter().all(|curve| curve["points"][0]["fitted"] == false));
}

#[test]
fn a_wrong_base_is_named_with_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = bench(folder.path(), &["calibrate", "--base", "spr-3s"]);
    if two_cpus() {
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--base"), "{output:?}");
    }
}
