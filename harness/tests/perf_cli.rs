//! `run --perf c2c`, with a perf that records nothing and reports what a file says.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const REPORT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/tests/fixtures/perf_c2c_report.txt");

/// The result of a small native run under a perf whose `c2c report` is `report`.
fn result_under_perf(report: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let perf = folder.path().join("perf");
    std::fs::write(folder.path().join("report.txt"), report).expect("written");
    let script = "#!/bin/sh\n\
        case $2 in\n\
        record) while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\" ;;\n\
        report) cat \"$(dirname \"$0\")/report.txt\" ;;\n\
        esac\n";
    std::fs::write(&perf, script).expect("written");
    std::fs::set_permissions(&perf, PermissionsExt::from_mode(0o755)).expect("executable");
    let run = ["run", "--strategy", "global", "--workload", "teardown", "--backend", "native"];
    let size =
        ["--tds", "1", "--vcpus", "1", "--memory", "2MiB", "--perf", "c2c", "--format", "json"];
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(env!("CARGO_BIN_EXE_pamt-bench"))
        .args(run)
        .args(size)
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    document["runs"][0]["result"].clone()
}

#[test]
fn lines_that_perf_saw_stand_in_the_result_in_the_columns_of_the_simulator() {
    let report = std::fs::read_to_string(Path::new(REPORT)).expect("the sample");
    let result = result_under_perf(&report);
    let all = &result["lines"]["all lines (perf c2c)"];
    assert_eq!((all["lcl_hitm"].as_u64(), all["rmt_hitm"].as_u64()), (Some(60), Some(40)));
    let rows = all["top"].as_array().expect("rows");
    let hitm = |row: &Value| [&row["lcl_hitm"], &row["rmt_hitm"]].map(Value::as_u64);
    assert_eq!(
        rows.iter().map(hitm).collect::<Vec<_>>(),
        [[Some(30), Some(20)], [Some(20), Some(0)]]
    );
    assert_eq!(rows[0]["address"], "0xffff88a05d3c8000");
}

#[test]
fn a_report_that_cannot_be_read_leaves_a_note_with_its_line_and_no_lines() {
    let result = result_under_perf("a perf of another kind\n");
    assert!(result["lines"].get("all lines (perf c2c)").is_none(), "{result}");
    let notes = result["notes"].as_array().expect("notes");
    let said =
        notes.iter().any(|note| note.as_str().is_some_and(|n| n.contains("perf c2c report:1: ")));
    assert!(said, "{notes:?}");
}
