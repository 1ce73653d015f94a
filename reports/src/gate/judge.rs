//! From a comparison to an exit code.

use super::day::Day;
use super::file::{GateFile, Gated};
use super::outcome::{GateRow, Outcome};
use crate::compare::{Lane, Noise, Row, Table, Verdict, compare};
use crate::exit::Exit;

const CALIBRATION_DAYS: u32 = 30;

/// What a gate looks at.
pub struct Inputs<'a> {
    /// The baseline.
    pub before: &'a Table,
    /// What is to be judged.
    pub after: &'a Table,
    /// The rules.
    pub file: &'a GateFile,
    /// The host's calibration, if there is one.
    pub noise: Option<Noise>,
    /// Today, for what expires.
    pub today: Day,
    /// Inconclusive rows fail.
    pub strict: bool,
}

/// Judges; the exit code is in the outcome.
#[must_use]
pub fn gate(inputs: &Inputs<'_>) -> (Outcome, Exit) {
    let mut notes = Vec::new();
    let measured = inputs.after.cells.values().any(|cell| cell.lane == Lane::Measured);
    let calibration = usable_noise(inputs).map(Some).unwrap_or_else(|problem| {
        if measured {
            notes.push(format!("Measured metrics are advisory: {problem}."));
        }
        None
    });
    let mut policy = inputs.file.policy();
    let advisory = calibration.is_none();
    policy.noise = calibration;
    let comparison = compare(inputs.before, inputs.after, &policy);
    let mut used = vec![false; inputs.file.expect.len()];
    let rows: Vec<GateRow> =
        comparison.rows.iter().map(|row| judge_row(row, inputs, advisory, &mut used)).collect();
    let stale = stale_expectations(inputs, &used);
    let exit = if comparison.rows.is_empty() {
        Exit::NothingToCompare
    } else {
        exit_of(&rows, !stale.is_empty(), inputs.strict)
    };
    notes.extend(stale);
    (Outcome::new(&comparison, rows, notes, exit), exit)
}

fn judge_row(row: &Row, inputs: &Inputs<'_>, advisory: bool, used: &mut [bool]) -> GateRow {
    let any_change = inputs.file.fail_on == Gated::AnyChange && row.lane == Lane::Modelled;
    let bad = match row.verdict {
        Verdict::Nondeterministic
        | Verdict::Regressed
        | Verdict::Incomparable
        | Verdict::Missing => true,
        Verdict::Changed | Verdict::Improved | Verdict::New => any_change,
        Verdict::Inconclusive => inputs.strict,
        Verdict::WithinNoise | Verdict::Unchanged => false,
    };
    let mut expected = None;
    for (expectation, used) in inputs.file.expect.iter().zip(used) {
        if !expectation.expired(inputs.today) && expectation.covers(row) {
            *used = true;
            expected = Some(expectation.reason.clone());
        }
    }
    let advisory = advisory && row.lane == Lane::Measured && bad;
    GateRow {
        row: row.clone(),
        failing: bad && expected.is_none() && !advisory,
        advisory,
        expected,
    }
}

fn stale_expectations(inputs: &Inputs<'_>, used: &[bool]) -> Vec<String> {
    let stale = inputs.file.expect.iter().zip(used).filter(|(_, used)| !**used);
    stale
        .map(|(expectation, _)| {
            let what = format!("{:?} {:?}", expectation.cell, expectation.metric);
            if expectation.expired(inputs.today) {
                format!("The expectation of {what} expired on {}: remove it.", expectation.expires)
            } else {
                format!("The expectation of {what} is not used by any row: remove it.")
            }
        })
        .collect()
}

/// The gravest failing row decides.
fn exit_of(rows: &[GateRow], stale: bool, strict: bool) -> Exit {
    let worst = rows.iter().filter(|row| row.failing).map(|row| row.row.verdict).min();
    match worst {
        Some(Verdict::Nondeterministic) => Exit::Nondeterminism,
        Some(Verdict::Regressed | Verdict::Changed | Verdict::Improved) => Exit::Regression,
        Some(Verdict::Incomparable) => Exit::Incomparable,
        Some(Verdict::Missing) => Exit::Partial,
        Some(Verdict::New) => Exit::NoBaseline,
        _ if stale => Exit::BadGateFile,
        Some(Verdict::Inconclusive) if strict => Exit::Inconclusive,
        _ => Exit::Passed,
    }
}

/// The calibration, or why it does not count.
fn usable_noise(inputs: &Inputs<'_>) -> Result<Noise, String> {
    let noise = inputs.noise.as_ref().ok_or("this host is not calibrated (`gate calibrate`)")?;
    let days = i64::from(inputs.file.calibration_days.unwrap_or(CALIBRATION_DAYS));
    let age = Day::parse(&noise.day).map(|day| inputs.today.0 - day.0);
    if !age.is_some_and(|age| (0..=days).contains(&age)) {
        return Err(format!("the calibration of {:?} is not of the last {days} days", noise.day));
    }
    let host = &inputs.after.host;
    match noise.host.iter().find(|(name, value)| host.get(*name) != Some(*value)) {
        None => Ok(noise.clone()),
        Some((name, value)) => Err(format!("the calibration is of a host with {name} {value:?}")),
    }
}
