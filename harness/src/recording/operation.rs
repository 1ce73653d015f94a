//! One line of a recording.

use std::fmt;

use super::error::Problem;

/// What the first line begins with, and the version that is read and written.
pub(super) const MAGIC: &str = "pamt-trace 1";

/// Page numbers have 40 bits: physical addresses have 52.
const MOST_PFN: u64 = (1 << 40) - 1;

/// The first line of a recording whose times are of `clock`.
#[must_use]
pub fn header(clock: &str) -> String {
    format!("{MAGIC} clock={clock}\n")
}

/// An operation of a real host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it began, by the recording's clock.
    pub time_ns: u64,
    /// CPU that it ran on.
    pub cpu: u16,
    /// TD that it served: the process id of its VMM, or any other number that stands for it.
    pub td: u32,
    /// What it was.
    pub what: What,
}

/// What an operation was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `tdx_pamt_get()` of a page.
    Get {
        /// The page.
        pfn: u64,
        /// How long it took, where that was recorded.
        took_ns: Option<u64>,
    },
    /// `tdx_pamt_put()` of a page.
    Put {
        /// The page.
        pfn: u64,
        /// How long it took, where that was recorded.
        took_ns: Option<u64>,
    },
    /// A wait for a lock, as the kernel's contention tracepoints report it.
    Wait {
        /// Address or number of the lock.
        lock: u64,
        /// How long.
        waited_ns: u64,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time_ns, cpu, td, what } = self;
        write!(f, "{time_ns} {cpu} {td} ")?;
        let took = |f: &mut fmt::Formatter<'_>, took_ns: &Option<u64>| match took_ns {
            Some(took_ns) => write!(f, " {took_ns}"),
            None => Ok(()),
        };
        match what {
            What::Get { pfn, took_ns } => write!(f, "get {pfn:#x}").and_then(|()| took(f, took_ns)),
            What::Put { pfn, took_ns } => write!(f, "put {pfn:#x}").and_then(|()| took(f, took_ns)),
            What::Wait { lock, waited_ns } => write!(f, "wait {lock:#x} {waited_ns}"),
        }
    }
}

/// A decimal number, or a hexadecimal one after `0x`.
pub(super) fn number(word: &str) -> Option<u64> {
    // `parse` would also take a sign.
    match word.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if word.starts_with('+') => None,
        None => word.parse().ok(),
    }
}

/// The words of one line, taken one by one.
pub(super) struct Words<'t>(std::str::SplitAsciiWhitespace<'t>);

impl<'t> Words<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self(text.split_ascii_whitespace())
    }

    pub(super) fn next(&mut self) -> Option<&'t str> {
        self.0.next()
    }

    /// A number up to `most` that must be there.
    pub(super) fn number(&mut self, field: &'static str, most: u64) -> Result<u64, Problem> {
        match self.next() {
            Some(word) => Self::checked(word, field, most),
            None => Err(Problem::Missing { field }),
        }
    }

    /// A number that may be there.
    pub(super) fn optional(&mut self, field: &'static str) -> Result<Option<u64>, Problem> {
        self.next().map(|word| Self::checked(word, field, u64::MAX)).transpose()
    }

    fn checked(word: &str, field: &'static str, most: u64) -> Result<u64, Problem> {
        let found = || word.chars().take(40).collect::<String>();
        let value = number(word).ok_or_else(|| Problem::Number { field, found: found() })?;
        if value > most {
            return Err(Problem::TooLarge { field, found: found(), most });
        }
        Ok(value)
    }

    pub(super) fn pfn(&mut self) -> Result<u64, Problem> {
        self.number("pfn", MOST_PFN)
    }

    pub(super) fn end(&mut self) -> Result<(), Problem> {
        match self.next() {
            Some(word) => Err(Problem::More { found: word.chars().take(40).collect() }),
            None => Ok(()),
        }
    }
}

impl Operation {
    /// Reads one line without its comment; `None` where nothing is left of it.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Problem> {
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let mut words = Words::of(text);
        let time_ns = words.number("time_ns", u64::MAX)?;
        let cpu = words.number("cpu", u16::MAX.into())? as u16;
        let td = words.number("td", u32::MAX.into())? as u32;
        let what = match words.next() {
            Some("get") => What::Get { pfn: words.pfn()?, took_ns: words.optional("took_ns")? },
            Some("put") => What::Put { pfn: words.pfn()?, took_ns: words.optional("took_ns")? },
            Some("wait") => What::Wait {
                lock: words.number("lock", u64::MAX)?,
                waited_ns: words.number("waited_ns", u64::MAX)?,
            },
            Some(word) => {
                return Err(Problem::Operation { found: word.chars().take(40).collect() });
            }
            None => return Err(Problem::Missing { field: "operation" }),
        };
        words.end()?;
        Ok(Some(Self { time_ns, cpu, td, what }))
    }
}
