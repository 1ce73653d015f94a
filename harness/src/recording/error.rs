//! What can be wrong with a recording. Every fault names its line; a file is read on after one, up to
//! [`MOST_FAULTS`] of them.

use std::fmt;

use thiserror::Error;

use super::operation::MAGIC;

/// After so many wrong lines the rest of a file is not looked at.
pub const MOST_FAULTS: usize = 20;

/// Why a line is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The first line.
    #[error("expected `{MAGIC} clock=NAME` as the first line, found `{found}`")]
    Header {
        /// Its beginning.
        found: String,
    },
    /// Too few fields.
    #[error("`{field}` is missing; a line is `time_ns cpu td get|put pfn [took_ns]`")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// Not a number.
    #[error("{field} is `{found}`; write a whole number, decimal or 0x...")]
    Number {
        /// Which.
        field: &'static str,
        /// As given.
        found: String,
    },
    /// A number out of range.
    #[error("{field} is {found}, at most {most:#x} is possible")]
    TooLarge {
        /// Which.
        field: &'static str,
        /// As given.
        found: String,
        /// The greatest.
        most: u64,
    },
    /// No such operation.
    #[error("`{found}` is no operation; it is `get`, `put` or `wait`")]
    Operation {
        /// As given.
        found: String,
    },
    /// Too many fields.
    #[error("`{found}` stands after the last field; write `#` before a comment")]
    More {
        /// The first of them.
        found: String,
    },
    /// Not text.
    #[error("the line is no UTF-8 text; is this a trace?")]
    NotText,
    /// Longer than any right line.
    #[error("the line has more than {most} bytes; is this a trace?")]
    TooLong {
        /// The most that is read.
        most: usize,
    },
    /// The file ends inside a line.
    #[error("the last line has no end: the file was cut off; end it, or take the line out")]
    Truncated,
    /// A time before that of an earlier line.
    #[error(
        "time {time_ns} is {back_ns} ns before that of an earlier line; sort the lines by time"
    )]
    OutOfOrder {
        /// Its time.
        time_ns: u64,
        /// How far back.
        back_ns: u64,
    },
    /// Later than [`super::WINDOW`] lines can mend.
    #[error("time {time_ns} is {back_ns} ns too late to be sorted in; record with larger buffers")]
    TooLate {
        /// Its time.
        time_ns: u64,
        /// How far back.
        back_ns: u64,
    },
    /// A get of a page that is held.
    #[error("pfn {pfn:#x} is got again before it was put; a line is missing or doubled")]
    GotTwice {
        /// The page.
        pfn: u64,
    },
    /// A put of a page that is not held.
    #[error("pfn {pfn:#x} is put again before it was got; a line is missing or doubled")]
    PutTwice {
        /// The page.
        pfn: u64,
    },
    /// Reading failed.
    #[error("cannot read on: {0}")]
    Unreadable(String),
}

/// A wrong line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// A recording that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordingError {
    /// It cannot be opened.
    #[error("cannot read trace {file}: {why}")]
    Open {
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
    /// Lines of it are wrong.
    #[error("{}", Listed { file, faults })]
    Faults {
        /// The file.
        file: String,
        /// The first [`MOST_FAULTS`] of them.
        faults: Vec<Fault>,
    },
    /// No get or put in it.
    #[error("trace {file} has no get and no put; there is nothing to replay")]
    Empty {
        /// The file.
        file: String,
    },
    /// It cannot be replayed, though it is right.
    #[error("trace {file}: {why}")]
    Unfit {
        /// The file.
        file: String,
        /// Why, and what to do.
        why: String,
    },
}

struct Listed<'a> {
    file: &'a str,
    faults: &'a [Fault],
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Fault { line, problem }) in self.faults.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{line}: {problem}", self.file)?;
        }
        if self.faults.len() == MOST_FAULTS {
            write!(f, "\n{}: {MOST_FAULTS} wrong lines; the rest was not looked at", self.file)?;
        }
        Ok(())
    }
}
