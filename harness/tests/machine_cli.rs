//! `pamt-bench machine`, and what happens with machine files that cannot be used.

use std::path::Path;
use std::process::{Command, Output};

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pamt-bench"));
    command.current_dir(folder).args(arguments).output().expect("the program starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error of a command that must end as a wrong usage.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = bench(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn shipped(host: &str, folder: &Path) {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../machines/curves/lockhammer-2018.csv");
    let all = std::fs::read_to_string(all).expect("shipped");
    let kept = |(at, line): &(usize, &str)| *at == 0 || line.starts_with(host);
    let rows: Vec<&str> = all.lines().enumerate().filter(kept).map(|(_, line)| line).collect();
    std::fs::write(folder.join("rows.csv"), rows.join("\n")).expect("written");
}

#[test]
fn a_fitted_profile_names_its_rows_and_runs_the_benchmark() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    shipped("x86-4", folder);
    let fit = ["machine", "fit", "--rows", "rows.csv", "--topology", "2x10x2", "-o", "host.toml"];
    let output = bench(folder, &fit);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).contains("median absolute error on the rows that a fit may use"));
    let shown = text(&bench(folder, &["machine", "show", "host.toml"]));
    assert!(shown.contains("rows.csv") && shown.contains("inherited from clx-2s"), "{shown}");
    let lock = ["lock", "--machine", "host.toml", "--lock", "ticket", "--threads", "4"];
    assert!(bench(folder, &[&lock[..], &["--acquires", "20"]].concat()).status.success());
}

#[test]
fn rows_and_shapes_that_cannot_be_used_leave_no_profile_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let fit = |rows: &str, shape: &str| {
        refusal(folder, &["machine", "fit", "--rows", rows, "--topology", shape, "-o", "h.toml"])
    };
    assert!(fit("none.csv", "1x2x1").contains("none.csv"));
    shipped("x86-", folder);
    assert!(fit("rows.csv", "2x10x2").contains("--host"));
    assert!(fit("rows.csv", "2x10").contains("2x22x2"));
    assert!(!folder.join("h.toml").exists());
}

#[test]
fn a_machine_file_that_is_unreadable_contradictory_or_incomplete_is_refused_by_name_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let head = "[machine]\nname = 'x'\ninherit = 'spr-2s'\n";
    let refused = |text: &str| {
        std::fs::write(folder.join("x.toml"), text).expect("written");
        refusal(folder, &["machine", "show", "x.toml"])
    };
    let busy = "[coherence]\nrmw_occupancy_ns = { v = 400, kind = 'measured', source = 's' }\n";
    let contradiction = refused(&format!("{head}{busy}"));
    assert!(contradiction.contains("x.toml") && contradiction.contains("c2c_llc_ns"));
    let outside = "[core]\nclock_ghz = { v = 99, kind = 'measured', source = 's' }\n";
    let outside = refused(&format!("{head}{outside}"));
    for part in ["x.toml:5", "core.clock_ghz", "0.1 to 10", "for example"] {
        assert!(outside.contains(part), "{part}: {outside}");
    }
    let lacking = refused("[machine]\nname = 'x'\n[topology]\nsockets = 2\nsource = 's'\n");
    assert!(lacking.contains("core.clock_ghz") && lacking.contains("for example"), "{lacking}");
    assert!(refused("[machine\n").contains("x.toml:1"));
    assert!(refusal(folder, &["machine", "show", "none.toml"]).contains("none.toml"));
}

#[test]
fn a_machine_without_data_names_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = refusal(folder.path(), &["lock", "--lock", "tas", "--machine", "srf-2s"]);
    assert!(message.contains("srf-2s") && message.contains("machine fit"), "{message}");
}
