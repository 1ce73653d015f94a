//! Figures of `perf c2c report --stdio`, from its sums of events and its table of lines.
//!
//! perf samples, the model counts everything; and perf knows a line by its address, the model by its
//! name. So only shares are laid beside each other.

use super::{Figure, Form, Subject, c2c_report, percent};
use crate::schema::{ObjectRow, RunResult};

/// What the figures are of.
pub(super) const SUBJECT: &str = "cache lines";

/// Hottest lines of which the sum is shown.
const HOTTEST: usize = 3;

/// HITMs of the host, and of its lines in order.
#[derive(Clone, Debug, Default)]
struct Hitm {
    local: f64,
    remote: f64,
    lines: Vec<f64>,
}

impl Hitm {
    fn figures(mut self) -> Vec<Figure> {
        self.lines.sort_by(|a, b| b.total_cmp(a));
        let total = self.local + self.remote;
        let hottest = |lines: usize| self.lines.iter().take(lines).sum::<f64>();
        let figure = |name, form, value| Figure { name, form, value };
        vec![
            figure("HITM", Form::Count, Some(total)),
            figure("from another socket", Form::Percent, percent(self.remote, total)),
            figure("in the hottest line", Form::Percent, percent(hottest(1), total)),
            figure("in the three hottest", Form::Percent, percent(hottest(HOTTEST), total)),
        ]
    }
}

/// The figures of these objects' lines.
fn figures<'a>(objects: impl Iterator<Item = &'a ObjectRow>) -> Vec<Figure> {
    let mut hitm = Hitm::default();
    for object in objects {
        hitm.local += object.counts.lcl_hitm as f64;
        hitm.remote += object.counts.rmt_hitm as f64;
        hitm.lines.extend(object.top.iter().map(|line| line.counts.total_hitm() as f64));
    }
    hitm.figures()
}

/// The figures of a modelled run.
pub(super) fn modelled(result: &RunResult) -> Vec<Figure> {
    figures(result.lines.values())
}

/// Reads a report; the error is a line and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<Subject>, (usize, String)> {
    let all = c2c_report::read(text)?;
    Ok(vec![Subject { name: SUBJECT.to_owned(), figures: figures(std::iter::once(&all)) }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_from_sums_and_lines() {
        let report = include_str!("../../tests/fixtures/perf_c2c_report.txt");
        let subjects = parse(report).expect("a report");
        let values: Vec<_> = subjects[0].figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [Some(100.0), Some(40.0), Some(50.0), Some(70.0)]);
    }
}
