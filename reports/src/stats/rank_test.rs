//! The Mann-Whitney U test, two-sided.
//!
//! Up to [`EXACT_UP_TO`] samples in all the null distribution is counted exactly, ties included: each
//! way to hand the first arm its share of the joint midranks is equally likely. Beyond that the normal
//! approximation is used, with tie and continuity correction (as scipy's `method="asymptotic"`).

use statrs::distribution::{ContinuousCDF, Normal};

/// Largest joint sample that is counted exactly; all counts fit a double up to C(50, 25).
const EXACT_UP_TO: usize = 50;

/// Outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// U of the first arm: pairs in which its sample is the larger one, ties count one half.
    pub u: f64,
    /// Two-sided p value.
    pub p: f64,
    /// Whether the null distribution was counted rather than approximated.
    pub exact: bool,
}

/// Tests whether two independent samples come from one distribution; `None` when one is empty.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let ranks = JointRanks::new(a, b);
    let n = a.len() as f64;
    let u = ranks.first_arm_doubled as f64 / 2.0 - n * (n + 1.0) / 2.0;
    let exact = a.len() + b.len() <= EXACT_UP_TO;
    let p = if exact { ranks.exact_p(a.len()) } else { ranks.normal_p(u, n, b.len() as f64) };
    Some(MannWhitney { u, p, exact })
}

/// Midranks of the joint sample, doubled so that they are whole numbers.
struct JointRanks {
    doubled: Vec<usize>,
    first_arm_doubled: usize,
    /// Sum of t^3 - t over groups of t ties.
    tie_term: f64,
}

impl JointRanks {
    fn new(a: &[f64], b: &[f64]) -> Self {
        let mut joint: Vec<(f64, bool)> =
            a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
        joint.sort_by(|x, y| x.0.total_cmp(&y.0));
        let mut ranks =
            Self { doubled: Vec::with_capacity(joint.len()), first_arm_doubled: 0, tie_term: 0.0 };
        for group in joint.chunk_by(|x, y| x.0 == y.0) {
            let before = ranks.doubled.len();
            let midrank_doubled = 2 * before + group.len() + 1;
            ranks.doubled.extend(group.iter().map(|_| midrank_doubled));
            ranks.first_arm_doubled += midrank_doubled * group.iter().filter(|x| x.1).count();
            let t = group.len() as f64;
            ranks.tie_term += t * t * t - t;
        }
        ranks
    }

    /// Twice the smaller tail of the permutation distribution of the first arm's rank sum.
    fn exact_p(&self, first_arm: usize) -> f64 {
        let top: usize = self.doubled.iter().sum();
        // ways[k][s]: subsets of k of the ranks seen so far whose doubled sum is s.
        let mut ways = vec![vec![0.0_f64; top + 1]; first_arm + 1];
        ways[0][0] = 1.0;
        for (seen, rank) in self.doubled.iter().enumerate() {
            for k in (0..first_arm.min(seen + 1)).rev() {
                for sum in (0..=top - rank).rev() {
                    let count = ways[k][sum];
                    if count > 0.0 {
                        ways[k + 1][sum + rank] += count;
                    }
                }
            }
        }
        let row = &ways[first_arm];
        let total: f64 = row.iter().sum();
        let below: f64 = row[..=self.first_arm_doubled].iter().sum();
        let above: f64 = row[self.first_arm_doubled..].iter().sum();
        (2.0 * below.min(above) / total).min(1.0)
    }

    fn normal_p(&self, u: f64, n: f64, m: f64) -> f64 {
        let all = n + m;
        let variance = n * m / 12.0 * (all + 1.0 - self.tie_term / (all * (all - 1.0)));
        if variance <= 0.0 {
            return 1.0;
        }
        let u = u.max(n * m - u);
        let z = (u - n * m / 2.0 - 0.5) / variance.sqrt();
        (2.0 * Normal::standard().sf(z)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_against_four_separate_samples_give_2_in_70() {
        let test = mann_whitney(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]).unwrap();
        assert_eq!(test.u, 0.0);
        assert!((test.p - 2.0 / 70.0).abs() < 1e-12);
    }

    #[test]
    fn equal_samples_never_differ() {
        assert_eq!(mann_whitney(&[3.0; 9], &[3.0; 7]).unwrap().p, 1.0);
        assert_eq!(mann_whitney(&[3.0; 90], &[3.0; 70]).unwrap().p, 1.0);
    }

    #[test]
    fn an_empty_arm_has_no_test() {
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }
}
