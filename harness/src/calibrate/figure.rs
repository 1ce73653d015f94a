//! A figure with its spread.

use pamt_reports::stats::quantile;

/// A figure with its spread, in the unit of its samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) p90: f64,
    pub(super) windows: Windows,
}

/// How many there are, and how many were planned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Windows {
    taken: usize,
    planned: usize,
}

impl Figure {
    /// Of these samples, which are all that were planned; none of none.
    pub(super) fn of(samples: &[f64]) -> Option<Self> {
        Self::of_planned(samples, samples.len())
    }

    /// Of these samples, of which there should be so many; none of none.
    pub(super) fn of_planned(samples: &[f64], planned: usize) -> Option<Self> {
        Some(Self {
            least: quantile(samples, 0.0)?,
            median: quantile(samples, 0.5)?,
            p90: quantile(samples, 0.9)?,
            windows: Windows { taken: samples.len(), planned },
        })
    }

    /// Without a spread: nothing was measured.
    pub(super) fn exactly(value: f64) -> Self {
        Self { least: value, median: value, p90: value, windows: Windows::default() }
    }

    /// The median one of these, from the least of all; `None` of none.
    pub(super) fn among(figures: &[Self]) -> Option<Self> {
        let medians: Vec<f64> = figures.iter().map(|figure| figure.median).collect();
        let least = figures.iter().map(|figure| figure.least).fold(f64::INFINITY, f64::min);
        let windows = Windows {
            taken: figures.iter().map(|figure| figure.windows.taken).sum(),
            planned: figures.iter().map(|figure| figure.windows.planned).sum(),
        };
        Self::of(&medians).map(|figure| Self { least, windows, ..figure })
    }

    /// Each of its parts changed alike.
    pub(super) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        let Self { least, median, p90, windows } = self;
        Self { least: change(least), median: change(median), p90: change(p90), windows }
    }

    /// How many windows of how many, where time ran out.
    pub(super) fn cut(&self) -> Option<String> {
        let Windows { taken, planned } = self.windows;
        (taken < planned).then(|| format!("{taken} of {planned} windows"))
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
        assert_eq!((figure.least, figure.median, figure.cut()), (50.0, 50.0, None));
        assert_eq!(Figure::of(&[]), None);
    }

    #[test]
    fn windows_that_one_pair_lacks_are_missed_in_the_figure_of_all() {
        let pairs = [[10.0; 4].as_slice(), &[30.0], &[20.0; 4]];
        let figures = pairs.map(|samples| Figure::of_planned(samples, 4).expect("samples"));
        let all = Figure::among(&figures).expect("pairs");
        assert_eq!((all.least, all.median), (10.0, 20.0));
        assert_eq!(all.cut(), Some("9 of 12 windows".into()));
    }
}
