//! The table of runs that CSV and Parquet write, a row a run: what was asked for, then what came out.

use crate::columns::{RUN, SETTING};
use crate::figure::{Figure, Kind};
use crate::schema::Run;

/// Name and kind of each column.
pub(crate) fn heads() -> impl Iterator<Item = (&'static str, Kind)> {
    let settings = SETTING.iter().map(|column| (column.id, column.kind));
    settings.chain(RUN.iter().map(|column| (column.id, column.kind)))
}

/// The row of a run; `None` where a figure is not known.
pub(crate) fn cells(run: &Run) -> impl Iterator<Item = Option<Figure>> {
    let settings = SETTING.iter().map(|column| (column.value)(run));
    settings.chain(RUN.iter().map(|column| (column.value)(&run.result)))
}
