//! HdrHistogram's percentile text (`.hgrm`): `Value, Percentile, TotalCount, 1/(1-Percentile)`, a file
//! an operation, which the HdrHistogram plotter opens.
//!
//! Percentiles come in the steps of HdrHistogram's percentile iterator: five ticks to each half of the
//! distance that is left to 100 %, so that every further nine has as many points.

use super::{ExportError, Exporter, Part, evidence, file_label};
use crate::schema::{Document, OpRow, Run};

/// Ticks per half distance: the default of HdrHistogram's own writers.
const TICKS: f64 = 5.0;

/// The format.
pub(super) struct Hgrm;

impl Exporter for Hgrm {
    fn name(&self) -> &'static str {
        "hgrm"
    }

    fn suffix(&self) -> &'static str {
        ".hgrm"
    }

    fn about(&self) -> &'static str {
        "latency percentiles in ns, a file an operation, for HdrHistogram's plotter"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let parts: Vec<Part> = document
            .runs
            .iter()
            .flat_map(|run| run.result.ops.iter().map(move |(name, op)| (run, name, op)))
            .filter(|(_, _, op)| !op.histogram.is_empty())
            .map(|(run, name, op)| {
                let text = histogram(op, &footer(document, run, name));
                Part::text(format!("{}.{name}", file_label(run)), text)
            })
            .collect();
        if parts.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "a histogram" });
        }
        Ok(parts)
    }
}

fn footer(document: &Document, run: &Run, op: &str) -> Vec<String> {
    let head = format!("{op} in ns: {}", super::label(run));
    std::iter::once(head).chain(evidence(document, run)).collect()
}

/// One step of the percentile iterator.
#[derive(Debug, PartialEq)]
struct Tick {
    value: u64,
    percentile: f64,
    below: u64,
}

/// The ticks of a histogram of `[value, count]`, values ascending.
fn ticks(histogram: &[[u64; 2]]) -> Vec<Tick> {
    let total: u64 = histogram.iter().map(|[_, count]| count).sum();
    let mut ticks = Vec::new();
    let (mut level, mut below) = (0.0_f64, 0);
    for [value, count] in histogram.iter().filter(|[_, count]| *count > 0) {
        below += count;
        let reached = below as f64 / total as f64;
        while reached >= level && level < 1.0 {
            ticks.push(Tick { value: *value, percentile: level, below });
            let halvings = (1.0 / (1.0 - level)).log2().floor() + 1.0;
            level += 1.0 / (TICKS * halvings.exp2());
            if below == total {
                break;
            }
        }
    }
    let last = histogram.iter().rev().find(|[_, count]| *count > 0);
    ticks.extend(last.map(|[value, _]| Tick { value: *value, percentile: 1.0, below: total }));
    ticks
}

fn histogram(op: &OpRow, footer: &[String]) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    for Tick { value, percentile, below } in ticks(&op.histogram) {
        text.push_str(&format!("{:12.3} {percentile:14.12} {below:10}", value as f64));
        if percentile < 1.0 {
            text.push_str(&format!(" {:14.2}", 1.0 / (1.0 - percentile)));
        }
        text.push('\n');
    }
    let mean = op.total_ns as f64 / op.count.max(1) as f64;
    let (max, count) = (op.max_ns as f64, op.count);
    text.push_str(&format!(
        "#[Mean    = {mean:12.3}, StdDeviation   = {:12.3}]\n",
        deviation(&op.histogram)
    ));
    text.push_str(&format!("#[Max     = {max:12.3}, Total count    = {count:12}]\n"));
    for line in footer {
        text.push_str(&format!("# {line}\n"));
    }
    text
}

/// Standard deviation of the histogram about its own mean.
fn deviation(histogram: &[[u64; 2]]) -> f64 {
    let total: f64 = histogram.iter().map(|[_, count]| *count as f64).sum();
    let mean: f64 =
        histogram.iter().map(|[v, count]| *v as f64 * *count as f64).sum::<f64>() / total;
    let squares = histogram.iter().map(|[v, count]| (*v as f64 - mean).powi(2) * *count as f64);
    (squares.sum::<f64>() / total).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ticks_are_those_of_the_hdrhistogram_crate(
            values in prop::collection::vec(1_u64..10_000_000, 1..200)
        ) {
            let mut hdr = hdrhistogram::Histogram::<u64>::new(3).expect("3 digits");
            for value in values {
                hdr.record(value).expect("resizes");
            }
            let rows: Vec<[u64; 2]> = hdr
                .iter_recorded()
                .map(|v| [v.value_iterated_to(), v.count_at_value()])
                .collect();
            let theirs: Vec<Tick> = hdr
                .iter_quantiles(5)
                .scan(0, |below, v| {
                    *below += v.count_since_last_iteration();
                    Some(Tick {
                        value: v.value_iterated_to(),
                        percentile: v.quantile_iterated_to(),
                        below: *below,
                    })
                })
                .collect();
            let ours = ticks(&rows);
            prop_assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                prop_assert_eq!((ours.value, ours.below), (theirs.value, theirs.below));
                prop_assert!((ours.percentile - theirs.percentile).abs() < 1e-12);
            }
        }
    }
}
