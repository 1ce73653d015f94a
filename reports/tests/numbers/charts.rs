//! Line charts: the data that the page's script draws again.

use pamt_reports::figure::rounded;
use serde_json::Value;

use crate::page::plots;
use crate::scene::{Scene, inputs, number, text};

#[test]
fn the_points_of_the_plots_are_those_of_the_histograms_and_samples() {
    let mut checked = 0;
    for scene in inputs().into_iter().map(Scene::of) {
        for (id, plot) in plots(&scene.page) {
            for series in plot["series"].as_array().expect("series") {
                let result = scene.result(&id, text(&series["name"]));
                let part = id.split_once('-').map_or("", |(_, part)| part);
                let (axis, values): (&str, Vec<&Value>) = match part.rsplit_once('-') {
                    Some((op, kind @ ("tail" | "cdf"))) => {
                        let buckets = result["ops"][op]["histogram"].as_array().expect("buckets");
                        (
                            if kind == "tail" { "y" } else { "x" },
                            buckets.iter().map(|b| &b[0]).collect(),
                        )
                    }
                    _ => {
                        let samples = result["memory"]["samples"].as_array().expect("samples");
                        ("y", samples.iter().map(|sample| &sample["pamt_pages"]).collect())
                    }
                };
                let known: Vec<f64> = values.iter().map(|value| rounded(number(value))).collect();
                for point in series[axis].as_array().expect("points") {
                    assert!(known.contains(&number(point)), "{id}: {point}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 100, "{checked}");
}
