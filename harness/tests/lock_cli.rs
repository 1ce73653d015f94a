//! `pamt-bench lock`, as scripts call it.

use std::process::{Command, Output};

fn lock(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pamt-bench"));
    command.arg("lock").args(arguments).output().expect("the program starts")
}

fn stdout(arguments: &[&str]) -> String {
    let output = lock(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

const SMALL: [&str; 4] = ["--threads", "1,2-4:2", "--acquires", "20"];

#[test]
fn csv_has_a_row_for_each_lock_and_number_of_threads_in_the_order_given() {
    let text = stdout(&[&["--lock", "mcs,tas", "--format", "csv"], &SMALL[..]].concat());
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0].last(), Some(&"backend"));
    let keys: Vec<(&str, &str)> = rows[1..].iter().map(|row| (row[0], row[1])).collect();
    let locks =
        [("mcs", "1"), ("mcs", "2"), ("mcs", "4"), ("tas", "1"), ("tas", "2"), ("tas", "4")];
    assert_eq!(keys, locks);
    assert!(rows[1..].iter().all(|row| row.len() == 10 && row[9] == "sim"), "{text}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_exponential_lengths_another_run() {
    let exponential = ["--lock", "ticket", "--critical", "exp:200ns", "--format", "json"];
    let run = |seed| stdout(&[&exponential[..], &SMALL[..], &["--seed", seed]].concat());
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
}

#[test]
fn a_wrong_lock_or_too_many_threads_end_with_code_2_and_the_remedy() {
    let failure = |arguments: &[&str]| {
        let output = lock(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    assert!(failure(&["--lock", "tickt"]).contains("nearest: `ticket`"));
    assert!(failure(&["--lock", "tas", "--threads", "5000"]).contains("--machine"));
    let native = ["--lock", "tas", "--backend", "native", "--threads", "5000"];
    assert!(failure(&native).contains("--oversubscribe"));
    assert!(failure(&["--lock", "parking-lot"]).contains("native"));
}

#[test]
fn locks_of_other_libraries_run_natively_beside_ours() {
    let arguments = ["--lock", "tas,mutex", "--backend", "native", "--threads", "1"];
    let text = stdout(&[&arguments[..], &["--acquires", "100", "--format", "csv"]].concat());
    let last: Vec<&str> = text.lines().skip(1).filter_map(|row| row.rsplit(',').next()).collect();
    assert_eq!(last, ["native", "native"]);
}

#[test]
fn the_table_says_what_was_modelled() {
    let text = stdout(&["--lock", "ticket", "--threads", "1,2", "--acquires", "10", "--seed", "3"]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_native_table_ends_with_the_verdict_on_noise_and_marks_threads_that_share_cpus() {
    let many = "64";
    let native = ["--lock", "tas", "--backend", "native", "--threads", many, "--oversubscribe"];
    let text = stdout(&[&native[..], &["--acquires", "20"]].concat());
    // As it was before it was wrapped.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("noise: this host was ") && text.contains("19 times of 20"), "{text}");
    assert!(text.contains("shared"), "{text}");
    let json = stdout(&[&native[..], &["--acquires", "20", "--format", "json"]].concat());
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let host = document["provenance"]["host"].as_object().expect("facts of the host");
    for fact in ["governor", "turbo", "smt", "hypervisor", "load_average"] {
        assert!(host.contains_key(fact), "{fact} in {host:?}");
    }
    assert!(document["rows"][0]["repeat_frac"].as_f64().is_some_and(|share| share > 0.0));
}
