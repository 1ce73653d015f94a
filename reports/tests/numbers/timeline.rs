//! The timeline: a lane a CPU, a colour a state, a line below while a lock was held.

use std::collections::BTreeMap;

use pamt_reports::figure::time;
use serde_json::Value;

use crate::findings::{Findings, holds_and_can_fail};
use crate::page::{between, elements, figures};
use crate::scene::{Scene, number};

/// Where lanes begin, and how long they are.
const LEFT: f64 = 60.0;
const LANE: f64 = 832.0;

/// Pieces `M{x} {y}H{x}` of a path as x, y and x.
fn pieces(tag: &str) -> Vec<[f64; 3]> {
    let d = between(tag, "d=\"", "\"").next().unwrap_or_default();
    let piece = |text: &str| {
        let numbers = text.split([' ', 'H']).map(|n| n.parse().expect("a number"));
        <[f64; 3]>::try_from(numbers.collect::<Vec<f64>>()).expect("three")
    };
    d.split('M').skip(1).map(piece).collect()
}

/// Slices by state, the state of most time first, then by index.
fn by_state(slices: &[Vec<u64>]) -> Vec<Vec<&Vec<u64>>> {
    let mut states = BTreeMap::<u64, Vec<&Vec<u64>>>::new();
    for slice in slices {
        states.entry(slice[3]).or_default().push(slice);
    }
    let mut states: Vec<_> = states.into_values().collect();
    let length = |state: &Vec<&Vec<u64>>| state.iter().map(|s| s[2] - s[1]).sum::<u64>();
    states.sort_by_key(|state| std::cmp::Reverse(length(state)));
    states
}

fn check_one(svg: &str, timeline: &Value, findings: &mut Findings) {
    let slices: Vec<Vec<u64>> = serde_json::from_value(timeline["slices"].clone()).expect("slices");
    let [from, to] = [&timeline["from_ns"], &timeline["to_ns"]].map(number);
    let place = |at: u64| LEFT + (at as f64 - from) / (to - from) * LANE;
    let paths: Vec<&str> = elements(svg, "path").into_iter().map(|(tag, _)| tag).collect();
    let drawn = |tag: &str, slices: &[&Vec<u64>], findings: &mut Findings| {
        let pieces = pieces(tag);
        findings.expect(pieces.len() == slices.len(), || format!("{} pieces", pieces.len()));
        for (piece, slice) in pieces.iter().zip(slices) {
            findings.length(piece[0], place(slice[1]), "beginning");
            findings.length(piece[2], place(slice[2]), "end");
        }
    };
    let states = by_state(&slices);
    findings.expect(paths.len() == states.len() + 1, || format!("{} paths", paths.len()));
    states.iter().zip(&paths).for_each(|(state, tag)| drawn(tag, state, findings));
    let held: Vec<&Vec<u64>> = slices.iter().filter(|slice| slice[4] > 0).collect();
    drawn(paths.last().expect("a path"), &held, findings);
    let texts: Vec<String> = elements(svg, "text").into_iter().map(|(_, text)| text).collect();
    let names = states.iter().map(|state| timeline["names"][state[0][3] as usize].as_str());
    let mut cpus: Vec<u64> = slices.iter().map(|slice| slice[0]).collect();
    cpus.dedup();
    let expected = names.map(|name| name.expect("a name").to_owned());
    let legend = "anything else; the line below: holds a lock".to_owned();
    let lanes = cpus.iter().map(|cpu| format!("CPU {cpu}"));
    let expected: Vec<String> =
        expected.chain([legend]).chain(lanes).chain([time(from), time(to)]).collect();
    findings.expect(texts == expected, || format!("{texts:?} is not {expected:?}"));
}

fn check_timelines(scene: &Scene, findings: &mut Findings) {
    for figure in figures(&scene.page) {
        let Some((_, index)) = figure.id.split_once("-timeline-") else { continue };
        let index: usize = index.parse().expect("a number");
        check_one(figure.svg, &scene.runs()[index]["result"]["timeline"], findings);
    }
}

#[test]
fn every_slice_lies_where_the_result_file_says() {
    let plants = [
        ("timeline", "H725.6", "H726.6"),
        ("timeline", ">CPU 1<", ">CPU 2<"),
        ("timeline", ">200ns<", ">201ns<"),
    ];
    holds_and_can_fail(check_timelines, 20, &plants);
}
