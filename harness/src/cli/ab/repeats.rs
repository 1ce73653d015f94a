//! Whether pairs of runs of one build differ by no more than the verdicts on noise say.

use std::collections::BTreeMap;

use pamt_reports::schema::{LockBenchDocument, Run};
use pamt_reports::stats::median;

/// A measured figure of a run, and how far it may differ from its repetition.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figure {
    value: f64,
    repeat_frac: f64,
}

/// Figures by what was measured, in the order in which they were.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures(BTreeMap<String, Vec<Figure>>);

impl Figures {
    /// Adds the length of a run.
    pub(super) fn add_run(&mut self, run: &Run) {
        let (experiment, result) = (&run.experiment, &run.result);
        let bar = result.noise.as_ref().and_then(|noise| noise.repeat_frac);
        let name = format!("{} under {}", experiment.strategy, experiment.workload);
        self.add(name, result.virtual_time_ns as f64, bar);
    }

    /// Adds rows of the lock benchmark.
    pub(super) fn add_rows(&mut self, document: &LockBenchDocument) {
        for row in &document.rows {
            let name = format!("{}, {} threads", row.lock, row.threads);
            self.add(name, row.ns_per_acquire, row.repeat_frac);
        }
    }

    /// What has no verdict is not measured, and says nothing here.
    fn add(&mut self, name: String, value: f64, bar: Option<f64>) {
        if let Some(repeat_frac) = bar {
            self.0.entry(name).or_default().push(Figure { value, repeat_frac });
        }
    }
}

/// How pairs of both sides lie together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Repeats {
    pub(super) pairs: usize,
    /// Pairs that differ by no more than the larger of their verdicts says.
    pub(super) within: usize,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    pairs: usize,
    within: usize,
    /// Median of new over old, less one.
    change: f64,
    /// Medians of the differences' sizes, and of the verdicts.
    difference: f64,
    verdict: f64,
}

impl Repeats {
    /// Pairs the nth figure of a name with the nth of the other side.
    pub(super) fn of(old: &Figures, new: &Figures) -> Self {
        let rows: Vec<Row> =
            old.0.iter().filter_map(|(name, olds)| row(name, olds, new.0.get(name)?)).collect();
        let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum();
        Self { pairs: sum(|row| row.pairs), within: sum(|row| row.within), rows }
    }

    /// The verdicts hold 19 times of 20.
    pub(super) fn holds(&self) -> bool {
        20 * self.within >= 19 * self.pairs
    }

    pub(super) fn text(&self) -> String {
        let percent = |share: f64| format!("{:.1}%", share * 100.0);
        let mut text = String::new();
        for row in &self.rows {
            text += &format!(
                "{}: {} of {} pairs differ by no more than their verdict on noise says; median change {:+.1}%, \
                 difference {}, verdict {}\n",
                row.name,
                row.within,
                row.pairs,
                row.change * 100.0,
                percent(row.difference),
                percent(row.verdict),
            );
        }
        let rate = self.within as f64 / self.pairs.max(1) as f64;
        let (within, pairs) = (self.within, self.pairs);
        text + &format!("in all: {within} of {pairs} pairs ({}) are within\n", percent(rate))
    }
}

fn row(name: &str, old: &[Figure], new: &[Figure]) -> Option<Row> {
    let pairs: Vec<(&Figure, &Figure)> = old.iter().zip(new).collect();
    let changes: Vec<f64> = pairs.iter().map(|(old, new)| new.value / old.value - 1.0).collect();
    let bars: Vec<f64> = pairs.iter().map(|(a, b)| a.repeat_frac.max(b.repeat_frac)).collect();
    let sizes: Vec<f64> = changes.iter().map(|change| change.abs()).collect();
    Some(Row {
        name: name.to_owned(),
        pairs: pairs.len(),
        within: sizes.iter().zip(&bars).filter(|(size, bar)| size <= bar).count(),
        change: median(&changes)?,
        difference: median(&sizes)?,
        verdict: median(&bars)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[f64]) -> Figures {
        let mut figures = Figures::default();
        for value in values {
            figures.add("tas, 1 threads".into(), *value, Some(0.05));
        }
        figures
    }

    #[test]
    fn a_pair_beyond_both_verdicts_is_counted_against_them() {
        let repeats = Repeats::of(&figures(&[100.0, 100.0]), &figures(&[104.0, 106.0]));
        assert_eq!((repeats.pairs, repeats.within), (2, 1));
        assert!(!repeats.holds());
        assert!(repeats.text().contains("1 of 2 pairs (50.0%)"), "{}", repeats.text());
    }

    #[test]
    fn nineteen_of_twenty_hold() {
        let mut new = [101.0; 20];
        new[7] = 150.0;
        assert!(Repeats::of(&figures(&[100.0; 20]), &figures(&new)).holds());
    }
}
