//! Holm's step-down adjustment for a family of tests.

/// Adjusted p values in the order given: compare each with the family's level.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|x, y| p_values[*x].total_cmp(&p_values[*y]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut floor = 0.0_f64;
    for (rank, index) in order.iter().enumerate() {
        floor = floor.max(p_values[*index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[*index] = floor;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_test_needs_no_adjustment_and_order_is_kept() {
        assert_eq!(holm(&[0.03]), [0.03]);
        assert_eq!(holm(&[0.5, 0.01]), [0.5, 0.02]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }
}
