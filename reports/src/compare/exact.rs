//! Exact metrics: one sample is enough, and any difference is real.

use std::collections::BTreeSet;

use super::pairing::Pair;
use super::policy::Policy;
use super::row::{Row, Verdict, change_percent};
use super::table::Sample;
use crate::columns::Direction;

/// A row for each metric of the cell.
pub(super) fn rows(pair: &Pair<'_>, policy: &Policy) -> Vec<Row> {
    let samples = pair.before.iter().chain(&pair.after);
    let metrics: BTreeSet<&String> = samples.flat_map(|sample| sample.metrics.keys()).collect();
    metrics.into_iter().map(|metric| row(pair, metric, policy)).collect()
}

/// One seed's values of a metric.
struct Change {
    seed: u64,
    before: f64,
    after: f64,
    /// Change against the direction, in percent; below 0 when for the better.
    worse_percent: f64,
}

fn row(pair: &Pair<'_>, metric: &str, policy: &Policy) -> Row {
    let direction = pair.direction(metric);
    let both = pair.before.iter().zip(&pair.after);
    let values: Vec<(&Sample, Option<f64>, Option<f64>)> = both
        .map(|(a, b)| (*a, a.metrics.get(metric).copied(), b.metrics.get(metric).copied()))
        .collect();
    let mut row = blank(pair, metric, direction, policy);
    let present = |value: &Option<f64>| value.is_some();
    if let Some((sample, before, after)) =
        values.iter().find(|(_, before, after)| present(before) != present(after))
    {
        row.before = *before;
        row.after = *after;
        row.verdict = if before.is_some() { Verdict::Missing } else { Verdict::New };
        let side = if before.is_some() { "before" } else { "after" };
        row.reason = format!("seed {} has this metric only {side}", sample.seed);
        return row;
    }
    let changes: Vec<Change> = values
        .into_iter()
        .filter_map(|(sample, before, after)| change(sample, before?, after?, direction))
        .collect();
    judge(&mut row, &changes, policy.hard(pair.cell, metric));
    row
}

fn blank(pair: &Pair<'_>, metric: &str, direction: Direction, policy: &Policy) -> Row {
    let mut row =
        Row::of_metric(pair.cell, metric, pair.lane, Verdict::Unchanged, "equal".to_owned());
    row.direction = direction;
    row.samples = [pair.before.len(), pair.after.len()];
    row.margin_percent = policy.margin_percent(pair.cell, metric, pair.lane);
    row
}

fn change(sample: &Sample, before: f64, after: f64, direction: Direction) -> Option<Change> {
    let percent = change_percent(before, after)?;
    let worse_percent = match direction {
        Direction::Lower => percent,
        Direction::Higher => -percent,
        Direction::Neutral => percent.abs(),
    };
    Some(Change { seed: sample.seed, before, after, worse_percent })
}

fn judge(row: &mut Row, changes: &[Change], hard: Option<f64>) {
    let by_change = |a: &&Change, b: &&Change| a.worse_percent.total_cmp(&b.worse_percent);
    let (Some(worst), Some(best)) =
        (changes.iter().max_by(by_change), changes.iter().min_by(by_change))
    else {
        return;
    };
    let changed = changes.iter().filter(|change| change.before != change.after).count();
    let margin = row.margin_percent;
    let shown = if worst.worse_percent > 0.0 { worst } else { best };
    (row.before, row.after) = (Some(shown.before), Some(shown.after));
    let over = hard.filter(|hard| match row.direction {
        Direction::Higher => changes.iter().any(|change| change.after < *hard),
        _ => changes.iter().any(|change| change.after > *hard),
    });
    row.verdict = match row.direction {
        _ if over.is_some() => Verdict::Regressed,
        _ if changed == 0 => return,
        Direction::Neutral if worst.worse_percent > margin => Verdict::Changed,
        Direction::Lower | Direction::Higher if worst.worse_percent > margin => Verdict::Regressed,
        Direction::Lower | Direction::Higher if -best.worse_percent > margin => Verdict::Improved,
        _ => Verdict::WithinNoise,
    };
    row.reason = match over {
        Some(hard) => format!("passes the hard limit {hard}"),
        None if row.verdict == Verdict::WithinNoise => {
            format!("within the limit of {margin} % on {changed} of {} seeds", changes.len())
        }
        None => format!("{changed} of {} seeds; shown is seed {}", changes.len(), shown.seed),
    };
}
