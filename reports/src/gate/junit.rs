//! JUnit XML: a suite a lane, a case a cell; inconclusive cells are skipped cases.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::outcome::{CellOutcome, Outcome};

/// The outcome as JUnit XML.
#[must_use]
pub fn to_junit(outcome: &Outcome) -> String {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for (label, cell) in &outcome.cells {
        let suite = suites
            .entry(&cell.lane)
            .or_insert_with(|| TestSuite::new(format!("pamt-bench gate {}", cell.lane)));
        let mut case = TestCase::new(label.as_str(), status(outcome, label, cell));
        case.set_classname(cell.lane.as_str());
        suite.add_test_case(case);
    }
    let mut report = Report::new("pamt-bench gate");
    report.add_test_suites(suites.into_values());
    report.to_string().expect("a report made of strings is always XML")
}

fn status(outcome: &Outcome, label: &str, cell: &CellOutcome) -> TestCaseStatus {
    if cell.failing > 0 {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let rows = outcome.failing().filter(|row| row.row.cell == label);
        let lines = rows.map(|gated| {
            let row = &gated.row;
            let change =
                row.change_percent().map(|change| format!(" {change:+.2} %")).unwrap_or_default();
            format!("{} {}{change}: {}", row.verdict.word(), row.metric, row.reason)
        });
        let lines: Vec<String> = lines.collect();
        status.set_message(format!("{} of {} metrics fail", cell.failing, cell.metrics));
        status.set_description(lines.join("\n"));
        status
    } else if cell.inconclusive > 0 && cell.inconclusive == cell.metrics {
        TestCaseStatus::skipped()
    } else {
        TestCaseStatus::success()
    }
}
