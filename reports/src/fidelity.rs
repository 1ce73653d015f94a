//! How far the model is from curves that others measured.
//!
//! The *error* of a point is modelled over measured, less one. Its *distance outside* is 0 between the
//! fastest and the slowest measured run, else how far it lies beyond the nearer of the two, over the
//! median run. *Skill* over a baseline is one less the ratio of the median absolute errors: 0 when the
//! model is no better, negative when it is worse.

use crate::schema::{FidelityCurve, FidelityDocument, FidelityPoint};
use crate::stats::{median, quantile};

impl FidelityPoint {
    /// Signed error.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.modelled_ns / self.truth_ns - 1.0
    }

    /// Distance outside of the runs.
    #[must_use]
    pub fn outside(&self) -> f64 {
        let beyond = (self.min_ns - self.modelled_ns).max(self.modelled_ns - self.max_ns);
        beyond.max(0.0) / self.truth_ns
    }
}

/// Summary of a set of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// How many.
    pub points: usize,
    /// Median of the signed error.
    pub signed_median: f64,
    /// Median of the absolute error.
    pub median: f64,
    /// 90 % of the absolute errors are below.
    pub p90: f64,
    /// Greatest absolute error.
    pub worst: f64,
    /// Median distance outside of the runs.
    pub outside: f64,
}

impl Score {
    /// Of these points; `None` of none.
    #[must_use]
    pub fn of<'a>(points: impl Iterator<Item = &'a FidelityPoint>) -> Option<Self> {
        let points: Vec<&FidelityPoint> = points.collect();
        let signed: Vec<f64> = points.iter().map(|point| point.error()).collect();
        let absolute: Vec<f64> = signed.iter().map(|error| error.abs()).collect();
        let outside: Vec<f64> = points.iter().map(|point| point.outside()).collect();
        Some(Self {
            points: points.len(),
            signed_median: median(&signed)?,
            median: median(&absolute)?,
            p90: quantile(&absolute, 0.9)?,
            worst: absolute.iter().copied().fold(0.0, f64::max),
            outside: median(&outside)?,
        })
    }
}

/// Skill of the model over a baseline, on the unseen points of `curves` for which there is one.
#[must_use]
pub fn skill<'a>(
    curves: impl Iterator<Item = &'a FidelityCurve>,
    baseline: fn(&FidelityPoint) -> Option<f64>,
) -> Option<Skill> {
    let points = curves.flat_map(|curve| &curve.points).filter(|point| !point.fitted);
    let pairs: Vec<(f64, f64)> = points
        .filter_map(|point| {
            let theirs = baseline(point)? / point.truth_ns - 1.0;
            Some((point.error().abs(), theirs.abs()))
        })
        .collect();
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let median = median(&theirs)?;
    let p90 = quantile(&theirs, 0.9)?;
    Some(Skill { median, p90, skill: 1.0 - crate::stats::median(&ours)? / median })
}

/// A baseline's errors, and the model's skill over it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// Median absolute error of the baseline.
    pub median: f64,
    /// 90 % of its absolute errors are below.
    pub p90: f64,
    /// One less the model's median over the baseline's.
    pub skill: f64,
}

impl FidelityDocument {
    /// Unseen points of all curves that count.
    pub fn unseen(&self) -> impl Iterator<Item = &FidelityPoint> {
        let counting = self.curves.iter().filter(|curve| curve.counts);
        counting.flat_map(|curve| &curve.points).filter(|point| !point.fitted)
    }

    /// Locks, in the order of their first curves.
    #[must_use]
    pub fn locks(&self) -> Vec<&str> {
        let mut locks: Vec<&str> = Vec::new();
        for curve in &self.curves {
            if !locks.contains(&curve.lock.as_str()) {
                locks.push(&curve.lock);
            }
        }
        locks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(modelled_ns: f64, fitted: bool) -> FidelityPoint {
        FidelityPoint {
            birth_death_ns: Some(120.0),
            fitted,
            fixed_point_ns: None,
            max_ns: 110.0,
            min_ns: 95.0,
            modelled_ns,
            threads: 2,
            truth_ns: 100.0,
        }
    }

    #[test]
    fn a_point_between_the_runs_is_not_outside_whatever_its_error() {
        assert_eq!(point(105.0, false).outside(), 0.0);
        assert!((point(105.0, false).error() - 0.05).abs() < 1e-12);
        assert!((point(90.0, false).outside() - 0.05).abs() < 1e-12);
        assert!((point(120.0, false).outside() - 0.10).abs() < 1e-12);
    }

    #[test]
    fn a_score_keeps_signs_apart_from_sizes() {
        let points = [point(90.0, false), point(90.0, false), point(130.0, false)];
        let score = Score::of(points.iter()).expect("points");
        assert!((score.signed_median + 0.1).abs() < 1e-12 && (score.worst - 0.3).abs() < 1e-12);
        assert_eq!(Score::of([].iter()), None);
    }

    #[test]
    fn skill_compares_unseen_points_only_and_those_that_have_the_baseline() {
        let curve = FidelityCurve {
            counts: true,
            critical_ns: 0.0,
            host: "h".into(),
            lock: "tas".into(),
            machine: "m".into(),
            parallel_ns: 0.0,
            points: vec![point(105.0, false), point(200.0, true)],
        };
        let over = skill([&curve].into_iter(), |point| point.birth_death_ns).expect("one point");
        assert!((over.median - 0.2).abs() < 1e-12 && (over.skill - 0.75).abs() < 1e-12);
        assert_eq!(skill([&curve].into_iter(), |point| point.fixed_point_ns), None);
    }
}
