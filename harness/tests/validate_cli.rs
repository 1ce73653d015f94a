//! `pamt-bench validate`, as people and scripts call it.

use std::process::{Command, Output};

use serde_json::Value;

fn validate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pamt-bench"));
    command.arg("validate").args(arguments).output().expect("the program starts")
}

const FEW: [&str; 6] = ["--host", "x86-2", "--threads", "1,4,8", "--acquires", "40"];

#[test]
fn every_curve_of_the_host_is_replayed_and_its_rows_are_split() {
    let output = validate(&[&FEW[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let curves = document["curves"].as_array().expect("a list");
    assert_eq!(curves.len(), 24, "six locks in four settings");
    for curve in curves {
        let idle = curve["critical_ns"] == 0.0 && curve["parallel_ns"] == 0.0;
        let simple = curve["lock"] == "tas" || curve["lock"] == "refcount";
        let fitted: Vec<bool> = curve["points"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|point| point["fitted"].as_bool().expect("said"))
            .collect();
        assert_eq!(fitted, [true, idle && simple, idle && simple], "{curve}");
    }
}

#[test]
fn the_report_gives_error_skill_and_the_age_of_the_data() {
    let output = validate(&FEW);
    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["|p90|", "skill", "osq (apart)", "unseen points that count: 28", "2018"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn plots_are_a_file_for_each_setting() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f.svg");
    let few = [&FEW[..], &["-o", path.to_str().expect("text")]].concat();
    assert!(validate(&few).status.success());
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let settings = ["0-0", "1000-0", "1000-5000", "200-1000"];
    assert_eq!(names, settings.map(|setting| format!("f.x86-2-{setting}.svg")));
}

#[test]
fn every_shipped_host_is_replayed() {
    let output =
        validate(&["--threads", "4", "--acquires", "20", "--runs", "1", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let curves = document["curves"].as_array().expect("a list");
    let name = |curve: &Value, key: &str| curve[key].as_str().expect("text").to_owned();
    let mut hosts: Vec<_> =
        curves.iter().map(|curve| (name(curve, "host"), name(curve, "machine"))).collect();
    hosts.sort();
    hosts.dedup();
    let known = [
        ("8x8176", "skx-8s"),
        ("x86-1", "epyc-7601"),
        ("x86-2", "lockhammer-x86-2"),
        ("x86-3", "lockhammer-x86-3"),
        ("x86-4", "lockhammer-x86-4"),
    ];
    assert_eq!(hosts, known.map(|(host, machine)| (host.to_owned(), machine.to_owned())));
}

#[test]
fn a_host_without_rows_ends_with_code_2_and_the_known_hosts() {
    let output = validate(&["--host", "x86-9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("x86-2"), "{output:?}");
}
