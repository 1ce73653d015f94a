//! Latin-hypercube draws of uncertain parameters.
//!
//! Each parameter's range is cut into as many equal parts as there are draws, and each part is used
//! once: every single parameter is covered evenly even by few draws (McKay, Beckman and Conover, 1979).

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// A parameter that is not known exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Name, as `--set` takes it.
    pub name: String,
    /// Lowest credible value.
    pub low: f64,
    /// Highest credible value.
    pub high: f64,
}

/// `draws` rows of one value per parameter. A parameter's values depend on its name, the seed and the
/// number of draws, not on which other parameters there are.
#[must_use]
pub fn latin_hypercube(parameters: &[Parameter], draws: u32, seed: u64) -> Vec<Vec<f64>> {
    let mut rows = vec![Vec::with_capacity(parameters.len()); draws as usize];
    for parameter in parameters {
        let mut rng = Pcg64::seed_from_u64(seed ^ hash(&parameter.name));
        let mut strata: Vec<u32> = (0..draws).collect();
        shuffle(&mut strata, &mut rng);
        for (row, stratum) in rows.iter_mut().zip(strata) {
            let share = (f64::from(stratum) + unit(&mut rng)) / f64::from(draws);
            row.push(round(parameter.low + share * (parameter.high - parameter.low)));
        }
    }
    rows
}

/// Six significant digits: more would claim a knowledge that nobody has.
fn round(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

fn unit(rng: &mut Pcg64) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn shuffle(values: &mut [u32], rng: &mut Pcg64) {
    for last in (1..values.len()).rev() {
        let other = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        values.swap(last, other as usize);
    }
}

fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
