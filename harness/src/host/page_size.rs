//! The size of a TD's private mappings.

use pamt_strategies::units::{PAGE_BYTES, PAGES_PER_REGION};
use thiserror::Error;

/// Pages of a 2 MiB mapping.
pub(crate) const LARGE_PAGES: u64 = PAGES_PER_REGION;
/// Bytes of a 2 MiB mapping.
pub(crate) const LARGE_BYTES: u64 = LARGE_PAGES * PAGE_BYTES;

/// Which part of a TD's memory is mapped as 2 MiB pages: a share of its bytes, from 0 (`4k`) to 1
/// (`2m`). What is left over at the end of its memory is always 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PageSize {
    large: f64,
}

/// Not a page size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "--page-size {0}: give 4k, 2m, or mixed:F where F is the share of bytes in 2 MiB pages, from 0 to 1"
)]
pub struct UnknownPageSize(String);

impl PageSize {
    /// 2 MiB wherever it fits.
    pub(crate) const LARGE: Self = Self { large: 1.0 };

    /// Reads `4k`, `2m` or `mixed:0.9`.
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownPageSize> {
        let share = match text {
            "4k" => Some(0.0),
            "2m" => Some(1.0),
            _ => text.strip_prefix("mixed:").and_then(|share| share.parse().ok()),
        };
        match share {
            Some(large) if (0.0..=1.0).contains(&large) => Ok(Self { large }),
            _ => Err(UnknownPageSize(text.to_owned())),
        }
    }

    /// Whether any memory is mapped as 2 MiB pages.
    pub(crate) fn has_large(self) -> bool {
        self.large > 0.0
    }

    /// Whether 2 MiB stretch number `at` of a TD is one mapping: large ones are spread evenly.
    pub(crate) fn is_large(self, at: u64) -> bool {
        (self.large * (at + 1) as f64).floor() > (self.large * at as f64).floor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_maps_its_share_of_the_bytes_as_2m() {
        for (text, expected) in [("4k", 0), ("2m", 1000), ("mixed:0.9", 900), ("mixed:0.25", 250)] {
            let size = PageSize::parse(text).expect(text);
            assert_eq!((0..1000).filter(|at| size.is_large(*at)).count(), expected, "{text}");
            assert_eq!(size.has_large(), expected > 0);
        }
    }

    #[test]
    fn a_share_above_1_and_an_unknown_word_are_refused_with_what_is_taken() {
        for text in ["mixed:1.5", "mixed:", "1g", "mixed:nan"] {
            let told = PageSize::parse(text).expect_err(text).to_string();
            assert!(told.contains("mixed:F"), "{told}");
        }
    }
}
