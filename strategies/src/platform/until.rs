//! The predicate of a spin loop, as data.
//!
//! A closure could not be tested by the simulator without switching to the spinner's stack, nor be
//! printed in a deadlock report.

use core::fmt;

/// Holds for a word `w` when `(w & mask == value) == equal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Bits that are compared.
    pub mask: u64,
    /// What they are compared with.
    pub value: u64,
    /// Wait for equality, or for the end of it.
    pub equal: bool,
}

impl Until {
    /// The whole word equals `value`.
    #[must_use]
    pub const fn eq(value: u64) -> Self {
        Self { mask: u64::MAX, value, equal: true }
    }

    /// The whole word differs from `value`.
    #[must_use]
    pub const fn ne(value: u64) -> Self {
        Self { mask: u64::MAX, value, equal: false }
    }

    /// The bits of `mask` equal `value`.
    #[must_use]
    pub const fn bits_eq(mask: u64, value: u64) -> Self {
        Self { mask, value, equal: true }
    }

    /// The bits of `mask` differ from `value`.
    #[must_use]
    pub const fn bits_ne(mask: u64, value: u64) -> Self {
        Self { mask, value, equal: false }
    }

    /// Whether it holds.
    #[must_use]
    pub const fn holds(self, word: u64) -> bool {
        (word & self.mask == self.value) == self.equal
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = if self.equal { "==" } else { "!=" };
        if self.mask == u64::MAX {
            write!(f, "word {relation} {:#x}", self.value)
        } else {
            write!(f, "word & {:#x} {relation} {:#x}", self.mask, self.value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_predicate_ignores_other_bits() {
        assert!(Until::bits_eq(0xff, 0).holds(0x1_00));
        assert!(!Until::bits_eq(0xff, 0).holds(0x1_01));
        assert!(Until::bits_ne(0xff, 0).holds(0x1_01));
        assert!(Until::eq(7).holds(7) && Until::ne(7).holds(8));
    }
}
