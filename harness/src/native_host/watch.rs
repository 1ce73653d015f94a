//! A watch over one measurement.

use std::path::Path;

use pamt_reports::schema::Noise;

use super::load::Ticks;
use super::probe::{Steadiness, probe};
use super::verdict::{Seen, verdict};

/// What was seen before a measurement.
#[derive(Debug)]
pub(crate) struct Watch {
    cpus: Vec<usize>,
    before: Steadiness,
    ticks: Result<Ticks, String>,
}

impl Watch {
    /// Looks at the CPUs that the measurement will use, by the kernel's numbers.
    pub(crate) fn begin(cpus: Vec<usize>) -> Self {
        let before = probe(&cpus);
        Self { cpus, before, ticks: Ticks::now(Path::new("/")) }
    }

    /// Looks again. `spread_frac` is how far parts of the measurement lay apart, where that is known.
    pub(crate) fn end(self, spread_frac: Option<f64>) -> Noise {
        let ticks = Ticks::now(Path::new("/"));
        let after = probe(&self.cpus);
        let taken = match (&self.ticks, &ticks) {
            (Ok(before), Ok(after)) => Ok(after.since(*before)),
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        };
        let facts = super::facts(Path::new("/"));
        verdict(&Seen { before: self.before, after, taken, spread_frac, facts: &facts })
    }
}
