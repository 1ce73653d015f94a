//! Measured metrics: medians, and a verdict only where test and interval agree.
//!
//! A metric has changed when the adjusted p of the U test is below the family's level *and* the
//! interval of the ratio lies wholly beyond the margin. When the interval lies wholly within the margin
//! nothing has changed; otherwise the difference, if there is one, is within the noise.

use std::collections::BTreeSet;

use super::metric::hash;
use super::pairing::Pair;
use super::policy::Policy;
use super::row::{Row, Verdict};
use crate::columns::Direction;
use crate::stats::{
    holm, least_samples, mann_whitney, median, ratio_of_medians, smallest_detectable_ratio,
};

struct Test<'a> {
    pair: &'a Pair<'a>,
    metric: &'a str,
    before: Vec<f64>,
    after: Vec<f64>,
    p: f64,
}

/// Rows of all measured cells: they form one family of tests.
pub(super) fn rows(pairs: &[&Pair<'_>], policy: &Policy) -> Vec<Row> {
    let tests: Vec<Test<'_>> = pairs.iter().flat_map(|pair| tests(pair, policy)).collect();
    let adjusted = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
    let family = tests.len();
    tests.iter().zip(adjusted).map(|(test, p)| row(test, p, family, policy)).collect()
}

fn tests<'a>(pair: &'a Pair<'a>, policy: &Policy) -> Vec<Test<'a>> {
    let samples = pair.before.iter().chain(&pair.after);
    let metrics: BTreeSet<&str> =
        samples.flat_map(|sample| sample.metrics.keys()).map(String::as_str).collect();
    let measured = |samples: &[&super::Sample], metric: &str| -> Vec<f64> {
        samples.iter().filter_map(|sample| sample.metrics.get(metric).copied()).collect()
    };
    let tested = metrics
        .into_iter()
        .filter(|metric| policy.tests(metric) && pair.direction(metric) != Direction::Neutral);
    tested
        .filter_map(|metric| {
            let before = measured(&pair.before, metric);
            let after = measured(&pair.after, metric);
            let p = mann_whitney(&before, &after)?.p;
            Some(Test { pair, metric, before, after, p })
        })
        .collect()
}

fn row(test: &Test<'_>, p: f64, family: usize, policy: &Policy) -> Row {
    let (cell, metric, lane) = (test.pair.cell, test.metric, test.pair.lane);
    let mut row = Row::of_metric(cell, metric, lane, Verdict::Unchanged, String::new());
    row.direction = test.pair.direction(metric);
    row.samples = [test.before.len(), test.after.len()];
    row.before = median(&test.before);
    row.after = median(&test.after);
    row.p_adjusted = Some(p);
    row.margin_percent = policy.margin_percent(cell, metric, lane);
    row.ratio_interval =
        ratio_of_medians(&test.before, &test.after, policy.confidence, seed_of(cell, metric));
    row.detectable_percent = row.ratio_interval.filter(|i| i.low > 0.0).map(|interval| {
        row.margin_percent + 100.0 * (smallest_detectable_ratio(interval, policy.confidence) - 1.0)
    });
    let least = least_samples(policy.alpha, family);
    (row.verdict, row.reason) = judge(&row, least, policy, hard_passed(&row, policy));
    row
}

fn hard_passed(row: &Row, policy: &Policy) -> Option<f64> {
    let hard = policy.hard(&row.cell, &row.metric)?;
    let after = row.after?;
    let passed = match row.direction {
        Direction::Higher => after < hard,
        Direction::Lower | Direction::Neutral => after > hard,
    };
    passed.then_some(hard)
}

fn judge(row: &Row, least: usize, policy: &Policy, hard: Option<f64>) -> (Verdict, String) {
    if let Some(hard) = hard {
        return (Verdict::Regressed, format!("the median passes the hard limit {hard}"));
    }
    if row.samples.iter().any(|n| *n < least) {
        let [before, after] = row.samples;
        let reason = format!("needs n >= {least} a side, has {before} and {after}");
        return (Verdict::Inconclusive, reason);
    }
    if row.before == row.after && row.ratio_interval.is_none() {
        return (Verdict::Unchanged, "the medians are equal".to_owned());
    }
    let Some(interval) = row.ratio_interval else {
        return (Verdict::Inconclusive, "a sample is not above 0: no ratio".to_owned());
    };
    let margin = row.margin_percent / 100.0;
    let p = row.p_adjusted.unwrap_or(1.0);
    let (above, below) = (interval.low > 1.0 + margin, interval.high < 1.0 / (1.0 + margin));
    let within = interval.low >= 1.0 / (1.0 + margin) && interval.high <= 1.0 + margin;
    let percents = format!(
        "ratio {:+.1} % to {:+.1} %, p {p:.2e}, margin {:.1} %",
        100.0 * (interval.low - 1.0),
        100.0 * (interval.high - 1.0),
        row.margin_percent
    );
    let verdict = match (p < policy.alpha, row.direction) {
        _ if within => Verdict::Unchanged,
        (true, Direction::Lower) if above => Verdict::Regressed,
        (true, Direction::Higher) if below => Verdict::Regressed,
        (true, _) if above || below => Verdict::Improved,
        _ => Verdict::WithinNoise,
    };
    (verdict, percents)
}

/// The bootstrap's seed: of the names, so that a verdict never depends on what else is compared.
fn seed_of(cell: &str, metric: &str) -> u64 {
    hash(cell.bytes().chain([0]).chain(metric.bytes()))
}
