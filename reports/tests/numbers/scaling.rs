//! Throughput against vCPUs, and the Universal Scalability Law fitted to it.

use pamt_reports::figure::{Unit, rounded, significant};
use pamt_reports::html::Input;
use pamt_reports::stats::{Interval, fit_usl};

use crate::findings::Findings;
use crate::fixture;
use crate::page::{plots, tables};
use crate::scene::{Scene, number, text};

/// vCPUs of a TD; the made-up result has 8 TDs.
const SIZES: [u64; 5] = [1, 2, 4, 8, 16];

/// The teardowns of the made-up result at several sizes, slower the larger they are.
fn sized() -> Scene {
    let mut document = fixture::document();
    let runs = std::mem::take(&mut document.runs);
    let teardowns = runs.into_iter().filter(|run| run.experiment.workload == "teardown");
    document.runs = teardowns
        .flat_map(|run| {
            SIZES.map(|vcpus| {
                let mut run = run.clone();
                run.experiment.vcpus = Some(vcpus);
                let rate = &mut run.result.throughput.as_mut().expect("a rate").per_second;
                let n = vcpus as f64;
                *rate *= (n / (1.0 + 0.08 * (n - 1.0) + 0.002 * n * (n - 1.0))).round();
                run
            })
        })
        .collect();
    Scene::of(Input { name: "sizes.json".into(), document })
}

/// vCPUs of all TDs and throughput of a strategy's runs.
fn points(scene: &Scene, strategy: &str) -> Vec<(f64, f64)> {
    let of = |run: &&serde_json::Value| run["experiment"]["strategy"] == strategy;
    let point = |run: &serde_json::Value| {
        let e = &run["experiment"];
        let rate = number(&run["result"]["throughput"]["per_second"]);
        (number(&e["tds"]) * number(&e["vcpus"]), rate)
    };
    scene.runs().iter().filter(of).map(point).collect()
}

fn check_scaling(scene: &Scene, findings: &mut Findings) {
    let plots = plots(&scene.page);
    for series in plots["scaling-0"]["series"].as_array().expect("series") {
        let name = text(&series["name"]);
        for (at, (x, y)) in points(scene, name).into_iter().enumerate() {
            let shown = (number(&series["x"][at]), number(&series["y"][at]));
            findings.expect(shown == (x, rounded(y)), || format!("{name}: {shown:?}"));
        }
    }
    for series in plots["scaling-fit-0"]["series"].as_array().expect("series") {
        let name = text(&series["name"]);
        let fit = fit_usl(&points(scene, name), 0.95).expect("a fit");
        let [xs, ys] = ["x", "y"].map(|axis| series[axis].as_array().expect("points"));
        for (n, rate) in xs.iter().map(number).zip(ys.iter().map(number)) {
            let slowed = 1.0 + fit.sigma * (n - 1.0) + fit.kappa * n * (n - 1.0);
            let law = fit.lambda * n / slowed;
            let is_right = (rate - law).abs() <= 1e-3 * law;
            findings.expect(is_right, || format!("{name}: {rate} at {n} is not {law}"));
        }
    }
    let tables = tables(&scene.page);
    let table = tables.iter().find(|table| table.id == "usl-0").expect("the law's table");
    for row in &table.rows {
        let points = points(scene, &row[0].shown);
        let fit = fit_usl(&points, 0.95).expect("a fit");
        let shown = |value: f64, i: Interval| format!("{value:.4} ({:.4} to {:.4})", i.low, i.high);
        let peak = ((1.0 - fit.sigma) / fit.kappa).sqrt();
        let peak = if peak.is_finite() { significant(peak) } else { "none".to_owned() };
        let count = Unit::Count.show(&(points.len() as u64).into());
        let expected = [
            shown(fit.sigma, fit.sigma_interval),
            shown(fit.kappa, fit.kappa_interval),
            peak,
            count,
        ];
        for (cell, expected) in row[1..].iter().zip(&expected) {
            findings.text(&cell.shown, expected, &row[0].shown);
        }
    }
}

#[test]
fn the_points_and_the_fitted_law_follow_from_the_throughputs_of_the_result_file() {
    let mut findings = Findings::default();
    check_scaling(&sized(), &mut findings);
    findings.assert_clean(200);
    for (part, right, wrong) in
        [("id=\"usl-0\"", ">0.0", ">0.1"), ("\"scaling-0\"", "\"y\":[3", "\"y\":[4")]
    {
        let mut scene = sized();
        let at = scene.page.rfind(part).expect("the part");
        let (before, after) = scene.page.split_at(at);
        assert!(after.contains(right), "{part} has no {right}");
        scene.page = format!("{before}{}", after.replacen(right, wrong, 1));
        let mut findings = Findings::default();
        check_scaling(&scene, &mut findings);
        assert!(!findings.is_clean(), "{wrong} for {right} in {part} goes unseen");
    }
}
