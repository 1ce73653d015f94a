//! Each planted difference gets its own exit code, and every output says the same.

use std::path::Path;

use super::*;
use crate::compare::{Limit, Noise, NoiseRow, Policy, Table};
use crate::exit::Exit;
use crate::schema::{Document, Experiment, OpRow, Provenance, Run, RunResult, World};

const TODAY: Day = Day(20_779);

fn run(strategy: &str, seed: u64, mean_ns: u64) -> Run {
    let mut result = RunResult { virtual_time_ns: 10 * mean_ns, ..RunResult::default() };
    let op = OpRow { count: 50, mean_ns, p50_ns: mean_ns, p99_ns: 3 * mean_ns, ..OpRow::default() };
    result.ops.insert("pamt_get".into(), op);
    let experiment = Experiment {
        strategy: strategy.into(),
        workload: "teardown".into(),
        machine: "spr-2s".into(),
        backend: "sim".into(),
        seed,
        ..Experiment::default()
    };
    let comparability = Default::default();
    Run { comparability, experiment, provenance: None, result }
}

fn table(runs: Vec<Run>) -> Table {
    Table::new(&[Document::new(runs)])
}

fn file(text: &str) -> GateFile {
    GateFile::parse(text, Path::new("gate.toml")).expect("the test's gate file is good")
}

fn judge(before: Vec<Run>, after: Vec<Run>, rules: &str) -> (Outcome, Exit) {
    let (before, after, file) = (table(before), table(after), file(rules));
    let (noise, strict) = (None, false);
    gate(&Inputs { before: &before, after: &after, file: &file, noise, today: TODAY, strict })
}

fn exit(before: Vec<Run>, after: Vec<Run>, rules: &str) -> Exit {
    judge(before, after, rules).1
}

#[test]
fn each_planted_difference_has_its_own_exit_code() {
    let base = || vec![run("global", 1, 100), run("striped", 1, 50)];
    assert_eq!(exit(base(), base(), ""), Exit::Passed);
    let slower = vec![run("global", 1, 102), run("striped", 1, 50)];
    assert_eq!(exit(base(), slower, ""), Exit::Regression);
    let other_seed = vec![run("global", 2, 100), run("striped", 1, 50)];
    assert_eq!(exit(base(), other_seed, ""), Exit::Incomparable);
    assert_eq!(exit(base(), vec![run("global", 1, 100)], ""), Exit::Partial);
    let unstable = vec![run("global", 1, 100), run("global", 1, 101), run("striped", 1, 50)];
    assert_eq!(exit(base(), unstable, ""), Exit::Nondeterminism);
    assert_eq!(exit(Vec::new(), Vec::new(), ""), Exit::NothingToCompare);
}

#[test]
fn an_improvement_fails_only_where_any_change_must_be_explained() {
    let (before, after) = (vec![run("global", 1, 100)], vec![run("global", 1, 90)]);
    assert_eq!(exit(before.clone(), after.clone(), ""), Exit::Passed);
    assert_eq!(exit(before, after, "fail_on = 'any-change'"), Exit::Regression);
}

const EXPECT: &str = "
[[expect]]
cell = 'global *'
metric = '*'
verdict = 'regressed'
at_most_percent = 3
reason = 'the get now resets its page'
expires = '2026-12-31'
";

#[test]
fn an_expected_change_passes_within_its_bound_and_says_why() {
    let before = vec![run("global", 1, 100)];
    let (outcome, exit) = judge(before.clone(), vec![run("global", 1, 102)], EXPECT);
    assert_eq!(exit, Exit::Passed);
    assert!(to_markdown(&outcome).contains("the get now resets its page"));
    let beyond = judge(before, vec![run("global", 1, 105)], EXPECT);
    assert_eq!(beyond.1, Exit::Regression);
}

#[test]
fn an_unused_or_expired_expectation_fails_the_gate() {
    let base = vec![run("global", 1, 100)];
    let (outcome, exit) = judge(base.clone(), base.clone(), EXPECT);
    assert_eq!(exit, Exit::BadGateFile);
    assert!(outcome.notes[0].contains("not used by any row"), "{:?}", outcome.notes);
    let expired = EXPECT.replace("2026-12-31", "2026-11-21");
    let (outcome, exit) = judge(base, vec![run("global", 1, 102)], &expired);
    assert_eq!(exit, Exit::Regression);
    assert!(outcome.notes[0].contains("expired"), "{:?}", outcome.notes);
}

#[test]
fn a_bad_gate_file_is_refused_with_the_place() {
    let refuse = |text: &str| {
        GateFile::parse(text, Path::new("gate.toml")).expect_err("must be refused").to_string()
    };
    assert!(refuse("alpha = 0.2").contains("alpha"));
    assert!(refuse("alhpa = 0.01").contains("alhpa"));
    assert!(refuse("[[limit]]\nmetric = 'x'").contains("soft_percent"));
    assert!(refuse("[[limit]]\nmetric = 'x'\nsoft_percent = -1").contains("-1"));
    assert!(refuse(&EXPECT.replace("2026-12-31", "soon")).contains("YYYY-MM-DD"));
    assert!(refuse(&EXPECT.replace("regressed", "worse")).contains("not a verdict"));
    assert!(refuse(&EXPECT.replace("the get now resets its page", " ")).contains("reason"));
}

fn measured(values: &[u64]) -> Vec<Run> {
    let runs = values.iter().map(|value| {
        let mut run = run("global", 1, *value);
        run.result.world = World::Measured;
        let host = [("cpu".to_owned(), "a".to_owned())].into();
        run.provenance = Some(Provenance { host, ..Provenance::default() });
        run
    });
    runs.collect()
}

const CALM: [u64; 12] = [100, 104, 98, 101, 110, 95, 99, 103, 102, 97, 100, 101];

#[test]
fn a_measured_regression_is_advisory_until_the_host_is_calibrated() {
    let before = table(measured(&CALM));
    let after = table(measured(&CALM.map(|value| 2 * value)));
    let rules = file("");
    let with = |noise: Option<Noise>| {
        let inputs = Inputs {
            before: &before,
            after: &after,
            file: &rules,
            noise,
            today: TODAY,
            strict: false,
        };
        gate(&inputs)
    };
    let (outcome, exit) = with(None);
    assert_eq!(exit, Exit::Passed);
    assert!(outcome.rows[0].advisory);
    let many: Vec<u64> = CALM.iter().cycle().take(40).copied().collect();
    let noise = calibrate(&table(measured(&many)), &Policy::default(), TODAY).unwrap();
    assert_eq!(with(Some(noise.clone())).1, Exit::Regression);
    let stale = Noise { day: "2026-01-01".into(), ..noise.clone() };
    assert_eq!(with(Some(stale)).1, Exit::Passed);
    let mut elsewhere = noise;
    elsewhere.host.insert("cpu".into(), "b".into());
    let (outcome, exit) = with(Some(elsewhere));
    assert_eq!(exit, Exit::Passed);
    assert!(outcome.notes[0].contains("host with cpu"), "{:?}", outcome.notes);
}

#[test]
fn the_noise_of_the_host_widens_the_margin() {
    let row = NoiseRow { cell: "c".into(), metric: "m".into(), samples: 40, noise_percent: 27.0 };
    let noise = Noise { rows: vec![row], ..Noise::default() };
    let limit = Limit { metric: "m".into(), cell: "*".into(), soft_percent: Some(8.0), hard: None };
    let policy = Policy { noise: Some(noise), limits: vec![limit], ..Policy::default() };
    let lane = crate::compare::Lane::Measured;
    assert_eq!(policy.margin_percent("c", "m", lane), 27.0);
    assert_eq!(policy.margin_percent("other", "m", lane), 8.0);
}

#[test]
fn a_calibration_needs_twenty_samples() {
    let error = calibrate(&table(measured(&CALM)), &Policy::default(), TODAY);
    assert!(error.unwrap_err().to_string().contains("12 samples, a calibration needs 20"));
    assert!(calibrate(&table(vec![run("global", 1, 1)]), &Policy::default(), TODAY).is_err());
}

#[test]
fn a_comment_of_ten_thousand_rows_fits_and_says_what_is_left_out() {
    let runs =
        |ns: u64| -> Vec<Run> { (0..2_500).map(|n| run(&format!("striped:{n}"), 1, ns)).collect() };
    let (outcome, _) = judge(runs(100), runs(101), "");
    let markdown = to_markdown(&outcome);
    assert!(markdown.len() <= 65_536, "{}", markdown.len());
    assert!(markdown.contains("more rows are in the JSON"));
    assert!(markdown.contains("<details>") && markdown.contains("</details>"));
}

#[test]
fn junit_has_a_case_a_cell_and_annotations_name_the_worst() {
    let before = vec![run("global", 1, 100), run("striped", 1, 50)];
    let (outcome, _) = judge(before, vec![run("global", 1, 100), run("striped", 1, 60)], "");
    let junit = to_junit(&outcome);
    assert!(junit.contains("tests=\"2\" skipped=\"0\" failures=\"1\""), "{junit}");
    assert!(junit.contains("striped teardown spr-2s sim"), "{junit}");
    let text = to_text(&outcome);
    assert!(
        text.starts_with("verdict ") && text.ends_with("exit 100: a metric regressed\n"),
        "{text}"
    );
    let lines = annotations(&outcome);
    assert!(lines.starts_with("::error title=regressed "), "{lines}");
    assert!(lines.contains("+20.00 %25"), "{lines}");
}

#[test]
fn the_checked_in_schema_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/gate.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, json_schema()).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, json_schema(), "run this test with UPDATE_SCHEMA=1");
    let (outcome, _) = judge(vec![run("global", 1, 100)], vec![run("global", 1, 90)], "");
    let schema = serde_json::from_str(&text).unwrap();
    let instance = serde_json::from_str(&outcome.to_json()).unwrap();
    jsonschema::validate(&schema, &instance).unwrap();
}

#[test]
fn exports_come_back_as_the_counted_values_that_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let source = table(vec![run("global", 1, 100)]);
    for (name, text) in [
        ("bencher.json", to_bencher(&source)),
        ("custom.json", to_custom_smaller_is_better(&source)),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let imported = read_table(&[path]).unwrap();
        let values: Vec<f64> = imported
            .cells
            .values()
            .flat_map(|cell| {
                cell.samples.iter().flat_map(|sample| sample.metrics.values().copied())
            })
            .collect();
        assert!(values.contains(&100.0) && values.contains(&300.0), "{name}: {values:?}");
    }
}

#[test]
fn a_foreign_file_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    std::fs::write(&path, "{\"a\": 3}").unwrap();
    let error = read_table(&[path]).unwrap_err().to_string();
    assert!(error.contains("x.json") && error.contains("Bencher"), "{error}");
}
