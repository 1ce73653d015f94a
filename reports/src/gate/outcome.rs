//! What the gate found, as data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::compare::{Comparison, Geomean, Row, Verdict};
use crate::exit::Exit;
use crate::schema::written;

/// Version of the JSON form. It rises when an old reader would misread a new file.
const SCHEMA_VERSION: u32 = 1;

/// A row with what the gate makes of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GateRow {
    /// The row.
    #[serde(flatten)]
    pub row: Row,
    /// It fails the gate.
    pub failing: bool,
    /// It would fail, but its lane is advisory here.
    pub advisory: bool,
    /// Reason of the expectation that covers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

/// The whole verdict.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Outcome {
    /// Version of this form.
    pub schema_version: u32,
    /// The exit code.
    pub exit: u8,
    /// What it means.
    pub meaning: String,
    /// Number of rows of each verdict.
    pub counts: BTreeMap<String, usize>,
    /// Rows but for those unchanged, worst first.
    pub rows: Vec<GateRow>,
    /// Geometric means of the metrics that changed.
    pub geomeans: Vec<Geomean>,
    /// Cells that were compared, and whether each passed.
    pub cells: BTreeMap<String, CellOutcome>,
    /// What a reader must know, a sentence each.
    pub notes: Vec<String>,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CellOutcome {
    /// Lane of its numbers.
    pub lane: String,
    /// Metrics that were compared.
    pub metrics: usize,
    /// Of them, those that fail.
    pub failing: usize,
    /// Of them, those that are inconclusive.
    pub inconclusive: usize,
}

impl Outcome {
    pub(super) fn new(
        comparison: &Comparison,
        rows: Vec<GateRow>,
        notes: Vec<String>,
        exit: Exit,
    ) -> Self {
        let counted = Verdict::ALL.map(|verdict| (verdict, comparison.count(verdict)));
        let counts = counted.iter().filter(|(_, count)| *count > 0);
        let mut cells: BTreeMap<String, CellOutcome> = BTreeMap::new();
        for gated in &rows {
            let cell = cells.entry(gated.row.cell.clone()).or_default();
            gated.row.lane.name().clone_into(&mut cell.lane);
            cell.metrics += 1;
            cell.failing += usize::from(gated.failing);
            cell.inconclusive += usize::from(gated.row.verdict == Verdict::Inconclusive);
        }
        Self {
            schema_version: SCHEMA_VERSION,
            exit: exit.code(),
            meaning: exit.meaning().to_owned(),
            counts: counts.map(|(verdict, count)| (verdict.word().to_owned(), *count)).collect(),
            rows: rows.into_iter().filter(|row| row.row.verdict != Verdict::Unchanged).collect(),
            geomeans: comparison.geomeans.clone(),
            cells,
            notes,
        }
    }

    /// Rows that fail the gate, worst first.
    pub fn failing(&self) -> impl Iterator<Item = &GateRow> {
        self.rows.iter().filter(|row| row.failing)
    }

    /// The written form: indented, keys sorted, one newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        written(serde_json::to_value(self).expect("plain data with string keys is always JSON"))
    }
}

/// The JSON schema of an [`Outcome`], in its checked-in form.
#[must_use]
pub fn json_schema() -> String {
    written(schemars::schema_for!(Outcome).to_value())
}
