//! Why a profile is refused: each message names file, line, key and remedy.

/// A profile that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML.
    #[error("{origin}:{line}: not valid TOML: {message}")]
    Syntax {
        /// File name or profile name.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A key that no section has.
    #[error("{origin}:{line}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// File name or profile name.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// `; nearest: ...`, or empty.
        hint: String,
    },
    /// A value of the wrong form or outside its bounds.
    #[error("{origin}:{line}: `{key}` {problem}; for example: {example}")]
    BadValue {
        /// File name or profile name.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// What is wrong, with the accepted range.
        problem: String,
        /// A line that would be accepted.
        example: String,
    },
    /// A value that the machine needs and nobody gave.
    #[error("{origin}: `{key}` is missing{hint}")]
    Missing {
        /// File name or profile name.
        origin: String,
        /// The key.
        key: String,
        /// Meaning, accepted range and an example.
        hint: String,
    },
    /// Values that cannot all be true.
    #[error("{origin}:{line}: `{key}` contradicts {problem}; for example: {example}")]
    Contradiction {
        /// File name or profile name.
        origin: String,
        /// Line of the key, from 1.
        line: usize,
        /// The key to change.
        key: String,
        /// What it contradicts, with the lines, and how, with the accepted range.
        problem: String,
        /// A line that would be accepted.
        example: String,
    },
    /// No built-in profile of this name.
    #[error("unknown machine `{name}`; nearest: `{nearest}`")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The nearest built-in name.
        nearest: String,
    },
    /// A machine for which no data exist: it must be calibrated first.
    #[error("machine `{name}` has no published data: {reason}")]
    Refused {
        /// Which.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
}
