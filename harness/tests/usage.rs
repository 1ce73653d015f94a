//! A wrong word on the command line costs one line that names it and the nearest right one, exit code 2,
//! and nothing is written.

use assert_cmd::Command;

const RUN: [&str; 4] = ["--strategy", "global", "--workload", "teardown"];

/// Standard error of a command that must fail as a usage error and write nothing.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("result.json"), "").expect("written");
    std::fs::write(folder.path().join("empty.toml"), "").expect("written");
    let mut command = Command::cargo_bin("pamt-bench").expect("built");
    let output = command.current_dir(folder.path()).args(arguments).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed a result");
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2, "{arguments:?}");
    said
}

fn refused_in_one_line(arguments: &[&str], parts: &[&str]) {
    let said = refused(arguments);
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{arguments:?} does not say {part}: {said}");
    }
}

fn with(more: &[&'static str]) -> Vec<&'static str> {
    RUN.iter().chain(more).copied().collect()
}

#[test]
fn a_wrong_name_is_named_with_the_nearest_right_one() {
    let strategy = ["--strategy", "stripd", "--workload", "teardown"];
    refused_in_one_line(&strategy, &["`stripd`", "`striped`"]);
    let lock = ["--strategy", "global[lock=tickt]", "--workload", "teardown"];
    refused_in_one_line(&lock, &["`lock=tickt`", "`ticket`"]);
    let workload = ["--strategy", "global", "--workload", "teardwn"];
    refused_in_one_line(&workload, &["`teardwn`", "`teardown`"]);
    refused_in_one_line(&with(&["--machine", "spr2s"]), &["`spr2s`", "`spr-2s`"]);
    refused_in_one_line(&with(&["--pamt-pages", "randm"]), &["`randm`", "`random`"]);
    refused_in_one_line(&with(&["--set", "whil=runnable"]), &["`--set whil", "`while`"]);
    refused_in_one_line(&["list", "locks", "tikcet"], &["`tikcet`", "`ticket`"]);
}

#[test]
fn a_wrong_unit_is_named_with_the_nearest_right_one() {
    refused_in_one_line(&with(&["--memory", "3MB"]), &["`3MB`", "`3MiB`"]);
    refused_in_one_line(&with(&["--memory", "3"]), &["`3`", "for example `256MiB`"]);
}

#[test]
fn a_wrong_file_is_named_with_the_nearest_right_one() {
    let said = refused(&["report", "reslt.json", "-o", "r.html"]);
    assert!(said.contains("reslt.json") && said.contains("`result.json`"), "{said}");
    let said = refused(&["report", "result.json", "-o", "r.html"]);
    assert!(said.contains("result.json is not a result"), "{said}");
    refused_in_one_line(&with(&["-o", "r.html"]), &["r.html", "pamt-bench report"]);
}

#[test]
#[cfg(not(feature = "png"))]
fn pictures_without_their_feature_are_refused_with_the_way_to_build_it() {
    let result = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/tests/fixtures/result_v1.json");
    refused_in_one_line(&["report", result, "-o", "r.png"], &["r.png", "--features png", ".svg"]);
}

#[test]
fn an_empty_machine_or_plan_says_what_it_needs() {
    refused_in_one_line(&with(&["--machine", "empty.toml"]), &["empty.toml", "[machine]"]);
    refused_in_one_line(&["sweep", "empty.toml", "-o", "s"], &["empty.toml", "[base]"]);
}

#[test]
fn sizes_that_no_machine_holds_are_refused() {
    refused_in_one_line(&with(&["--tds", "0"]), &["--tds 0", "at least one TD"]);
    refused_in_one_line(
        &with(&["--tds", "100", "--vcpus", "100"]),
        &["10000 CPUs", "spr-2s has 224"],
    );
}
