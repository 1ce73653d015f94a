//! Intervals over draws, and tornados.

use pamt_reports::figure::{Unit, significant};
use serde_json::Value;

use crate::findings::{Findings, holds_and_can_fail};
use crate::page::{Figure, between, elements, figures};
use crate::scene::{Scene, number, text};

/// Length of the axis.
const AXIS: f64 = 300.0;
/// Where it begins.
const LEFT: f64 = 300.0;

struct Truth {
    name: String,
    low: f64,
    high: f64,
    median: Option<f64>,
    dashed: bool,
    shown: String,
}

fn interval(row: &Value) -> Truth {
    let [low, median, high] =
        [&row["interval"]["low"], &row["median"], &row["interval"]["high"]].map(number);
    let show = |rate: f64| Unit::PerSecond.show(&rate.into());
    Truth {
        name: text(&row["strategy"]).to_owned(),
        low,
        high,
        median: Some(median),
        dashed: false,
        shown: format!("{} ({} to {})", show(median), show(low), show(high)),
    }
}

fn pull(row: &Value) -> Truth {
    let [low, high] = [&row["low_lead_percent"], &row["high_lead_percent"]].map(number);
    Truth {
        name: text(&row["parameter"]).to_owned(),
        low,
        high,
        median: None,
        dashed: (low < 0.0) != (high < 0.0),
        shown: format!("{}% to {}%", significant(low), significant(high)),
    }
}

/// The numbers of a path that goes from the first of them along the axis to the last.
fn path(tag: &str) -> Vec<f64> {
    let d = between(tag, "d=\"", "\"").next().unwrap_or_default();
    d.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|n| n.parse().ok()).collect()
}

fn check_one(figure: &Figure<'_>, truths: &[Truth], findings: &mut Findings) {
    let ends = || truths.iter().flat_map(|truth| [truth.low, truth.high]);
    let (low, high) = (ends().fold(0.0, f64::min), ends().fold(0.0, f64::max));
    let place = |value: f64| LEFT + (value - low) / (high - low) * AXIS;
    let texts = elements(figure.svg, "text");
    let shown: Vec<&String> = texts.iter().map(|(_, text)| text).skip(1).collect();
    let paths: Vec<&str> = elements(figure.svg, "path").into_iter().map(|(tag, _)| tag).collect();
    let bars = paths.iter().filter(|tag| tag.contains("stroke-width=\"8\""));
    let marks = paths.iter().filter(|tag| tag.contains("stroke-width=\"2\""));
    findings.length(path(paths[0])[0], place(0.0), "the axis at 0");
    let medians: Vec<f64> = truths.iter().filter_map(|truth| truth.median).collect();
    for (mark, median) in marks.zip(&medians) {
        findings.length(path(mark)[0], place(*median), figure.id);
    }
    let bars: Vec<_> = bars.collect();
    findings.expect(bars.len() == truths.len(), || format!("{}: {} bars", figure.id, bars.len()));
    for ((bar, shown), truth) in bars.iter().zip(shown.chunks(2)).zip(truths) {
        let path = path(bar);
        findings.length(path[0], place(truth.low.min(truth.high)), &truth.name);
        findings.length(path[2], place(truth.low.max(truth.high)), &truth.name);
        findings.text(shown[0], &truth.name, figure.id);
        findings.text(shown[1], &truth.shown, figure.id);
        let is_dashed = bar.contains("dasharray");
        findings.expect(is_dashed == truth.dashed, || format!("{}: dashes", truth.name));
    }
}

fn check_ranges(scene: &Scene, findings: &mut Findings) {
    for figure in figures(&scene.page) {
        let Some((kind, index)) = figure.id.split_once('-') else { continue };
        let ranking = || &scene.json["rankings"][index.parse::<usize>().expect("a number")];
        let rows = |key: &str| ranking()[key].as_array().expect("rows").clone();
        let truths: Vec<Truth> = match kind {
            "intervals" => rows("strategies").iter().map(interval).collect(),
            "tornado" => rows("tornado").iter().map(pull).collect(),
            _ => continue,
        };
        check_one(&figure, &truths, findings);
        let (draws, seeds) = (&ranking()["draws"], &ranking()["seeds"]);
        let basis = format!("{draws} draws of {seeds} seeds.");
        findings.expect(figure.caption.ends_with(&basis), || figure.caption.clone());
    }
}

#[test]
fn every_interval_and_pull_lies_where_the_result_file_says() {
    let plants = [
        ("intervals-0", "1.90M (1.70M to 2.10M)", "1.90M (1.70M to 2.11M)"),
        ("intervals-0", "H600\"", "H601\""),
        ("tornado-0", "5.50% to -1.50%", "5.50% to 1.50%"),
        ("tornado-0", " stroke-dasharray=\"6 2\"", ""),
    ];
    holds_and_can_fail(check_ranges, 20, &plants);
}
