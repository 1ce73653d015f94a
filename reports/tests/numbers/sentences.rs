//! Conclusions in words.

use std::collections::BTreeSet;

use pamt_reports::figure::{Unit, significant, time};
use serde_json::Value;

use crate::page::{between, verdicts};
use crate::scene::{Scene, inputs};

/// Numbers with what is glued to them: `1.14`, `402k`, `20.7%`, `531ms`.
fn tokens(sentence: &str) -> impl Iterator<Item = &str> {
    let words = sentence.split(|c: char| c.is_whitespace() || "();,:".contains(c));
    let words = words.map(|word| word.trim_end_matches('.'));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

/// What a conclusion may say of a run.
fn sayable(scene: &Scene) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = ["1.0%", "30"].map(str::to_owned).into();
    let results = || scene.runs().iter().map(|run| &run["result"]);
    let rate = |result: &Value| result["throughput"]["per_second"].as_f64();
    for result in results() {
        let rates: Vec<f64> = results().filter_map(rate).collect();
        if let Some(mine) = rate(result) {
            known.insert(Unit::PerSecond.show(&mine.into()));
            known.extend(rates.iter().map(|other| significant(mine / other)));
            known.extend(rates.iter().map(|other| Unit::Share.show(&(mine / other).into())));
        }
        for lock in result["locks"].as_object().into_iter().flat_map(|locks| locks.values()) {
            let count = |key: &str| lock[key].as_f64().unwrap_or(0.0);
            let (yes, no) = (count("true_contentions"), count("false_contentions"));
            known.insert(time(count("waittime_total_ns")));
            known.insert(Unit::Share.show(&(no / (yes + no).max(1.0)).into()));
        }
        for object in result["lines"].as_object().into_iter().flat_map(|lines| lines.values()) {
            let lines = object["top"].as_array().into_iter().flatten();
            for line in lines.chain([object]) {
                let hitm =
                    line["lcl_hitm"].as_u64().unwrap_or(0) + line["rmt_hitm"].as_u64().unwrap_or(0);
                known.insert(Unit::Count.show(&hitm.into()));
            }
        }
    }
    for key in ["seed", "tds", "vcpus"] {
        known.extend(scene.runs().iter().map(|run| run["experiment"][key].to_string()));
    }
    known
}

#[test]
fn every_number_of_the_conclusions_is_in_the_result_file_or_follows_from_it() {
    let mut checked = 0;
    for scene in inputs().into_iter().map(Scene::of) {
        let known = sayable(&scene);
        let summary =
            between(&scene.page, "<section id=\"summary\"><h2>Summary</h2>\n<ul>", "</ul>");
        let first: Vec<String> = summary.map(str::to_owned).collect();
        for sentence in verdicts(&scene.page).iter().chain(&first) {
            for token in tokens(sentence).filter(|token| !token.ends_with(']')) {
                assert!(known.contains(token), "{token} in: {sentence}");
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked}");
}
