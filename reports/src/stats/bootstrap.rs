//! Seeded percentile bootstrap of the ratio of two medians.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::{Interval, median, quantile};

const RESAMPLES: usize = 9_999;

/// The interval that holds `confidence` of the ratios median(`after`) / median(`before`) when both arms
/// are resampled with replacement. Equal arguments give equal bounds on every host.
///
/// `None` when an arm is empty or a median of `before` is not above 0.
#[must_use]
pub fn ratio_of_medians(
    before: &[f64],
    after: &[f64],
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    if before.is_empty() || after.is_empty() || before.iter().any(|x| *x <= 0.0) {
        return None;
    }
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut scratch = Vec::new();
    let ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let denominator = resampled_median(before, &mut rng, &mut scratch)?;
            Some(resampled_median(after, &mut rng, &mut scratch)? / denominator)
        })
        .collect();
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&ratios, tail)?, high: quantile(&ratios, 1.0 - tail)? })
}

fn resampled_median(samples: &[f64], rng: &mut Pcg64, scratch: &mut Vec<f64>) -> Option<f64> {
    scratch.clear();
    scratch.extend((0..samples.len()).map(|_| {
        // The high half of a 128-bit product is uniform below the length to within 2^-64.
        let index = (u128::from(rng.next_u64()) * samples.len() as u128) >> 64;
        samples[index as usize]
    }));
    median(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let (a, b) = ([1.0, 2.0, 4.0, 5.0, 9.0], [2.0, 3.0, 8.0, 8.5, 9.0]);
        assert_eq!(ratio_of_medians(&a, &b, 0.99, 7), ratio_of_medians(&a, &b, 0.99, 7));
    }

    #[test]
    fn constant_arms_give_an_interval_of_no_width() {
        let interval = ratio_of_medians(&[4.0; 10], &[6.0; 10], 0.95, 1).unwrap();
        assert_eq!(interval, Interval { low: 1.5, high: 1.5 });
    }

    #[test]
    fn bounds_fall_where_the_exact_bootstrap_distribution_puts_them() {
        // The bootstrap median of 1..=11 is at most k with probability P(binomial(11, k/11) >= 6):
        // 0.0092 at 2 and 0.0513 at 3, so the 2.5 % point is 3; by symmetry the 97.5 % point is 9.
        let samples: Vec<f64> = (1..=11).map(f64::from).collect();
        let interval = ratio_of_medians(&[1.0; 11], &samples, 0.95, 3).unwrap();
        assert_eq!(interval, Interval { low: 3.0, high: 9.0 });
    }

    #[test]
    fn a_median_of_zero_has_no_ratio() {
        assert_eq!(ratio_of_medians(&[0.0, 1.0], &[1.0, 2.0], 0.95, 1), None);
    }
}
