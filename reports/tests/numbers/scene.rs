//! A result with its page, and what the checks read from the result.

use std::path::Path;

use pamt_reports::html::{Input, read_all, render};
use pamt_reports::schema::Document;
use serde_json::Value;

use crate::fixture;

/// The made-up result, and a real one.
pub(crate) fn inputs() -> Vec<Input> {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/result_v1.json");
    let (mut inputs, skipped) = read_all(&[real]);
    assert!(skipped.is_empty(), "{skipped:?}");
    inputs.push(Input { name: "made-up.json".into(), document: fixture::document() });
    inputs
}

/// A result with its page. Each strategy has one run in an experiment.
pub(crate) struct Scene {
    pub(crate) json: Value,
    pub(crate) page: String,
    pub(crate) document: Document,
}

impl Scene {
    pub(crate) fn of(input: Input) -> Self {
        let json = serde_json::from_str(&input.document.to_json()).expect("own JSON");
        let document = input.document.clone();
        Self { json, page: render(&[input], &[]), document }
    }

    pub(crate) fn runs(&self) -> &[Value] {
        self.json["runs"].as_array().expect("runs")
    }

    /// Workloads in order of their first run: what `s0`, `s1`, ... stand for.
    pub(crate) fn workloads(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for run in self.runs() {
            let name = text(&run["experiment"]["workload"]);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The workload of the experiment whose part of the page begins with `s0-`.
    pub(crate) fn workload(&self, id: &str) -> &str {
        let scenario: usize = id[1..].split('-').next().and_then(|n| n.parse().ok()).expect("s0-");
        self.workloads()[scenario]
    }

    /// Index of a strategy's run in the experiment whose part of the page begins with `s0-`.
    pub(crate) fn index(&self, id: &str, strategy: &str) -> usize {
        let workload = self.workload(id);
        let found = self.runs().iter().position(|run| {
            let e = &run["experiment"];
            e["strategy"] == strategy && e["workload"] == workload
        });
        found.unwrap_or_else(|| panic!("no {strategy} in {id}"))
    }

    pub(crate) fn result(&self, id: &str, strategy: &str) -> &Value {
        &self.runs()[self.index(id, strategy)]["result"]
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Equal to the five digits that a computed figure has.
pub(crate) fn assert_close(shown: f64, expected: f64, of: &str) {
    let error = (shown - expected).abs();
    assert!(error <= 1e-4 * expected.abs() + 1e-9, "{of}: {shown} is not {expected}");
}

/// Self times of the spans that `choose` names, summed by that name.
pub(crate) fn sum(result: &Value, choose: impl Fn(&[&str]) -> bool) -> f64 {
    let spans = result["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen = spans.iter().filter(|span| {
        let path: Vec<&str> = span["path"].as_array().expect("a path").iter().map(text).collect();
        choose(&path)
    });
    // Not `sum`, which makes -0 of nothing.
    chosen.map(|span| number(&span["self_ns"])).fold(0.0, |all, ns| all + ns)
}
