//! Gunther's Universal Scalability Law, X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1)).
//!
//! N / X is linear in (1, N-1, N(N-1)), which gives the starting point; Levenberg-Marquardt then
//! minimises the squared residuals of X itself. Intervals come from the covariance at the minimum,
//! s^2 (J'J)^-1, with Student's t at n-3 degrees of freedom (as scipy's `curve_fit`).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Interval;

const PARAMETERS: usize = 3;
const MOST_STEPS: usize = 200;

type Vector = [f64; PARAMETERS];
type Matrix = [Vector; PARAMETERS];

/// A fitted law. Throughput is in the unit of the points, per thread count N.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UslFit {
    /// Throughput of one thread.
    pub lambda: f64,
    /// Contention: the serial share.
    pub sigma: f64,
    /// Coherency: the cost of each pair of threads.
    pub kappa: f64,
    /// Interval of lambda.
    pub lambda_interval: Interval,
    /// Interval of sigma.
    pub sigma_interval: Interval,
    /// Interval of kappa.
    pub kappa_interval: Interval,
    /// Standard deviation of the residuals.
    pub residual_sd: f64,
}

impl UslFit {
    /// Modelled throughput at `n` threads.
    #[must_use]
    pub fn throughput(&self, n: f64) -> f64 {
        law([self.lambda, self.sigma, self.kappa], n)
    }

    /// The thread count of highest throughput; `None` when the law has no peak above 1.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        let squared = (1.0 - self.sigma) / self.kappa;
        (self.kappa > 0.0 && squared > 1.0).then(|| squared.sqrt())
    }
}

/// Fits the law to (threads, throughput) points; intervals hold with `confidence`.
///
/// `None` when fewer than four points are given, one is not above 0, or they do not determine three
/// parameters.
#[must_use]
pub fn fit_usl(points: &[(f64, f64)], confidence: f64) -> Option<UslFit> {
    let usable = points.len() > PARAMETERS && points.iter().all(|(n, x)| *n >= 1.0 && *x > 0.0);
    if !usable {
        return None;
    }
    let parameters = descend(linear_start(points)?, points);
    let freedom = (points.len() - PARAMETERS) as f64;
    let variance = squared_error(parameters, points) / freedom;
    let (normal, _) = normal_equations(parameters, points);
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.5 + confidence / 2.0);
    let mut intervals = [Interval { low: 0.0, high: 0.0 }; PARAMETERS];
    for (i, interval) in intervals.iter_mut().enumerate() {
        let mut unit = [0.0; PARAMETERS];
        unit[i] = 1.0;
        let half = t * (variance * solve(normal, unit)?[i]).sqrt();
        *interval = Interval { low: parameters[i] - half, high: parameters[i] + half };
    }
    let [lambda, sigma, kappa] = parameters;
    let [lambda_interval, sigma_interval, kappa_interval] = intervals;
    Some(UslFit {
        lambda,
        sigma,
        kappa,
        lambda_interval,
        sigma_interval,
        kappa_interval,
        residual_sd: variance.sqrt(),
    })
}

fn law([lambda, sigma, kappa]: Vector, n: f64) -> f64 {
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

fn gradient(parameters: Vector, n: f64) -> Vector {
    let [lambda, _, _] = parameters;
    let per_lambda = law(parameters, n) / lambda;
    let slope = -lambda * per_lambda * per_lambda / n;
    [per_lambda, slope * (n - 1.0), slope * n * (n - 1.0)]
}

fn squared_error(parameters: Vector, points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(n, x)| (x - law(parameters, *n)).powi(2)).sum()
}

/// J'J and J'r at these parameters.
fn normal_equations(parameters: Vector, points: &[(f64, f64)]) -> (Matrix, Vector) {
    accumulate(points.iter().map(|(n, x)| (gradient(parameters, *n), x - law(parameters, *n))))
}

fn accumulate(rows: impl Iterator<Item = (Vector, f64)>) -> (Matrix, Vector) {
    let mut matrix = [[0.0; PARAMETERS]; PARAMETERS];
    let mut right = [0.0; PARAMETERS];
    for (row, value) in rows {
        for i in 0..PARAMETERS {
            right[i] += row[i] * value;
            for j in 0..PARAMETERS {
                matrix[i][j] += row[i] * row[j];
            }
        }
    }
    (matrix, right)
}

/// Least squares of N / X = (1 + sigma (N-1) + kappa N (N-1)) / lambda.
fn linear_start(points: &[(f64, f64)]) -> Option<Vector> {
    let rows = points.iter().map(|(n, x)| ([1.0, n - 1.0, n * (n - 1.0)], n / x));
    let (matrix, right) = accumulate(rows);
    let [inverse, sigma, kappa] = solve(matrix, right)?;
    (inverse > 0.0).then(|| [1.0 / inverse, sigma / inverse, kappa / inverse])
}

fn descend(mut parameters: Vector, points: &[(f64, f64)]) -> Vector {
    let mut error = squared_error(parameters, points);
    let mut damping = 1e-3;
    for _ in 0..MOST_STEPS {
        let (mut matrix, right) = normal_equations(parameters, points);
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] *= 1.0 + damping;
        }
        let Some(step) = solve(matrix, right) else { break };
        let candidate: Vector = core::array::from_fn(|i| parameters[i] + step[i]);
        let candidate_error = squared_error(candidate, points);
        if candidate_error < error {
            parameters = candidate;
            error = candidate_error;
            damping *= 0.1;
        } else if damping > 1e12 {
            break;
        } else {
            damping *= 10.0;
        }
    }
    parameters
}

/// Gaussian elimination with partial pivoting on rows and columns scaled to a unit diagonal; `None`
/// when the matrix is singular to working precision.
fn solve(mut matrix: Matrix, mut right: Vector) -> Option<Vector> {
    let scale: Vector = core::array::from_fn(|i| matrix[i][i].abs().sqrt().recip());
    if scale.iter().any(|s| !s.is_finite()) {
        return None;
    }
    for i in 0..PARAMETERS {
        right[i] *= scale[i];
        for j in 0..PARAMETERS {
            matrix[i][j] *= scale[i] * scale[j];
        }
    }
    for column in 0..PARAMETERS {
        let pivot = (column..PARAMETERS)
            .max_by(|x, y| matrix[*x][column].abs().total_cmp(&matrix[*y][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-13 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let pivot_row = matrix[column];
        for row in column + 1..PARAMETERS {
            let factor = matrix[row][column] / pivot_row[column];
            for (cell, above) in matrix[row].iter_mut().zip(pivot_row).skip(column) {
                *cell -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    let mut solution = [0.0; PARAMETERS];
    for row in (0..PARAMETERS).rev() {
        let known: f64 = (row + 1..PARAMETERS).map(|j| matrix[row][j] * solution[j]).sum();
        solution[row] = (right[row] - known) / matrix[row][row];
    }
    Some(core::array::from_fn(|i| solution[i] * scale[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_the_law_give_its_parameters_and_peak() {
        let points: Vec<(f64, f64)> =
            [1.0, 2.0, 4.0, 8.0, 16.0, 32.0].map(|n| (n, law([10.0, 0.05, 0.002], n))).to_vec();
        let fit = fit_usl(&points, 0.95).unwrap();
        assert!((fit.lambda - 10.0).abs() < 1e-9, "{fit:?}");
        assert!((fit.sigma - 0.05).abs() < 1e-9, "{fit:?}");
        assert!((fit.kappa - 0.002).abs() < 1e-10, "{fit:?}");
        let peak = fit.peak().unwrap();
        assert!((peak - (0.95_f64 / 0.002).sqrt()).abs() < 1e-6, "{peak}");
    }

    #[test]
    fn linear_scaling_has_no_peak() {
        let points = [1.0, 2.0, 4.0, 8.0].map(|n| (n, 5.0 * n));
        assert_eq!(fit_usl(&points, 0.95).and_then(|f| f.peak()), None);
    }

    #[test]
    fn three_points_are_not_enough() {
        assert_eq!(fit_usl(&[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)], 0.95), None);
    }
}
