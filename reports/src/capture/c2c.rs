//! `perf c2c report --stdio`: sums of load and store events, and a table of lines, hottest first.
//!
//! perf samples, the model counts everything; and perf knows a line by its address, the model by its
//! name. So only shares are laid beside each other.

use super::{Figure, Form, Subject, percent};
use crate::schema::RunResult;

/// The table of lines.
pub(super) const TITLE: &str = "Shared Data Cache Line Table";
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

/// The figures of a modelled run.
pub(super) fn modelled(result: &RunResult) -> Vec<Figure> {
    let mut hitm = Hitm::default();
    for object in result.lines.values() {
        hitm.local += object.counts.lcl_hitm as f64;
        hitm.remote += object.counts.rmt_hitm as f64;
        hitm.lines.extend(object.top.iter().map(|line| line.counts.total_hitm() as f64));
    }
    hitm.figures()
}

/// Reads a report; the error is a line and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<Subject>, (usize, String)> {
    let mut hitm = Hitm::default();
    let (mut local, mut remote, mut in_table) = (None, None, false);
    for (at, line) in text.lines().enumerate() {
        let wrong = |what: String| (at + 1, what);
        if let Some((key, value)) = line.split_once(" : ").filter(|_| !in_table) {
            let slot = match key.trim() {
                "Load Local HITM" => &mut local,
                "Load Remote HITM" => &mut remote,
                _ => continue,
            };
            let value = value.trim();
            let number = value.parse::<u64>();
            *slot =
                Some(number.map_err(|_| wrong(format!("`{value}` is no count of HITMs")))? as f64);
        } else if line.contains(TITLE) {
            in_table = true;
        } else if line.contains("Shared Cache Line Distribution Pareto") {
            break;
        } else if in_table && let Some(row) = table_row(line) {
            hitm.lines.push(row.map_err(wrong)?);
        }
    }
    let missing =
        |name: &str| (1, format!("`{name}` is missing; give all of `perf c2c report --stdio`"));
    hitm.local = local.ok_or_else(|| missing("Load Local HITM"))?;
    hitm.remote = remote.ok_or_else(|| missing("Load Remote HITM"))?;
    Ok(vec![Subject { name: SUBJECT.to_owned(), figures: hitm.figures() }])
}

/// HITMs of a row of the table: the number after the share of all HITMs.
fn table_row(line: &str) -> Option<Result<f64, String>> {
    let mut words = line.split_whitespace();
    words.next()?.parse::<u64>().ok()?;
    let shared = words.find(|word| word.ends_with('%'));
    let total = shared.and_then(|_| words.next()?.parse::<u64>().ok());
    Some(
        total
            .map(|total| total as f64)
            .ok_or_else(|| "a line has its share of HITMs in percent, then their number".into()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
=================================================
            Trace Event Information
=================================================
  Load Local HITM                   :         60
  Load Remote HITM                  :         40

=================================================
           Shared Data Cache Line Table
=================================================
#
# Index             Address   Node  PA cnt     Hitm    Total  LclHitm  RmtHitm
      0  0xffff88a05d3c8000      0     512   50.00%       50       30       20
      1  0xffff88a05d3c8040    N/A       1   20.00%       20       20        0
=================================================
      Shared Cache Line Distribution Pareto
=================================================
      0       30       20  0xffff88a05d3c8000
";

    #[test]
    fn shares_follow_from_sums_and_lines() {
        let subjects = parse(REPORT).expect("a report");
        let values: Vec<_> = subjects[0].figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [Some(100.0), Some(40.0), Some(50.0), Some(70.0)]);
    }

    #[test]
    fn a_report_that_is_cut_off_is_refused() {
        let cut = REPORT.replace("Load Remote HITM ", "Load Remote ");
        assert!(parse(&cut).expect_err("cut").1.contains("Load Remote HITM"));
        let wrong = REPORT.replace("50.00%       50", "50.00%       x");
        assert_eq!(parse(&wrong).expect_err("wrong").0, 12);
    }
}
