//! Differences between results, with their evidence.
//!
//! Each metric has an *assumption*, as in Go's benchstat. Modelled numbers are exact: one sample is
//! enough, they are compared seed by seed and any difference is real. Counted ones (instructions under
//! callgrind, imported series) are nearly exact and have a soft limit. Measured ones are samples:
//! medians with order-statistic intervals, a U test adjusted by Holm over the family, and a seeded
//! bootstrap interval of the ratio that must lie beyond a margin. What is unlike is never compared: it
//! is `incomparable`, with the name of the key that differs.

mod exact;
mod glob;
mod metric;
mod pairing;
mod policy;
mod row;
mod sampled;
mod table;
mod view;

pub use glob::matches_glob;
pub use metric::{direction, metrics_of};
pub use policy::{Limit, Noise, NoiseRow, Policy};
pub use row::{Comparison, Geomean, Row, Verdict};
pub use table::{Cell, Lane, Sample, Table};
pub(crate) use view::text_rows;
pub use view::{markdown_table, text_table};

/// Compares `after` with `before` under `policy`; rows come worst first.
#[must_use]
pub fn compare(before: &Table, after: &Table, policy: &Policy) -> Comparison {
    let mut rows = before.faults();
    rows.extend(after.faults());
    let pairing = pairing::pair(before, after);
    rows.extend(pairing.rows);
    let mut sampled = Vec::new();
    for pair in &pairing.pairs {
        match pair.lane {
            Lane::Modelled | Lane::Counted => rows.extend(exact::rows(pair, policy)),
            Lane::Measured => sampled.push(pair),
        }
    }
    rows.extend(sampled::rows(&sampled, policy));
    Comparison::new(rows)
}

#[cfg(test)]
mod tests;
