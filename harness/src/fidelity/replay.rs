//! The benchmark at each published point, and the baselines beside it.

use std::collections::BTreeMap;

use pamt_reports::schema::{FidelityCurve, FidelityPoint};
use pamt_reports::stats::median;
use pamt_sim::machine::Profile;
use pamt_strategies::locks::LockKindId;
use rayon::prelude::*;

use super::baselines::{Law, Setting};
use super::rows::PublishedRow;
use crate::lockbench::{Length, LockBench, LockRunError, PinOrder, Stop, Subject, run_simulated};

/// Locks whose unseen rows make the claim. The CAS-loop counter and osq, whose algorithm is not
/// documented well enough, are shown apart.
const COUNTING: [LockKindId; 4] =
    [LockKindId::Tas, LockKindId::Ticket, LockKindId::QSpinLock, LockKindId::Refcount];

/// What the rows are evidence of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Published curves: a profile may have been fitted on the simple ones, and some locks count.
    Published,
    /// Curves of a host whose profile was fitted on none: all of them count. The baselines, whose laws
    /// are another host's, say nothing of it.
    AllUnseen,
}

/// Choices of a replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Acquisitions of each thread.
    pub acquires: u64,
    /// Order of CPUs on the host.
    pub pin: PinOrder,
    /// First seed.
    pub seed: u64,
    /// Runs, each with the next seed, of which the median counts, as in the published rows: a queue lock
    /// freezes the order in which its threads began.
    pub runs: u64,
    /// What the rows are evidence of.
    pub claim: Claim,
}

/// Runs the benchmark with `profile` at every row (all of one host) and sorts the points into curves.
///
/// # Errors
/// A row has more threads than the profile has CPUs.
pub fn replay(
    profile: &Profile,
    rows: &[PublishedRow],
    options: &ReplayOptions,
) -> Result<Vec<FidelityCurve>, LockRunError> {
    let points: Result<Vec<FidelityPoint>, LockRunError> =
        rows.par_iter().map(|row| point(profile, row, options)).collect();
    // Times are in whole ns in the data; bits order as the numbers do.
    let mut curves: BTreeMap<(LockKindId, u64, u64), FidelityCurve> = BTreeMap::new();
    for (row, point) in rows.iter().zip(points?) {
        let key = (row.lock, row.critical_ns.to_bits(), row.parallel_ns.to_bits());
        let empty = || FidelityCurve {
            counts: options.claim == Claim::AllUnseen || COUNTING.contains(&row.lock),
            critical_ns: row.critical_ns,
            host: row.host.clone(),
            lock: row.lock.info().name.to_owned(),
            machine: profile.name().to_owned(),
            parallel_ns: row.parallel_ns,
            points: Vec::new(),
        };
        curves.entry(key).or_insert_with(empty).points.push(point);
    }
    let mut curves: Vec<FidelityCurve> = curves.into_values().collect();
    for curve in &mut curves {
        curve.points.sort_by_key(|point| point.threads);
    }
    Ok(curves)
}

/// Median over the runs.
fn modelled(
    profile: &Profile,
    bench: &LockBench,
    options: &ReplayOptions,
) -> Result<f64, LockRunError> {
    let times: Vec<f64> = (0..options.runs.max(1))
        .map(|run| {
            let bench = LockBench { seed: options.seed.wrapping_add(run), ..bench.clone() };
            Ok(run_simulated(profile, &bench)?.ns_per_acquire)
        })
        .collect::<Result<_, LockRunError>>()?;
    Ok(median(&times).unwrap_or(f64::NAN))
}

fn point(
    profile: &Profile,
    row: &PublishedRow,
    options: &ReplayOptions,
) -> Result<FidelityPoint, LockRunError> {
    let bench = LockBench {
        critical: Length::Constant(row.critical_ns),
        parallel: Length::Constant(row.parallel_ns),
        stop: Stop::Acquires(options.acquires),
        pin: options.pin.clone(),
        ..LockBench::new(Subject::Own(row.lock), row.threads)
    };
    let law = Law::of(row.lock).filter(|_| options.claim == Claim::Published);
    let setting = Setting {
        critical_ns: row.critical_ns,
        parallel_ns: row.parallel_ns,
        threads: row.threads,
    };
    Ok(FidelityPoint {
        birth_death_ns: law.and_then(|law| law.birth_death(setting)),
        fitted: options.claim == Claim::Published && row.may_be_fitted(),
        fixed_point_ns: law.map(|law| law.fixed_point(setting)),
        max_ns: row.max_ns,
        min_ns: row.min_ns,
        modelled_ns: modelled(profile, &bench, options)?,
        threads: row.threads as u64,
        truth_ns: row.ns,
    })
}
