//! How often a native comparison of a build with itself raises an alarm, on recorded samples.
//!
//! The fixture holds 4,000 native runs of one build on a busy virtual machine. Each 20 of them, dealt as
//! `pamt-bench ab` deals its pairs (ABBA), are one A/A comparison of 10 pairs: 200 comparisons. The same,
//! live and for another host: `pamt-bench ab --pairs 10 -- RUN ARGUMENTS`.

use std::collections::BTreeMap;
use std::path::Path;

use pamt_reports::columns::Direction;
use pamt_reports::compare::{Cell, Lane, Policy, Sample, Table, Verdict, compare, direction};
use pamt_reports::gate::{Day, calibrate};
use serde::Deserialize;

const COMPARISONS: usize = 200;
const PAIRS: usize = 10;

#[derive(Deserialize)]
struct Recorded {
    metrics: Vec<String>,
    runs: Vec<Vec<f64>>,
}

impl Recorded {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/native_aa.json");
        let text = std::fs::read_to_string(path).expect("the fixture");
        serde_json::from_str(&text).expect("its form")
    }

    fn sample(&self, run: usize) -> Sample {
        let metrics = self.metrics.iter().cloned().zip(self.runs[run].iter().copied()).collect();
        Sample { seed: 1, run: 0, parts: BTreeMap::new(), metrics }
    }

    /// Both sides of a comparison; every second pair was run in the other order.
    fn sides(&self, comparison: usize) -> [Vec<Sample>; 2] {
        let first = comparison * 2 * PAIRS;
        let side = |which: usize| {
            let run = |pair: usize| first + 2 * pair + (which + pair) % 2;
            (0..PAIRS).map(|pair| self.sample(run(pair))).collect()
        };
        [side(0), side(1)]
    }
}

fn table(samples: Vec<Sample>) -> Table {
    let (identity, directions) = (BTreeMap::new(), BTreeMap::new());
    let cell = Cell { lane: Lane::Measured, identity, directions, samples };
    let mut table = Table::default();
    table.cells.insert("native".to_owned(), cell);
    table
}

/// Verdicts of a comparison, with the second side changed by `change`.
fn verdicts(
    recorded: &Recorded,
    comparison: usize,
    policy: &Policy,
    change: impl Fn(&mut Sample),
) -> Vec<Verdict> {
    let [before, mut after] = recorded.sides(comparison);
    after.iter_mut().for_each(change);
    let compared = compare(&table(before), &table(after), policy);
    compared.rows.iter().map(|row| row.verdict).collect()
}

fn alarms(recorded: &Recorded, policy: &Policy) -> usize {
    let alarm = |verdict: &Verdict| matches!(verdict, Verdict::Regressed | Verdict::Improved);
    let raised = |n: &usize| verdicts(recorded, *n, policy, |_| ()).iter().any(alarm);
    (0..COMPARISONS).filter(raised).count()
}

fn calibrated(recorded: &Recorded) -> Policy {
    let all = (0..recorded.runs.len()).map(|run| recorded.sample(run)).collect();
    let policy = Policy::default();
    let day = Day::parse("2026-11-22").expect("a day");
    let noise = calibrate(&table(all), &policy, day).expect("enough samples");
    Policy { noise: Some(noise), ..policy }
}

#[test]
fn two_hundred_native_comparisons_with_themselves_raise_at_most_four_alarms() {
    let found = alarms(&Recorded::read(), &Policy::default());
    assert!(found <= 4, "{found} alarms in {COMPARISONS} comparisons");
}

#[test]
fn with_a_calibration_they_raise_none() {
    let recorded = Recorded::read();
    assert_eq!(alarms(&recorded, &calibrated(&recorded)), 0);
}

#[test]
fn a_native_slowdown_by_half_is_found_each_time() {
    let recorded = Recorded::read();
    let policy = calibrated(&recorded);
    let halved = |sample: &mut Sample| {
        for (metric, value) in &mut sample.metrics {
            match direction(metric) {
                Direction::Lower => *value *= 2.0,
                Direction::Higher => *value /= 2.0,
                Direction::Neutral => {}
            }
        }
    };
    let missed = (0..COMPARISONS)
        .filter(|n| !verdicts(&recorded, *n, &policy, halved).contains(&Verdict::Regressed));
    assert_eq!(missed.collect::<Vec<_>>(), Vec::<usize>::new());
}
