//! Where in a script something is, and what is wrong there.

use std::fmt;
use std::rc::Rc;

/// A place in a script: file, line and column, both from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, as given.
    pub file: Rc<str>,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ScriptError {
    /// Where.
    pub place: Place,
    /// What was expected, and what stands there.
    pub message: String,
}
