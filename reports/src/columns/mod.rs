//! The column registry: one record a column, from which the terminal, CSV, Markdown, HTML and the
//! docs are made.
//!
//! The id of a column of a row type is its key in the JSON, so a number in any view can be found in
//! the result file. Columns that are computed from others say so in their help and name no key.

mod doc;
mod field;
mod line;
mod lock;
mod lock_bench;
mod memory;
mod op;
mod run;
mod setting;
mod td;

pub use doc::markdown_reference;
pub use field::FIELD;
pub use line::LINE;
pub use lock::{HANDOFF, LOCK};
pub use lock_bench::LOCK_BENCH;
pub use memory::MEMORY;
pub use op::OP;
pub use run::RUN;
pub use setting::SETTING;
pub use td::TD;

use crate::figure::{Figure, Kind, Typed, Unit};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
    /// Neither: it describes.
    Neutral,
}

/// Where a column's name and meaning come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// /proc/lock_stat, version 0.4.
    LockStat,
    /// perf c2c report, Linux 6.12.
    PerfC2c,
    /// perf lock, Linux 6.12.
    PerfLock,
    /// This tool.
    Own,
}

impl Source {
    /// For legends and docs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LockStat => "lock_stat 0.4",
            Self::PerfC2c => "perf c2c",
            Self::PerfLock => "perf lock",
            Self::Own => "pamt-bench",
        }
    }
}

/// One column of rows of type `R`.
pub struct Column<R> {
    /// Key in the JSON below the row; for computed columns a name of the same style.
    pub id: &'static str,
    /// Group of the heading, as perf c2c groups its columns; empty when alone.
    pub group: &'static str,
    /// Heading.
    pub header: &'static str,
    /// Unit.
    pub unit: Unit,
    /// Which way is better.
    pub direction: Direction,
    /// One sentence for the legend.
    pub help: &'static str,
    /// Whose vocabulary it is.
    pub source: Source,
    /// Path in the JSON below the row, dotted; `None` for a computed column.
    pub path: Option<&'static str>,
    /// What its values are.
    pub kind: Kind,
    /// The value; `None` when not known.
    pub value: fn(&R) -> Option<Figure>,
}

impl<R> Column<R> {
    /// The heading with its group: `Stores N/A`.
    #[must_use]
    pub fn full_header(&self) -> String {
        format!("{} {}", self.group, self.header).trim_start().to_owned()
    }

    /// The value as people read it; empty when not known.
    #[must_use]
    pub fn show(&self, row: &R) -> String {
        (self.value)(row).map(|figure| self.unit.show(&figure)).unwrap_or_default()
    }

    /// The value as machines read it; empty when not known.
    #[must_use]
    pub fn raw(&self, row: &R) -> String {
        (self.value)(row).map(|figure| figure.raw()).unwrap_or_default()
    }
}

/// The kind of a column's values, from the type of what reads them.
const fn kind_of<R, T: Typed>(_: fn(&R) -> Option<T>) -> Kind {
    T::KIND
}

/// The column of a registry with this id.
#[must_use]
pub fn find<R>(columns: &'static [Column<R>], id: &str) -> Option<&'static Column<R>> {
    columns.iter().find(|column| column.id == id)
}

/// Writes a registry: `id, group, header, unit, direction, source, help; value`. The path is the id
/// unless the row says `computed` or gives a path of its own.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident: $row:ty {
        $($id:literal [$($path:tt)*] $group:literal $header:literal $unit:ident $direction:ident
          $source:ident $help:literal => $value:expr;)*
    }) => {
        $(#[$doc])*
        pub static $name: &[$crate::columns::Column<$row>] = &[$($crate::columns::Column {
            id: $id,
            group: $group,
            header: $header,
            unit: $crate::figure::Unit::$unit,
            direction: $crate::columns::Direction::$direction,
            help: $help,
            source: $crate::columns::Source::$source,
            path: columns!(@path $id $($path)*),
            kind: $crate::columns::kind_of::<$row, _>($value),
            value: |row: &$row| {
                let get: fn(&$row) -> Option<_> = $value;
                get(row).map($crate::figure::Figure::from)
            },
        },)*];
    };
    (@path $id:literal key) => { Some($id) };
    (@path $id:literal computed) => { None };
    (@path $id:literal at $path:literal) => { Some($path) };
}
use columns;
