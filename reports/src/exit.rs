//! Exit codes of `pamt-bench`, one documented enum.
//!
//! They stay clear of 1 (what a shell or `make` makes of any failure), of 2 (usage, as clap has it)
//! and of 128 and above (signals), so that a script can tell a verdict from an accident.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Passed.
    Passed = 0,
    /// The command line, or a file that it names, cannot be used.
    Usage = 2,
    /// There was nothing to compare.
    NothingToCompare = 4,
    /// Inconclusive; a failure only with `--strict`.
    Inconclusive = 5,
    /// A bug of this tool: a panic, or a state that it holds impossible.
    Internal = 70,
    /// Reading or writing failed.
    Io = 74,
    /// The gate's own file is bad.
    BadGateFile = 95,
    /// A metric regressed.
    Regression = 100,
    /// The results are not comparable.
    Incomparable = 101,
    /// A run that must be deterministic was not.
    Nondeterminism = 102,
    /// The baseline is missing.
    NoBaseline = 103,
    /// An invariant broke in a run or a check.
    Violation = 110,
    /// An expectation of a script failed.
    ExpectationFailed = 111,
    /// The result is partial.
    Partial = 112,
    /// This host cannot do what was asked.
    HostCannot = 120,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// All of them, in order of their code.
    pub const ALL: &[Self] = &[
        Self::Passed,
        Self::Usage,
        Self::NothingToCompare,
        Self::Inconclusive,
        Self::Internal,
        Self::Io,
        Self::BadGateFile,
        Self::Regression,
        Self::Incomparable,
        Self::Nondeterminism,
        Self::NoBaseline,
        Self::Violation,
        Self::ExpectationFailed,
        Self::Partial,
        Self::HostCannot,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// One line for help texts and the manual.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Usage => "the command line, or a file it names, cannot be used",
            Self::NothingToCompare => "there was nothing to compare",
            Self::Inconclusive => "inconclusive (only with --strict)",
            Self::Internal => "a bug of this tool",
            Self::Io => "reading or writing failed",
            Self::BadGateFile => "the gate's file is bad",
            Self::Regression => "a metric regressed",
            Self::Incomparable => "the results are not comparable",
            Self::Nondeterminism => "a run that must be deterministic was not",
            Self::NoBaseline => "the baseline is missing",
            Self::Violation => "an invariant broke",
            Self::ExpectationFailed => "an expectation of a script failed",
            Self::Partial => "the result is partial",
            Self::HostCannot => "this host cannot do what was asked",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_ascending_and_never_the_shells_own_failure() {
        assert!(Exit::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        assert!(Exit::ALL.iter().all(|exit| exit.code() != 1));
    }
}
