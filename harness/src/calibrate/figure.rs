//! A figure with its spread.

use pamt_reports::stats::quantile;

/// A figure with its spread, in the unit of its samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) p90: f64,
}

impl Figure {
    /// Of these samples; none of none.
    pub(super) fn of(samples: &[f64]) -> Option<Self> {
        Some(Self {
            least: quantile(samples, 0.0)?,
            median: quantile(samples, 0.5)?,
            p90: quantile(samples, 0.9)?,
        })
    }

    /// Each of its parts changed alike.
    pub(super) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { least: change(self.least), median: change(self.median), p90: change(self.p90) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spoilt_window_does_not_move_the_median() {
        let mut samples = vec![50.0; 9];
        samples.push(4000.0);
        let figure = Figure::of(&samples).expect("samples");
        assert_eq!((figure.least, figure.median), (50.0, 50.0));
        assert_eq!(Figure::of(&[]), None);
    }
}
