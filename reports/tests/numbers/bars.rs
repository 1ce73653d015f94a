//! Bars: where the time goes, and throughput. Each part tells its length in its tip.

use std::collections::BTreeSet;

use pamt_reports::figure::{Unit, time};
use serde_json::Value;

use crate::findings::{Findings, holds_and_can_fail};
use crate::page::{Figure, attribute, between, elements, figures};
use crate::scene::{Scene, number, sum, text};
use crate::tables::part;

/// Length of the longest bar.
const LONGEST: f64 = 460.0;

/// A bar as it must be: its parts by name with value and text.
struct Truth {
    strategy: String,
    parts: Vec<(String, f64, String)>,
    shown: String,
}

impl Truth {
    fn whole(&self) -> f64 {
        self.parts.iter().map(|(_, value, _)| value).sum()
    }
}

/// What the rectangles say: the names of the legend first, then `strategy: name value`.
fn tips<'a>(figure: &Figure<'a>) -> impl Iterator<Item = &'a str> {
    between(figure.svg, "<title>", "</title>").skip(1)
}

/// The names in the legend.
fn legend<'a>(figure: &Figure<'a>) -> Vec<&'a str> {
    tips(figure).take_while(|tip| !tip.contains(": ")).collect()
}

/// The names of the parts; a single one has no legend.
fn names<'a>(figure: &Figure<'a>) -> Vec<&'a str> {
    let named = legend(figure);
    if !named.is_empty() {
        return named;
    }
    let part = |tip: &'a str| tip.split_once(": ")?.1.split(' ').next();
    tips(figure).take(1).filter_map(part).collect()
}

fn throughput(strategy: &str, result: &Value) -> Option<Truth> {
    let rate = result["throughput"]["per_second"].as_f64()?;
    let shown = format!("{}/s", Unit::PerSecond.show(&rate.into()));
    let name = format!("{} per second", text(&result["throughput"]["unit"]));
    let parts = vec![(name, rate, shown.clone())];
    Some(Truth { strategy: strategy.to_owned(), parts, shown })
}

fn times(strategy: &str, result: &Value, op: &str, names: &[&str]) -> Option<Truth> {
    let count =
        if op == "all" { 1.0 } else { result["ops"].get(op).map(|op| number(&op["count"]))? };
    let whole = sum(result, |path| op == "all" || path.contains(&op)) / count;
    let named: Vec<_> = names.iter().map(|name| (*name, part(result, op, name) / count)).collect();
    let rest = whole - named.iter().map(|(_, value)| value).sum::<f64>();
    let parts = named.iter().map(|(name, value)| match *name {
        "rest" => ("rest".to_owned(), rest, time(rest)),
        name => (name.to_owned(), *value, time(*value)),
    });
    let parts = parts.filter(|(_, value, _)| *value > 0.0).collect();
    Some(Truth { strategy: strategy.to_owned(), parts, shown: time(whole) })
}

fn truths(scene: &Scene, figure: &Figure<'_>) -> Vec<Truth> {
    let names = names(figure);
    let workload = scene.workload(figure.id);
    let runs = scene.runs().iter().filter(|run| run["experiment"]["workload"] == workload);
    runs.filter_map(|run| {
        let (strategy, result) = (text(&run["experiment"]["strategy"]), &run["result"]);
        match figure.id.split_once("-time-") {
            Some((_, op)) => times(strategy, result, op, &names),
            None => throughput(strategy, result),
        }
    })
    .collect()
}

fn check_bars(scene: &Scene, findings: &mut Findings) {
    let is_bars = |id: &str| id.contains("-time-") || id.ends_with("-throughput");
    for figure in figures(&scene.page).filter(|figure| is_bars(figure.id)) {
        let truths = truths(scene, &figure);
        let most = truths.iter().map(Truth::whole).fold(0.0, f64::max);
        let mut unseen: BTreeSet<(&str, &str)> = BTreeSet::new();
        let rectangles = elements(figure.svg, "rect").into_iter().zip(tips(&figure));
        for ((tag, _), tip) in rectangles.skip(legend(&figure).len()) {
            let Some((truth, (name, value, shown))) = truths.iter().find_map(|truth| {
                let inside = tip.strip_prefix(&format!("{}: ", truth.strategy))?;
                Some((
                    truth,
                    truth
                        .parts
                        .iter()
                        .find(|(name, _, _)| inside.starts_with(&format!("{name} ")))?,
                ))
            }) else {
                findings.expect(false, || format!("{}: nothing is {tip}", figure.id));
                continue;
            };
            findings.text(tip, &format!("{}: {name} {shown}", truth.strategy), figure.id);
            let width = attribute(tag, " width").expect("a width");
            findings.length(width, value / most * LONGEST, tip);
            unseen.insert((&truth.strategy, name));
        }
        for truth in &truths {
            for (name, value, _) in &truth.parts {
                let is_drawn = unseen.contains(&(truth.strategy.as_str(), name.as_str()));
                let is_thin = value / most * LONGEST < 0.06;
                findings.expect(is_drawn || is_thin, || format!("{}: no {name}", figure.id));
            }
        }
        ends(&truths, &figure, findings);
    }
}

/// Each bar has its name before it and its whole length behind.
fn ends(truths: &[Truth], figure: &Figure<'_>, findings: &mut Findings) {
    let texts = elements(figure.svg, "text");
    let bars = texts.windows(2).filter(|pair| pair[0].0.contains("\"end\""));
    let bars: Vec<_> = bars.map(|pair| [&pair[0].1, &pair[1].1]).collect();
    findings.expect(bars.len() == truths.len(), || format!("{}: {} bars", figure.id, bars.len()));
    for (bar, truth) in bars.iter().zip(truths) {
        findings.text(bar[0], &truth.strategy, figure.id);
        findings.text(bar[1], &truth.shown, figure.id);
    }
}

#[test]
fn every_bar_is_as_long_as_the_time_or_the_rate_of_the_result_file_and_says_it() {
    let plants = [
        ("s0-throughput", "global: pages per second 310k", "global: pages per second 311k"),
        ("s0-throughput", "width=\"46\"", "width=\"47\""),
        ("s0-throughput", ">310k/s<", ">301k/s<"),
        ("s0-time-all", "<title>global: lock_wait ", "<title>global: lock_wait 1"),
    ];
    holds_and_can_fail(check_bars, 100, &plants);
}
