//! Every statistic against scipy on 1,000 recorded random cases (scripts/fixtures/stats_scipy.py).

use pamt_reports::stats::{fit_usl, geometric_mean, holm, mann_whitney, median_interval, quantile};

const CASES: &str = include_str!("fixtures/stats_scipy.txt");

fn numbers(field: &str) -> Vec<f64> {
    field.split(' ').map(|n| n.parse().expect("the fixture holds numbers")).collect()
}

fn cases(kind: &str) -> Vec<Vec<Vec<f64>>> {
    let mine = CASES.lines().filter_map(|line| line.split_once('|').filter(|c| c.0 == kind));
    mine.map(|(_, fields)| fields.split('|').map(numbers).collect()).collect()
}

fn assert_close(found: f64, expected: f64, relative: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= relative * expected.abs().max(1e-12), "{what}: {found}, scipy {expected}");
}

#[test]
fn the_fixture_holds_a_thousand_cases() {
    assert_eq!(CASES.lines().count(), 1_000);
}

#[test]
fn the_u_test_agrees_with_scipy_with_and_without_ties() {
    for (index, case) in cases("two").iter().enumerate() {
        let test = mann_whitney(&case[0], &case[1]).expect("both arms have samples");
        assert_eq!(test.u, case[2][0], "U of case {index}");
        assert_close(test.p, case[2][1], 1e-9, &format!("p of case {index}"));
    }
}

#[test]
fn quantiles_median_intervals_and_geometric_means_agree_with_scipy() {
    for (index, case) in cases("two").iter().enumerate() {
        let q90 = quantile(&case[0], 0.9).expect("there are samples");
        assert_close(q90, case[2][2], 1e-11, &format!("q90 of case {index}"));
        let mean = geometric_mean(&case[0]).expect("samples are above 0");
        assert_close(mean, case[2][5], 1e-11, &format!("geometric mean of case {index}"));
        match median_interval(&case[0], 0.95) {
            Some(interval) => assert_eq!([interval.low, interval.high], case[2][3..5]),
            None => assert!(case[2][3].is_nan(), "case {index} has an interval in scipy"),
        }
    }
}

#[test]
fn holm_agrees_with_statsmodels() {
    for case in cases("holm") {
        for (found, expected) in holm(&case[0]).into_iter().zip(&case[1]) {
            assert_close(found, *expected, 1e-11, "adjusted p");
        }
    }
}

#[test]
fn the_scalability_law_agrees_with_curve_fit() {
    for (index, case) in cases("usl").iter().enumerate() {
        let points: Vec<(f64, f64)> =
            case[0].iter().copied().zip(case[1].iter().copied()).collect();
        let fit = fit_usl(&points, 0.95).expect("the points determine the law");
        let scale = t_quantile(points.len() - 3);
        let found = [
            (fit.lambda, fit.lambda_interval),
            (fit.sigma, fit.sigma_interval),
            (fit.kappa, fit.kappa_interval),
        ];
        for (parameter, (value, interval)) in found.into_iter().enumerate() {
            let error = (interval.high - interval.low) / (2.0 * scale);
            let what = format!("parameter {parameter} of case {index}");
            assert!((value - case[2][parameter]).abs() <= 1e-4 * error, "{what}: {value}");
            assert_close(error, case[2][3 + parameter], 1e-4, &what);
        }
    }
}

/// 97.5 % point of Student's t, from published tables.
fn t_quantile(freedom: usize) -> f64 {
    [12.706_204_7, 4.302_652_7, 3.182_446_3, 2.776_445_1, 2.570_581_8][freedom - 1]
}
