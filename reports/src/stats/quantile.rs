//! Quantiles, the order-statistic interval of a median, and the geometric mean.

use super::{Interval, sorted};

/// The `q` quantile (0 to 1) with linear interpolation between order statistics (numpy's default,
/// type 7 of Hyndman and Fan). `None` without samples.
#[must_use]
pub fn quantile(samples: &[f64], q: f64) -> Option<f64> {
    let sorted = sorted(samples);
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

/// The median; of an even number of samples the mean of the middle two.
#[must_use]
pub fn median(samples: &[f64]) -> Option<f64> {
    quantile(samples, 0.5)
}

/// The interval between two order statistics that covers the population's median with at least this
/// confidence, whatever the distribution: the number of samples below the median is binomial(n, 1/2).
///
/// `None` when no pair of order statistics is far enough apart (fewer than 6 samples at 95 %).
#[must_use]
pub fn median_interval(samples: &[f64], confidence: f64) -> Option<Interval> {
    let sorted = sorted(samples);
    let below = order_statistic(sorted.len(), (1.0 - confidence) / 2.0)?;
    Some(Interval { low: sorted[below], high: sorted[sorted.len() - 1 - below] })
}

/// Largest 0-based k with P(binomial(n, 1/2) <= k) <= `tail`.
fn order_statistic(n: usize, tail: f64) -> Option<usize> {
    let mut log_term = -(n as f64) * core::f64::consts::LN_2;
    let mut cumulated = 0.0;
    let mut found = None;
    for k in 0..n.div_ceil(2) {
        cumulated += log_term.exp();
        if cumulated > tail {
            break;
        }
        found = Some(k);
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    found
}

/// The geometric mean of values above 0; `None` without values or when one is not above 0.
#[must_use]
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|v| *v <= 0.0 || !v.is_finite()) {
        return None;
    }
    Some((values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_interval_at_95_percent_needs_six_samples() {
        assert_eq!(median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95), None);
        let six = median_interval(&[6.0, 1.0, 2.0, 3.0, 4.0, 5.0], 0.95);
        assert_eq!(six, Some(Interval { low: 1.0, high: 6.0 }));
    }

    #[test]
    fn a_geometric_mean_refuses_zero() {
        assert_eq!(geometric_mean(&[2.0, 8.0]), Some(4.0));
        assert_eq!(geometric_mean(&[2.0, 0.0]), None);
        assert_eq!(geometric_mean(&[]), None);
    }
}
