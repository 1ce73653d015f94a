//! Exponential draws from exact operations only: a platform's `ln` may differ in its last bit, and then
//! equal seeds would not give equal bytes everywhere.

/// Draws a length with mean 1 from 64 random bits.
pub(super) fn exponential(bits: u64) -> f64 {
    // 53 bits in (0, 1].
    let u = ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -ln(u)
}

/// Natural logarithm of a positive normal number, by additions, multiplications and divisions.
///
/// `ln(m * 2^e) = e ln 2 + 2 atanh((m-1)/(m+1))` with m in [sqrt(1/2), sqrt(2)); the series in
/// z = (m-1)/(m+1), |z| < 0.172, is cut where its terms pass 2^-60.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52 & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 1023 << 52);
    if mantissa > core::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let (mut term, mut sum) = (z, 0.0);
    for odd in 0..12 {
        sum += term / f64::from(2 * odd + 1);
        term *= square;
    }
    exponent as f64 * core::f64::consts::LN_2 + 2.0 * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_agrees_with_the_library() {
        for x in [1.0, 0.5, 0.7, 1e-16, 0.999_999, 0.123_456] {
            assert!((ln(x) - x.ln()).abs() <= 1e-14 * (1.0 + x.ln().abs()), "{x}");
        }
    }

    #[test]
    fn draws_have_mean_one_and_no_bound() {
        let mut state = 1u64;
        let mut sum = 0.0;
        let mut longest = 0.0f64;
        for _ in 0..100_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let draw = exponential(state);
            sum += draw;
            longest = longest.max(draw);
        }
        assert!((sum / 1e5 - 1.0).abs() < 0.02, "{sum}");
        assert!(longest > 8.0);
    }
}
