//! Each planted difference gets its own verdict.

use std::collections::BTreeMap;

use super::*;
use crate::schema::{Comparability, Document, Experiment, OpRow, Run, RunResult, World};

fn run(seed: u64, mean_ns: u64) -> Run {
    let parts = BTreeMap::from([("machine_profile".to_owned(), "aa".to_owned())]);
    let mut result = RunResult { virtual_time_ns: 10 * mean_ns, ..RunResult::default() };
    let op = OpRow { count: 50, mean_ns, ..OpRow::default() };
    result.ops.insert("pamt_get".into(), op);
    Run {
        comparability: Comparability::new(parts),
        experiment: Experiment {
            strategy: "global".into(),
            workload: "teardown".into(),
            machine: "spr-2s".into(),
            backend: "sim".into(),
            seed,
            ..Experiment::default()
        },
        provenance: None,
        result,
    }
}

fn table(runs: Vec<Run>) -> Table {
    Table::new(&[Document::new(runs)])
}

fn verdicts(before: Vec<Run>, after: Vec<Run>) -> Vec<(Verdict, String)> {
    let comparison = compare(&table(before), &table(after), &Policy::default());
    let rows = comparison.rows.into_iter().filter(|row| row.verdict != Verdict::Unchanged);
    rows.map(|row| (row.verdict, format!("{} {}", row.metric, row.reason))).collect()
}

#[test]
fn equal_modelled_results_have_only_unchanged_rows() {
    assert_eq!(verdicts(vec![run(1, 100), run(2, 90)], vec![run(1, 100), run(2, 90)]), []);
}

#[test]
fn one_slower_seed_is_a_regression_that_names_it() {
    let found = verdicts(vec![run(1, 100), run(2, 90)], vec![run(1, 100), run(2, 92)]);
    assert!(found.iter().all(|(verdict, _)| *verdict == Verdict::Regressed), "{found:?}");
    assert!(found[0].1.contains("1 of 2 seeds; shown is seed 2"), "{found:?}");
}

#[test]
fn a_faster_run_is_improved() {
    assert_eq!(verdicts(vec![run(1, 100)], vec![run(1, 99)])[0].0, Verdict::Improved);
}

#[test]
fn a_count_has_no_better_side_and_is_changed() {
    let mut after = run(1, 100);
    after.result.ops.get_mut("pamt_get").unwrap().count = 51;
    assert_eq!(verdicts(vec![run(1, 100)], vec![after])[0].0, Verdict::Changed);
}

#[test]
fn a_swapped_seed_is_incomparable_and_named() {
    let found = verdicts(vec![run(1, 100)], vec![run(2, 100)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, Verdict::Incomparable);
    assert!(found[0].1.contains("seed differs: 1.0 before, 2.0 after"), "{found:?}");
}

#[test]
fn a_changed_machine_file_is_incomparable_and_named() {
    let mut after = run(1, 100);
    after.comparability.parts.insert("machine_profile".into(), "bb".into());
    let found = verdicts(vec![run(1, 100)], vec![after]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, Verdict::Incomparable);
    assert!(found[0].1.contains("machine_profile"), "{found:?}");
}

#[test]
fn another_setting_of_the_same_experiment_is_incomparable_and_named() {
    let mut after = run(1, 100);
    after.experiment.tds = Some(4);
    let found = verdicts(vec![run(1, 100)], vec![after]);
    assert_eq!(found[0].0, Verdict::Incomparable);
    assert!(found[0].1.contains("tds differs: not set before, 4 after"), "{found:?}");
}

#[test]
fn cells_of_one_side_are_missing_or_new() {
    let mut other = run(1, 100);
    other.experiment.strategy = "striped:64".into();
    let both = vec![run(1, 100), other];
    assert_eq!(verdicts(both.clone(), vec![run(1, 100)])[0].0, Verdict::Missing);
    assert_eq!(verdicts(vec![run(1, 100)], both)[0].0, Verdict::New);
}

#[test]
fn a_run_that_does_not_repeat_is_nondeterministic() {
    let found = verdicts(vec![run(1, 100)], vec![run(1, 100), run(1, 101)]);
    assert_eq!(found[0].0, Verdict::Nondeterministic);
}

#[test]
fn a_run_that_repeats_exactly_is_no_news() {
    assert_eq!(verdicts(vec![run(1, 100)], vec![run(1, 100), run(1, 100)]), []);
}

#[test]
fn parameters_tell_cells_apart_and_a_changed_one_is_named() {
    let with = |value: &str| {
        let mut run = run(1, 100);
        run.experiment.parameters.insert("think_time".into(), value.into());
        run
    };
    assert_eq!(table(vec![with("1us"), with("2us")]).cells.len(), 2);
    let found = verdicts(vec![with("1us")], vec![with("2us")]);
    assert_eq!(found[0].0, Verdict::Incomparable);
    assert!(found[0].1.contains("think_time differs: 1us before, 2us after"), "{found:?}");
}

fn measured(values: &[u64]) -> Vec<Run> {
    let runs = values.iter().map(|value| {
        let mut run = run(1, *value);
        run.result.world = World::Measured;
        run
    });
    runs.collect()
}

#[test]
fn measured_runs_need_enough_samples() {
    let found = verdicts(measured(&[100, 101]), measured(&[200, 201]));
    assert_eq!(found[0].0, Verdict::Inconclusive);
    assert!(found[0].1.contains("needs n >= 6"), "{found:?}");
}

#[test]
fn a_doubled_time_is_found_and_noise_is_not() {
    let base = [100, 104, 98, 101, 110, 95, 99, 103, 102, 97];
    let doubled: Vec<u64> = base.iter().map(|value| 2 * value).collect();
    let shuffled: Vec<u64> = base.iter().rev().map(|value| value + 2).collect();
    let found = verdicts(measured(&base), measured(&doubled));
    assert_eq!(found[0].0, Verdict::Regressed, "{found:?}");
    let found = verdicts(measured(&base), measured(&shuffled));
    assert!(found.iter().all(|(verdict, _)| *verdict == Verdict::WithinNoise), "{found:?}");
}

#[test]
fn a_measured_row_says_the_smallest_change_that_its_samples_would_show() {
    let base = [100, 104, 98, 101, 110, 95, 99, 103, 102, 97];
    let doubled = base.map(|value| 2 * value);
    let (before, after) = (table(measured(&base)), table(measured(&doubled)));
    let comparison = compare(&before, &after, &Policy::default());
    for text in [text_table(&comparison), markdown_table(&comparison)] {
        assert!(text.contains("smallest detectable change"), "{text}");
    }
}

#[test]
fn soft_and_hard_limits_apply_to_the_cells_that_they_name() {
    let limit = |metric: &str, soft_percent, hard| Limit {
        metric: metric.into(),
        cell: "global *".into(),
        soft_percent,
        hard,
    };
    let (before, after) = (table(vec![run(1, 100)]), table(vec![run(1, 102)]));
    let mut policy = Policy { limits: vec![limit("*", Some(3.0), None)], ..Policy::default() };
    assert_eq!(compare(&before, &after, &policy).count(Verdict::Regressed), 0);
    policy.limits.push(limit("ops.*.mean_ns", None, Some(101.0)));
    let comparison = compare(&before, &after, &policy);
    assert_eq!(comparison.rows[0].verdict, Verdict::Regressed);
    assert!(comparison.rows[0].reason.contains("hard limit 101"));
}

#[test]
fn the_geometric_mean_covers_all_cells_of_a_metric() {
    let mut other = run(1, 100);
    other.experiment.strategy = "striped:64".into();
    let mut slower = other.clone();
    slower.result.ops.get_mut("pamt_get").unwrap().mean_ns = 121;
    let (before, after) = (table(vec![run(1, 100), other]), table(vec![run(1, 100), slower]));
    let means = compare(&before, &after, &Policy::default()).geomeans;
    assert_eq!(means.len(), 1);
    assert!((means[0].ratio - 1.1).abs() < 1e-12);
}
