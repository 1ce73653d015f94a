//! Published rows of the lock benchmark: the columns of lockhammer's results as this project ships them.

use std::path::Path;

use pamt_strategies::locks::LockKindId;
use thiserror::Error;

/// Six locks on four hosts.
pub const LOCKHAMMER_2018: &str = include_str!("../../../machines/curves/lockhammer-2018.csv");
/// A counter on eight sockets.
const PERFBOOK: &str = include_str!("../../../machines/curves/perfbook-count-atomic.csv");

/// All rows that this project ships.
///
/// # Errors
/// A shipped file is unsound.
pub fn shipped() -> Result<Vec<PublishedRow>, RowsError> {
    let mut rows = parse(LOCKHAMMER_2018, "machines/curves/lockhammer-2018.csv")?;
    rows.extend(parse(PERFBOOK, "machines/curves/perfbook-count-atomic.csv")?);
    Ok(rows)
}

/// One published point.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedRow {
    /// Which machine, by the name that the source gives it.
    pub host: String,
    /// The lock; lockhammer's names are aliases in our table of locks.
    pub lock: LockKindId,
    /// Nominal time for which it is held.
    pub critical_ns: f64,
    /// Nominal time between release and the next acquire.
    pub parallel_ns: f64,
    /// Threads.
    pub threads: usize,
    /// Median over the runs of wall time over acquisitions.
    pub ns: f64,
    /// Of the fastest run.
    pub min_ns: f64,
    /// Of the slowest run.
    pub max_ns: f64,
}

impl PublishedRow {
    /// Whether a profile of its host may be fitted on it: the two counters and the swap lock without
    /// work, and a thread alone. All others are predicted unseen.
    #[must_use]
    pub fn may_be_fitted(&self) -> bool {
        let simple = matches!(self.lock, LockKindId::Refcount | LockKindId::Tas);
        self.threads == 1 || simple && self.idle()
    }

    /// Nothing is done in the lock or outside of it.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.critical_ns == 0.0 && self.parallel_ns == 0.0
    }
}

/// Rows that cannot be used.
#[derive(Debug, Error)]
pub enum RowsError {
    /// No such file.
    #[error("cannot read {path}: {source}; give a CSV file of measured rows")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A column is missing.
    #[error(
        "{path}:1: no column `{column}`; the header must name {}, for example as the first line of \
         machines/curves/lockhammer-2018.csv does",
        COLUMNS.join(", ")
    )]
    Column {
        /// The file.
        path: String,
        /// Which.
        column: &'static str,
    },
    /// A cell cannot be read.
    #[error("{path}:{line}: `{column}` is `{cell}`, accepted: {accepted}")]
    Cell {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Which column.
        column: &'static str,
        /// As it stands there.
        cell: String,
        /// What would be understood.
        accepted: &'static str,
    },
    /// What a use of the rows needs is not among them.
    #[error("{path}: {missing}")]
    Missing {
        /// The file.
        path: String,
        /// What, and what to do.
        missing: String,
    },
}

/// The columns that are read; others are left alone.
const COLUMNS: [&str; 8] = [
    "host",
    "test",
    "crit_ns_nominal",
    "par_ns_nominal",
    "threads",
    "median_wall_ns_per_acquire",
    "min",
    "max",
];

/// Rows of the file at `path`.
///
/// # Errors
/// [`RowsError`], with file, line and column.
pub fn read(path: &Path) -> Result<Vec<PublishedRow>, RowsError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| RowsError::Read { path: name.clone(), source })?;
    parse(&text, &name)
}

/// Rows of a text, which came from `path`.
///
/// # Errors
/// [`RowsError`], with file, line and column.
pub fn parse(text: &str, path: &str) -> Result<Vec<PublishedRow>, RowsError> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let at = |column: &'static str| {
        header
            .iter()
            .position(|name| *name == column)
            .ok_or_else(|| RowsError::Column { path: path.to_owned(), column })
    };
    let places: Vec<usize> = COLUMNS.into_iter().map(at).collect::<Result<_, _>>()?;
    let filled = (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty());
    filled.map(|(line, text)| Cells::new(path, line, text, &places).row()).collect()
}

/// The cells of a line, in the order of [`COLUMNS`].
struct Cells<'a> {
    path: &'a str,
    line: usize,
    cells: Vec<&'a str>,
}

impl<'a> Cells<'a> {
    fn new(path: &'a str, line: usize, text: &'a str, places: &[usize]) -> Self {
        let all: Vec<&str> = text.split(',').map(str::trim).collect();
        let cells = places.iter().map(|at| all.get(*at).copied().unwrap_or_default()).collect();
        Self { path, line, cells }
    }

    fn bad(&self, column: usize, accepted: &'static str) -> RowsError {
        RowsError::Cell {
            path: self.path.to_owned(),
            line: self.line,
            column: COLUMNS[column],
            cell: self.cells[column].to_owned(),
            accepted,
        }
    }

    fn ns(&self, column: usize) -> Result<f64, RowsError> {
        let ns = self.cells[column].parse::<f64>().ok();
        ns.filter(|ns| ns.is_finite() && *ns >= 0.0)
            .ok_or_else(|| self.bad(column, "nanoseconds from 0, for example 212.5"))
    }

    fn row(&self) -> Result<PublishedRow, RowsError> {
        const LOCKS: &str =
            "a lock of `pamt-bench list locks` or its alias, for example swap_mutex";
        let ns = self.ns(5)?;
        if ns == 0.0 {
            return Err(self.bad(5, "nanoseconds above 0, for example 212.5"));
        }
        let threads = self.cells[4].parse().ok().filter(|threads| *threads > 0);
        Ok(PublishedRow {
            host: self.cells[0].to_owned(),
            lock: LockKindId::by_name(self.cells[1]).ok_or_else(|| self.bad(1, LOCKS))?,
            critical_ns: self.ns(2)?,
            parallel_ns: self.ns(3)?,
            threads: threads.ok_or_else(|| self.bad(4, "a whole number from 1"))?,
            ns,
            min_ns: self.ns(6)?,
            max_ns: self.ns(7)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "host,test,crit_ns_nominal,par_ns_nominal,threads,median_wall_ns_per_acquire,min,max";

    #[test]
    fn shipped_rows_are_read_and_split() {
        let rows = parse(LOCKHAMMER_2018, "shipped").expect("shipped rows are sound");
        let of = |host: &str| rows.iter().filter(|row| row.host == host).collect::<Vec<_>>();
        assert_eq!((of("x86-1").len(), of("x86-2").len()), (6 * 64, 24 * 48));
        let fitted = of("x86-2").iter().filter(|row| row.may_be_fitted()).count();
        assert_eq!(fitted, 2 * 48 + 22, "two curves, and the first point of each other");
        assert!(of("x86-3").iter().all(|row| row.may_be_fitted()));
    }

    #[test]
    fn faults_name_file_line_column_and_what_is_accepted() {
        let fault = |line: &str| {
            let text = format!("{HEADER}\na,swap_mutex,0,0,1,25,24,26\n{line}\n");
            parse(&text, "rows.csv").expect_err("refused").to_string()
        };
        for (line, parts) in [
            ("a,swap,0,0,1,25,24,26", ["rows.csv:3", "`test`", "swap_mutex"]),
            ("a,swap_mutex,0,0,0,25,24,26", ["rows.csv:3", "`threads`", "from 1"]),
            ("a,swap_mutex,0,x,1,25,24,26", ["rows.csv:3", "`par_ns_nominal`", "from 0"]),
            ("a,swap_mutex,0,0,1", ["rows.csv:3", "`median_wall_ns_per_acquire`", "212.5"]),
        ] {
            let message = fault(line);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
        let message = parse("host,test\n", "rows.csv").expect_err("refused").to_string();
        assert!(message.contains("crit_ns_nominal"), "{message}");
    }
}
