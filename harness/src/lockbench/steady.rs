//! When a run by time has become steady, and how steady it was.
//!
//! The run is cut into windows. The start that is left out is the one that MSER chooses (White, Cobb and
//! Spratt, "A comparison of five steady-state truncation heuristics for simulation", WSC 2000): of all
//! cuts, that after which the standard error of the mean is least. A trend makes the error large, so it is
//! cut off; noise does not, so it stays.

use pamt_reports::stats::quantile;

/// Windows of a run by time, warm-up included.
pub(super) const WINDOWS: usize = 40;
/// Most windows that may be left out at the start.
pub(super) const WARM_UP_MOST: usize = 8;

/// Number of windows at the start to leave out.
pub(super) fn warm_up(counts: &[f64]) -> usize {
    let most = WARM_UP_MOST.min(counts.len() / 2);
    let error = |cut: &usize| {
        let rest = &counts[*cut..];
        let n = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / n;
        rest.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (n * n)
    };
    (0..=most).min_by(|a, b| error(a).total_cmp(&error(b))).unwrap_or(0)
}

/// From the slowest tenth of the windows to the fastest, over the median; none of none.
pub(super) fn spread(counts: &[f64]) -> Option<f64> {
    let middle = quantile(counts, 0.5).filter(|middle| *middle > 0.0)?;
    Some((quantile(counts, 0.9)? - quantile(counts, 0.1)?) / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_at_the_start_is_cut_off_and_noise_is_not() {
        let ramp = [20.0, 60.0, 90.0].into_iter().chain([100.0; 27]);
        assert_eq!(warm_up(&ramp.collect::<Vec<_>>()), 3);
        let noise: Vec<f64> = (0..30).map(|w| if w % 2 == 0 { 95.0 } else { 105.0 }).collect();
        assert!(warm_up(&noise) <= 1);
        assert_eq!(warm_up(&[]), 0);
    }

    #[test]
    fn no_more_is_cut_off_than_a_run_is_longer_for() {
        let rising: Vec<f64> = (0..40).map(f64::from).collect();
        assert_eq!(warm_up(&rising), WARM_UP_MOST);
    }

    #[test]
    fn spread_is_relative_to_the_median() {
        let counts: Vec<f64> = (0..11).map(|w| 95.0 + f64::from(w)).collect();
        assert!((spread(&counts).expect("windows") - 8.0 / 100.0).abs() < 1e-12);
        assert_eq!(spread(&[0.0, 0.0]), None);
    }
}
