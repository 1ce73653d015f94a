//! The A/A noise of a host: how far two arms of one build lie apart.
//!
//! Neighbouring samples form pairs, each pair is dealt to the arms by a seeded coin, and the medians of
//! the arms are compared: as an interleaved comparison with itself would. The 95th percentile over many
//! such deals is the noise; a change that is smaller cannot be told from none on this host.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use thiserror::Error;

use super::day::Day;
use crate::columns::Direction;
use crate::compare::{Cell, Lane, Noise, NoiseRow, Policy, Table, matches_glob};
use crate::stats::{median, quantile};

const DEALS: usize = 999;
const FEWEST_SAMPLES: usize = 20;

/// Why there is no calibration.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// Nothing measured.
    #[error("the results hold no measured run: record some with `run --backend native`")]
    NothingMeasured,
    /// Too few samples.
    #[error("{cell}: {found} samples, a calibration needs {FEWEST_SAMPLES}: record more")]
    TooFew {
        /// The cell.
        cell: String,
        /// Its samples.
        found: usize,
    },
}

/// Noise of each measured metric that `policy` tests. Samples must be in the order of recording.
///
/// # Errors
/// [`CalibrateError`] when nothing was measured or a cell has too few samples.
pub fn calibrate(table: &Table, policy: &Policy, day: Day) -> Result<Noise, CalibrateError> {
    let measured = table.cells.iter().filter(|(_, cell)| cell.lane == Lane::Measured);
    let mut rows = Vec::new();
    for (label, cell) in measured {
        if cell.samples.len() < FEWEST_SAMPLES {
            let found = cell.samples.len();
            return Err(CalibrateError::TooFew { cell: label.clone(), found });
        }
        rows.extend(noise_of_cell(label, cell, policy));
    }
    if rows.is_empty() {
        return Err(CalibrateError::NothingMeasured);
    }
    Ok(Noise { host: table.host.clone(), day: day.to_string(), rows })
}

fn noise_of_cell(label: &str, cell: &Cell, policy: &Policy) -> Vec<NoiseRow> {
    let mut by_metric: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let names: BTreeSet<&String> = cell.samples.iter().flat_map(|s| s.metrics.keys()).collect();
    let tested = names.into_iter().filter(|metric| {
        cell.direction(metric) != Direction::Neutral
            && policy.measured_metrics.iter().any(|pattern| matches_glob(pattern, metric))
    });
    for metric in tested {
        let values = cell.samples.iter().filter_map(|sample| sample.metrics.get(metric).copied());
        by_metric.insert(metric, values.collect());
    }
    let rows = by_metric.into_iter().filter_map(|(metric, values)| {
        Some(NoiseRow {
            cell: label.to_owned(),
            metric: metric.to_owned(),
            samples: values.len(),
            noise_percent: 100.0 * aa_change(&values)?,
        })
    });
    rows.collect()
}

/// 95th percentile of max(ratio, 1 / ratio) - 1 over seeded deals.
fn aa_change(samples: &[f64]) -> Option<f64> {
    let mut rng = Pcg64::seed_from_u64(samples.len() as u64);
    let changes: Vec<f64> = (0..DEALS)
        .filter_map(|_| {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for pair in samples.chunks_exact(2) {
                let heads = rng.next_u64() >> 63 == 1;
                a.push(pair[usize::from(heads)]);
                b.push(pair[usize::from(!heads)]);
            }
            let (a, b) = (median(&a)?, median(&b)?);
            (a > 0.0 && b > 0.0).then(|| (a / b).max(b / a) - 1.0)
        })
        .collect();
    quantile(&changes, 0.95)
}
