//! `pamt-bench trace` and the workload `trace:FILE`, as a user meets them (docs/trace-format.md).

use std::path::Path;
use std::process::{Command, Output};

use pamt_harness::exec::{Prepared, run};
use pamt_harness::experiment::{Backend, Experiment};
use pamt_harness::recording::Summary;
use pamt_reports::schema::{Run, Verdict};

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pamt-bench"));
    command.current_dir(folder).args(arguments).output().expect("the program starts")
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The text block of the documentation that is a trace.
fn documented() -> String {
    let page = include_str!("../../docs/trace-format.md");
    let blocks = page.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.starts_with("pamt-trace")).collect()
}

fn replayed(file: &Path, strategy: &str, change: impl FnOnce(&mut Experiment)) -> Run {
    let workload = format!("trace:{}", file.display());
    let mut experiment =
        Experiment { strategy: strategy.into(), ..Experiment::of_workload(&workload) };
    change(&mut experiment);
    run(&Prepared::new(&experiment).expect("a right experiment")).expect("it runs")
}

fn generated(folder: &Path, more: &[&str]) -> std::path::PathBuf {
    let output = bench(folder, &[&["trace", "generate", "-o", "t.pamt"], more].concat());
    assert!(output.status.success(), "{output:?}");
    folder.join("t.pamt")
}

#[test]
fn info_says_what_is_in_the_trace_of_the_documentation() {
    let summary = Summary::of("host.pamt", documented().as_bytes()).expect("a right trace");
    insta::assert_snapshot!(summary);
}

#[test]
fn wrong_lines_are_listed_by_number_and_nothing_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        "pamt-trace 1 clock=boot\n5 0 0 get 0x200\n4 0 0 put 0x200\n6 0 0 gte 0x201\n7 0 0 put 0x2";
    std::fs::write(folder.path().join("t.pamt"), text).expect("written");
    let info = said(&bench(folder.path(), &["trace", "info", "t.pamt"]));
    let replay = ["--strategy", "global", "--workload", "trace:t.pamt"];
    assert_eq!(info, said(&bench(folder.path(), &replay)));
    insta::assert_snapshot!(info.1);
    assert_eq!(info.0, Some(2));
}

#[test]
fn a_trace_that_cannot_be_replayed_so_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    generated(folder.path(), &["--memory", "1MiB"]);
    let refused = |more: &[&str]| {
        let (code, text) = said(&bench(folder.path(), more));
        assert_eq!((code, text.lines().count()), (Some(2), 1), "{text}");
        text
    };
    assert!(refused(&["--strategy", "lazy", "--workload", "trace:t.pamt"]).contains("status"));
    let refused =
        |more: &[&str]| refused(&[&["--strategy", "global", "--workload"], more].concat());
    assert!(refused(&["trace"]).contains("--workload trace:FILE"));
    assert!(refused(&["trace:none.pamt"]).contains("none.pamt"));
    assert!(refused(&["boot", "--placement", "recorded"]).contains("trace:FILE"));
    assert!(refused(&["trace:t.pamt", "--placement", "random"]).contains("--placement"));
    assert!(refused(&["trace:t.pamt", "--page-size", "2m"]).contains("--page-size"));
    let far = "pamt-trace 1 clock=boot\n0 300 0 get 0x1\n";
    std::fs::write(folder.path().join("far.pamt"), far).expect("written");
    assert!(refused(&["trace:far.pamt"]).contains("CPU 300"));
}

#[test]
fn a_capture_becomes_a_trace_or_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = "# gets and puts\nget 2000 1 812 0x200 95\nget 1000 0 811 0x201 72\nput 3000 1 812 0x200 48\n";
    std::fs::write(folder.path().join("capture.txt"), capture).expect("written");
    let convert = ["trace", "convert", "capture.txt", "-o", "host.pamt"];
    assert!(bench(folder.path(), &convert).status.success());
    let trace = std::fs::read_to_string(folder.path().join("host.pamt")).expect("written");
    assert_eq!(
        trace,
        "pamt-trace 1 clock=boot\n0 0 1 get 0x201 72\n1000 1 0 get 0x200 95\n2000 1 0 put 0x200 48\n"
    );
    std::fs::write(folder.path().join("capture.txt"), "get 1 2\n").expect("written");
    let (code, text) = said(&bench(folder.path(), &convert));
    assert_eq!(code, Some(2));
    assert!(text.contains("capture.txt:1: `pid` is missing"), "{text}");
    assert_eq!(std::fs::read_to_string(folder.path().join("host.pamt")).expect("kept"), trace);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2);
}

#[test]
fn a_replay_does_each_operation_once_through_any_strategy_and_its_books_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = generated(folder.path(), &["--memory", "3MiB", "--tds", "3"]);
    for strategy in
        ["global", "simple", "per-2m", "three-region", "parked", "prealloc", "v4", "state"]
    {
        for pace in ["recorded", "asap"] {
            let run = replayed(&file, strategy, |experiment| {
                experiment.set.insert("pace".into(), pace.into());
            });
            let (ops, correctness) = (&run.result.ops, &run.result.correctness);
            assert_eq!(correctness.verdict, Verdict::Clean, "{strategy} {pace}: {correctness:?}");
            // `prealloc` gets once more for the folio.
            let gets = if strategy == "prealloc" { 2 } else { 1 } * 3 * 768;
            assert_eq!(
                (ops["pamt_get"].count, ops["pamt_put"].count),
                (gets, gets),
                "{strategy} {pace}"
            );
            assert_eq!(run.result.tds.len(), 3);
        }
    }
}

#[test]
fn pages_that_cpus_hand_on_keep_their_order_and_held_pages_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.pamt");
    // Page 1 was held before; page 2 goes from CPU 0 to CPU 1 and to another TD; page 3 stays.
    let text = "pamt-trace 1 clock=made-up\n0 1 0 put 1\n0 0 0 get 2\n0 1 0 put 2\n0 0 7 get 2\n0 1 7 get 3\n";
    std::fs::write(&file, text).expect("written");
    for backend in [Backend::Sim, Backend::Native] {
        let run = replayed(&file, "global", |experiment| {
            experiment.backend = backend;
            experiment.oversubscribe = true;
            experiment.set.insert("host_memory".into(), "64MiB".into());
        });
        assert_eq!(run.result.correctness.verdict, Verdict::Clean, "{:?}", run.result.correctness);
        assert_eq!(
            run.result.memory.pamt_pages_end,
            Some(2),
            "{backend:?}: pages 2 and 3 have one pair"
        );
        assert_eq!(run.result.ops["pamt_put"].count, 2);
    }
}

#[test]
fn operations_begin_when_they_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.pamt");
    std::fs::write(&file, "pamt-trace 1 clock=made-up\n7 0 0 get 1\n5000007 0 0 put 1\n")
        .expect("written");
    let took = |pace: &str| {
        let run = replayed(&file, "global", |experiment| {
            experiment.set.insert("pace".into(), pace.into());
        });
        run.result.virtual_time_ns
    };
    assert!((5_000_000..5_020_000).contains(&took("recorded")), "{}", took("recorded"));
    assert!(took("asap") < 20_000, "{}", took("asap"));
}

#[test]
fn a_lock_stat_of_a_real_host_stands_beside_a_modelled_run_without_a_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = [
        &["--strategy", "simple", "--workload", "teardown", "--tds", "2", "--vcpus", "1"][..],
        &["--memory", "2MiB", "-o", "r.json"],
    ];
    assert!(bench(folder.path(), &run.concat()).status.success());
    let numbers = "21000 24000 0.10 563.00 96000.00 4.00 650000 1412000 0.05 505.00 296520.00 0.21";
    let write = |class: &str| {
        let text = format!("lock_stat version 0.4\n  {class}: {numbers}\n");
        std::fs::write(folder.path().join("host.lockstat"), text).expect("written");
    };
    let compare = |more: &[&str]| {
        bench(folder.path(), &[&["compare", "host.lockstat", "r.json"], more].concat())
    };
    write("pamt_lock");
    let output = compare(&[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text.contains("measured") && text.contains("modelled") && text.contains("no verdict"));
    assert!(said(&compare(&["--format", "json"])).1.contains("leave --format"));
    write("jiffies_lock");
    assert_eq!(compare(&[]).status.code(), Some(4));
    std::fs::write(folder.path().join("host.lockstat"), "lock_stat version 0.4\n a: 1\n")
        .expect("written");
    let (code, text) = said(&compare(&[]));
    assert_eq!(code, Some(2));
    assert!(text.contains("host.lockstat:2: a class has 12 numbers"), "{text}");
}
