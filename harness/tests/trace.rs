//! `run --trace` from the command line.

#[path = "../../reports/tests/decode/mod.rs"]
mod decode;

use std::collections::BTreeSet;
use std::path::Path;

use assert_cmd::Command;
use decode::{decode, field, text, uint};

/// A small run that contends: four TDs torn down at once, each put under one lock.
fn run(arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("pamt-bench").expect("built");
    command.args(["--strategy", "global-always", "--workload", "teardown", "--tds", "4"]);
    command.args(["--vcpus", "1", "--memory", "2MiB", "--no-progress"]).args(arguments).assert()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_trace_has_every_kind_of_track_and_changes_no_figure() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name| path(folder.path(), name);
    run(&["--trace", &file("r.pftrace"), "-o", &file("traced.json")]).success();
    run(&["-o", &file("plain.json")]).success();
    let result = |name| {
        let text = std::fs::read_to_string(file(name)).expect("written");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        value["runs"][0]["result"].clone()
    };
    assert_eq!(result("traced.json"), result("plain.json"));

    let packets = decode(&std::fs::read(file("r.pftrace")).expect("written"));
    let names: BTreeSet<String> =
        packets.iter().filter_map(|p| text(p, "track_descriptor.name")).collect();
    for track in ["CPUs", "locks", "lines", "regions", "pamt_lock", "waiters"] {
        assert!(names.contains(track), "no track {track}");
    }
    let begun = packets.iter().filter(|p| uint(p, "track_event.type") == Some(1)).count();
    let ended = packets.iter().filter(|p| uint(p, "track_event.type") == Some(2)).count();
    assert_eq!(begun, ended, "every slice ends");
    let arrows = packets.iter().filter(|p| field(p, "track_event.terminating_flow_ids").is_some());
    assert!(arrows.count() > 0, "hand-offs");
}

#[test]
fn a_trace_of_several_runs_or_of_a_native_one_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "r.pftrace");
    let assert = run(&["--trace", &file, "--runs", "2"]).code(2);
    let error = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(error.contains("--runs 1"), "{error}");
    let assert = run(&["--trace", &file, "--backend", "native", "--oversubscribe"]).code(2);
    let error = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(error.contains("--backend sim"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
}
