//! Heat maps: a shade a pair of cores, in a picture inside the drawing.

use miniz_oxide::inflate::decompress_to_vec_zlib;
use pamt_reports::figure::Unit;
use serde_json::Value;

use crate::findings::{Findings, holds_and_can_fail};
use crate::page::{Figure, between, elements, figures};
use crate::scene::{Scene, number};

/// Bytes of base64 text.
fn decoded(text: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.trim_end_matches('=').chars().map(|c| digits.find(c).expect("base64") as u32);
    let groups: Vec<u32> = bits.collect();
    let group = |four: &[u32]| {
        let all = (0..4).fold(0, |all, i| all << 6 | four.get(i).copied().unwrap_or(0));
        all.to_be_bytes()[1..four.len()].to_vec()
    };
    groups.chunks(4).flat_map(group).collect()
}

/// Shades of a picture of two pixels a byte.
fn shades(figure: &Figure<'_>) -> Vec<Vec<u8>> {
    let picture = between(figure.svg, "base64,", "\"").next().expect("a picture");
    let file = decoded(picture);
    let at = file.windows(4).position(|name| name == b"IDAT").expect("data");
    let number =
        |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().expect("four")) as usize;
    let data = &file[at + 4..at + 4 + number(at - 4)];
    let data = decompress_to_vec_zlib(data).expect("a zlib stream");
    let width = number(16);
    let pixels = |row: &[u8]| -> Vec<u8> {
        row[1..].iter().flat_map(|pair| [pair >> 4, pair & 15]).take(width).collect()
    };
    data.chunks(1 + width.div_ceil(2)).map(pixels).collect()
}

/// The matrix of an object, or of all, with the cores that have moved anything.
fn matrix(result: &Value, object: Option<&str>) -> Vec<Vec<f64>> {
    let objects = result["lines"].as_object().expect("lines");
    let all = objects.iter().filter(|(name, _)| object.is_none_or(|object| object == *name));
    let mut pairs = Vec::new();
    for (_, row) in all {
        let transfers = &row["transfers"];
        let cpus = transfers["cpus"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (i, from) in cpus.iter().enumerate() {
            for (j, to) in cpus.iter().enumerate() {
                pairs.push((number(from), number(to), number(&transfers["counts"][i][j])));
            }
        }
    }
    let moved = pairs.iter().filter(|(_, _, count)| *count > 0.0);
    let mut cpus: Vec<f64> = moved.flat_map(|(from, to, _)| [*from, *to]).collect();
    cpus.sort_by(f64::total_cmp);
    cpus.dedup();
    let count = |from: &f64, to: &f64| {
        let pair = pairs.iter().filter(|(f, t, _)| f == from && t == to);
        pair.map(|(_, _, count)| count).sum()
    };
    cpus.iter().map(|from| cpus.iter().map(|to| count(from, to)).collect()).collect()
}

/// Shade of a count, of 15.
fn shade(count: f64, most: f64) -> u8 {
    match count {
        0.0 => 0,
        _ if most == 1.0 => 15,
        _ => (2.0 + 13.0 * count.ln() / most.ln()).round() as u8,
    }
}

fn check_heat(scene: &Scene, findings: &mut Findings) {
    for figure in figures(&scene.page).filter(|figure| figure.id.contains("-heat-")) {
        let index: usize =
            figure.id.rsplit('-').next().and_then(|n| n.parse().ok()).expect("a run");
        let result = &scene.runs()[index]["result"];
        let (_, kind) = figure.id.split_once("-heat-").expect("a map");
        let object = kind.split_once('-').map(|(object, _)| object);
        let truth = matrix(result, object);
        let most = truth.iter().flatten().copied().fold(0.0, f64::max);
        let expected: Vec<Vec<u8>> =
            truth.iter().map(|row| row.iter().map(|count| shade(*count, most)).collect()).collect();
        findings.expect(shades(&figure) == expected, || format!("{}: shades", figure.id));
        let texts = elements(figure.svg, "text");
        let last = texts.last().map(|(_, text)| text.as_str()).unwrap_or_default();
        findings.text(last, &most.to_string(), figure.id);
        if object.is_none() {
            captions(&figure, result, findings);
        }
    }
}

/// What each object moved.
fn captions(figure: &Figure<'_>, result: &Value, findings: &mut Findings) {
    for (name, row) in result["lines"].as_object().expect("lines") {
        let Some(counts) = row.get("transfers").and_then(|t| t["counts"].as_array()) else {
            continue;
        };
        let moved = counts.iter().flat_map(|row| row.as_array().expect("a row")).map(number);
        let moved = Unit::Count.show(&(moved.sum::<f64>() as u64).into());
        let expected = format!("{name} {moved}");
        let says = figure.caption.contains(&format!("{expected},"))
            || figure.caption.contains(&format!("{expected}."));
        findings.expect(says, || format!("{}: no {expected}", figure.id));
    }
}

#[test]
fn every_shade_is_that_of_a_count_of_the_result_file() {
    let plants =
        [("-heat-", "pamt_lock 5200. A", "pamt_lock 5201. A"), ("-heat-", ">3600<", ">3601<")];
    holds_and_can_fail(check_heat, 10, &plants);
    let mut scene = Scene::of(crate::scene::inputs().pop().expect("the made-up result"));
    let lines = &mut scene.json["runs"][2]["result"]["lines"];
    lines["pamt_lock"]["transfers"]["counts"][0][1] = 1.into();
    let mut findings = Findings::default();
    check_heat(&scene, &mut findings);
    assert!(!findings.is_clean(), "another count has another shade");
}
