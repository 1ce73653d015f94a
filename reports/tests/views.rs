//! What people see, kept as snapshots, and where its numbers come from.

mod fixture;

use pamt_reports::schema::{Document, Verdict};
use pamt_reports::text::{markdown, terminal};
use pamt_reports::{csv, figure, scenario};

fn terminal_at(width: usize, colour: bool) -> String {
    terminal::render(&fixture::document(), terminal::View { width, colour })
}

#[test]
fn terminal_of_80_columns() {
    insta::assert_snapshot!(terminal_at(80, false));
}

#[test]
fn terminal_of_200_columns() {
    insta::assert_snapshot!(terminal_at(200, false));
}

#[test]
fn pull_request() {
    insta::assert_snapshot!(markdown::render(&fixture::document()));
}

#[test]
fn comma_separated() {
    insta::assert_snapshot!(csv::render(&fixture::document()));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [80, 100, 120, 200] {
        let page = terminal_at(width, false);
        let widest = page.lines().max_by_key(|line| line.chars().count()).expect("lines");
        assert!(widest.chars().count() <= width, "{width}: {widest}");
    }
}

#[test]
fn without_colour_there_is_no_escape_and_with_it_nothing_else_changes() {
    let plain = terminal_at(120, false);
    let coloured = terminal_at(120, true);
    assert!(!plain.contains('\u{1b}'));
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn a_mean_and_a_percentile_that_are_shown_are_found_in_the_json() {
    let document = fixture::document();
    let json: serde_json::Value = serde_json::from_str(&document.to_json()).expect("own JSON");
    let page = terminal_at(200, false);
    let get = &json["runs"][2]["result"]["ops"]["pamt_get"];
    assert_eq!(json["runs"][2]["experiment"]["strategy"], "global");
    let shown = |key: &str| figure::time(get[key].as_f64().expect("a number"));
    let row = page.lines().find(|line| line.contains(" global ")).expect("a row of global");
    for key in ["p50_ns", "p99_ns", "max_ns"] {
        assert!(row.contains(&shown(key)), "{key} {} not in {row}", shown(key));
    }
    let parts = format!("global pamt_get {} =", shown("mean_ns"));
    assert!(page.contains(&parts), "{parts}");
}

#[test]
fn an_unsound_strategy_and_the_floor_never_win() {
    let document = fixture::document();
    for scenario in scenario::scenarios(&document.runs) {
        let fastest = scenario.cells.iter().max_by(|a, b| a.rate().total_cmp(&b.rate()));
        assert_eq!(fastest.map(|cell| cell.strategy()), Some("static"));
        assert_eq!(scenario.winner().map(|cell| cell.strategy()), Some("per-2m"));
    }
}

#[test]
fn a_strategy_with_one_bad_run_of_many_does_not_win() {
    let mut document = fixture::document();
    let mut bad = document.runs[4].clone();
    assert_eq!(bad.experiment.strategy, "per-2m");
    bad.experiment.seed = 2;
    bad.result.correctness.verdict = Verdict::Violations;
    document.runs.push(bad);
    let scenarios = scenario::scenarios(&document.runs);
    assert_eq!(scenarios[0].winner().map(|cell| cell.strategy()), None, "global is alone then");
}

#[test]
fn many_runs_show_the_median_one_and_their_spread() {
    let mut runs = Vec::new();
    for (seed, rate) in [(1, 900.0), (2, 100.0), (3, 500.0)] {
        let mut run = fixture::document().runs[2].clone();
        run.experiment.seed = seed;
        run.result.throughput.as_mut().expect("filled").per_second = rate;
        runs.push(run);
    }
    let document = Document::new(runs);
    let scenarios = scenario::scenarios(&document.runs);
    assert_eq!(scenarios.len(), 1);
    let cell = &scenarios[0].cells[0];
    assert_eq!(cell.shown().1.experiment.seed, 3);
    let page = terminal::render(&document, terminal::View { width: 200, colour: false });
    assert!(page.contains("3 (100..900)"), "{page}");
    assert!(page.contains("seeds 1-3, 3 runs"), "{page}");
}
