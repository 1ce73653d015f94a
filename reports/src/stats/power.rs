//! What a sample can and cannot tell: the fewest samples for a verdict, the smallest change it can find.

use statrs::distribution::{ContinuousCDF, Normal};

use super::Interval;

/// The chance to find a change of the size that [`smallest_detectable_ratio`] names.
const POWER: f64 = 0.8;

/// Fewest samples an arm with which a U test of two arms of that size can reach `alpha` at all in a
/// Holm family of `family` tests: the most extreme outcome has p = 2 / C(2n, n).
#[must_use]
pub fn least_samples(alpha: f64, family: usize) -> usize {
    let goal = alpha / family.max(1) as f64;
    let mut choices = 1.0_f64;
    (1..)
        .find(|n| {
            let n = *n as f64;
            choices *= 2.0 * (2.0 * n - 1.0) / n;
            2.0 / choices <= goal
        })
        .unwrap_or(usize::MAX)
}

/// The ratio above 1 that arms like these would show as a change in four of five tries, given the
/// interval of their ratio at `confidence`: normal theory on the logarithms.
#[must_use]
pub fn smallest_detectable_ratio(ratio: Interval, confidence: f64) -> f64 {
    let normal = Normal::standard();
    let z = normal.inverse_cdf(0.5 + confidence / 2.0);
    let error = (ratio.high / ratio.low).ln() / (2.0 * z);
    ((z + normal.inverse_cdf(POWER)) * error).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_samples_an_arm_are_the_least_for_five_percent() {
        assert_eq!(least_samples(0.05, 1), 4);
        assert_eq!(least_samples(0.01, 1), 5);
        assert!(least_samples(0.01, 100) > 5);
    }

    #[test]
    fn a_narrow_interval_detects_smaller_changes() {
        let narrow = smallest_detectable_ratio(Interval { low: 0.99, high: 1.01 }, 0.99);
        let wide = smallest_detectable_ratio(Interval { low: 0.8, high: 1.25 }, 0.99);
        assert!(1.0 < narrow && narrow < 1.02, "{narrow}");
        assert!(wide > 1.25, "{wide}");
    }
}
