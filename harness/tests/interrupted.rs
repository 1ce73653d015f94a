//! Ctrl-C keeps what is done, says so, and ends with its own code.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const INTERRUPTED: Option<i32> = Some(130);
const PARTIAL: Option<i32> = Some(112);

/// Whether a process has taken over SIGINT.
fn catches(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (Signal::INT.as_raw() - 1)) != 0)
}

/// Whether a process has a thread of this name.
fn has_thread(pid: u32, name: &str) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.any(|comm| comm.trim() == name)
}

/// Starts it, and sends SIGINT when it has taken that over and `ready` holds of its number.
fn interrupt(folder: &TempDir, arguments: &[&str], ready: impl Fn(u32) -> bool) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pamt-bench"))
        .current_dir(folder.path())
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    while !(catches(child.id()) && ready(child.id())) {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before the signal");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
    kill_process(pid, Signal::INT).expect("a signal");
    child
}

fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("ended").code(), said)
}

#[test]
fn an_interrupted_sweep_keeps_what_is_done_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = "[base]\nworkload = 'teardown'\nmemory = '2MiB'\ntds = 2\nvcpus = 4\n\
                [cross]\nstrategy = ['global']\nseed = { from = 1, count = 400 }\n";
    std::fs::write(folder.path().join("plan.toml"), plan).expect("written");
    let sweep = ["sweep", "plan.toml", "-o", "s", "--quiet"];
    let begun = |_| {
        let parts = std::fs::read_dir(folder.path().join("s/results"));
        parts.is_ok_and(|mut parts| parts.next().is_some())
    };
    let (code, said) = ended(interrupt(&folder, &sweep, begun));
    assert_eq!(code, INTERRUPTED, "{said}");
    assert!(said.contains("the same command goes on"), "{said}");
    let again = Command::new(env!("CARGO_BIN_EXE_pamt-bench"))
        .current_dir(folder.path())
        .args(["sweep", "plan.toml", "-o", "s"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && !said.contains(" 0 before"), "{said}");
}

#[test]
fn an_interrupted_run_writes_what_has_ended_and_names_what_has_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = [
        "--strategy",
        "global",
        "--workload",
        "teardown",
        "--memory",
        "64MiB",
        "--runs",
        "200",
        "--jobs",
        "1",
        "-o",
        "r.json",
        "--quiet",
    ];
    let (code, said) = ended(interrupt(&folder, &run, |_| true));
    assert_eq!(code, INTERRUPTED, "{said}");
    let text = std::fs::read_to_string(folder.path().join("r.json")).expect("a result");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let count = |key: &str| document[key].as_array().map_or(0, Vec::len);
    assert_eq!(count("runs") + count("unfinished"), 200);
    assert!(count("unfinished") > 0);
    assert!(document["unfinished"][0].as_str().is_some_and(|line| line.contains("--workload")));
}

#[test]
fn an_interrupted_native_run_is_a_partial_result_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = ["--backend", "native", "--strategy", "global", "--workload", "fault-storm"];
    let one = ["--tds", "1", "--vcpus", "1", "--memory", "8GiB", "-o", "r.json", "--quiet"];
    // What is asked before the run begins leaves it out instead.
    let begun = |pid| has_thread(pid, "td0/vcpu0");
    let (code, said) = ended(interrupt(&folder, &[&run[..], &one[..]].concat(), begun));
    assert_eq!(code, PARTIAL, "{said}");
    let text = std::fs::read_to_string(folder.path().join("r.json")).expect("a result");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let result = &document["runs"][0]["result"];
    assert_eq!(result["partial"], true);
    assert!(result["notes"].to_string().contains("interrupted"), "{result}");
}

#[test]
fn an_interrupted_native_lock_benchmark_keeps_its_rows_and_marks_the_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let lock = ["lock", "--backend", "native", "--lock", "ticket", "--threads", "1", "--runs", "9"];
    let long = ["--duration", "20s", "-o", "l.json", "--quiet"];
    let (code, said) = ended(interrupt(&folder, &[&lock[..], &long[..]].concat(), |_| true));
    assert_eq!(code, INTERRUPTED, "{said}");
    let text = std::fs::read_to_string(folder.path().join("l.json")).expect("a result");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let rows = document["rows"].as_array().expect("a list");
    assert!(rows.iter().all(|row| row["partial"] == true), "{rows:?}");
    assert!(document["notes"].to_string().contains("of 9 runs are missing"), "{document}");
}
