//! Numbers with units, as the command line takes them: sizes (`256MiB`), durations (`200ns`).

use thiserror::Error;

use pamt_strategies::spec::{nearest, nearest_hint};
use pamt_strategies::units::PAGE_BYTES;

/// A number or unit that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Not a number with one of the units.
    #[error(
        "`{input}` is not a {what}{}; write a number and a unit ({units}), for example `{example}`",
        nearest_hint(.nearest)
    )]
    Malformed {
        /// As given.
        input: String,
        /// `size`, `duration`.
        what: &'static str,
        /// Units that are understood.
        units: &'static str,
        /// A valid one.
        example: &'static str,
        /// The same number with the nearest unit that is understood.
        nearest: Option<String>,
    },
    /// Not a whole number of pages.
    #[error("`{input}` is not a whole number of 4 KiB pages; write for example `{example}`")]
    Pages {
        /// As given.
        input: String,
        /// A valid one.
        example: &'static str,
    },
}

const SIZES: [(&str, f64); 5] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("B", 1.0),
];
const DURATIONS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];

/// Bytes of a size such as `8GiB`.
///
/// # Errors
/// No number, no unit, or an unknown one.
pub fn size(input: &str) -> Result<u64, QuantityError> {
    with_unit(input, &SIZES).map(|bytes| bytes as u64).ok_or_else(|| QuantityError::Malformed {
        input: input.to_owned(),
        what: "size",
        units: "B, KiB, MiB, GiB, TiB",
        example: "256MiB",
        nearest: nearest_unit(input, &SIZES),
    })
}

/// Bytes of a size that is a whole, positive number of 4 KiB pages.
///
/// # Errors
/// That of [`size`], or a size that is no whole number of pages.
pub fn pages(input: &str) -> Result<u64, QuantityError> {
    let bytes = size(input)?;
    if bytes == 0 || bytes % PAGE_BYTES != 0 {
        return Err(QuantityError::Pages { input: input.to_owned(), example: "256MiB" });
    }
    Ok(bytes)
}

/// Nanoseconds of a duration such as `200ns` or `1.5us`.
///
/// # Errors
/// No number, no unit, or an unknown one.
pub fn duration_ns(input: &str) -> Result<f64, QuantityError> {
    with_unit(input, &DURATIONS).ok_or_else(|| QuantityError::Malformed {
        input: input.to_owned(),
        what: "duration",
        units: "ns, us, ms, s",
        example: "200ns",
        nearest: nearest_unit(input, &DURATIONS),
    })
}

/// Begin and length of a window such as `5ms+100us`, in nanoseconds.
///
/// # Errors
/// One of the two is no duration.
pub fn window_ns(input: &str) -> Result<[u64; 2], QuantityError> {
    let malformed = || QuantityError::Malformed {
        input: input.to_owned(),
        what: "window (begin + length)",
        units: "ns, us, ms, s",
        example: "5ms+100us",
        nearest: None,
    };
    let (from, length) = input.split_once('+').ok_or_else(malformed)?;
    let [from, length] = [duration_ns(from)?, duration_ns(length)?];
    if length < 1.0 {
        return Err(malformed());
    }
    Ok([from.round() as u64, length.round() as u64])
}

fn with_unit(input: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = input.trim();
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let number = number.trim_end();
    // `f64` would also read signs, exponents, `inf` and `nan`.
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = number.parse().ok()?;
    value.is_finite().then_some(value * factor)
}

/// `input` with the unit that is nearest to what stands behind its number.
fn nearest_unit(input: &str, units: &[(&'static str, f64)]) -> Option<String> {
    let text = input.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let unit = nearest(unit, units.iter().map(|(unit, _)| *unit))?;
    Some(format!("{number}{unit}")).filter(|_| !number.is_empty())
}

/// A size in the largest unit that leaves a whole number.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = units.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_carry_their_unit() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1.5 GiB"), Ok(3 << 29));
        assert_eq!(size("4096B"), Ok(4096));
        assert_eq!(duration_ns("200ns"), Ok(200.0));
        assert_eq!(duration_ns("1.5us"), Ok(1500.0));
        assert_eq!(duration_ns("2s"), Ok(2e9));
    }

    #[test]
    fn an_error_names_the_input_and_an_example() {
        for wrong in ["256", "256MB", "-1MiB", "infMiB", "MiB", "1e3KiB"] {
            let message = size(wrong).expect_err(wrong).to_string();
            assert!(message.contains(wrong) && message.contains("256MiB"), "{message}");
        }
        let message = duration_ns("200").expect_err("no unit").to_string();
        assert!(message.contains("`200`") && message.contains("200ns"), "{message}");
    }

    #[test]
    fn memory_is_a_whole_number_of_pages() {
        assert_eq!(pages("4KiB"), Ok(4096));
        assert!(pages("0MiB").is_err() && pages("5000B").is_err());
    }

    #[test]
    fn a_size_is_shown_in_the_unit_that_it_was_given_in() {
        for text in ["256MiB", "8GiB", "2TiB", "4KiB", "4097B"] {
            assert_eq!(show_size(size(text).expect("valid")), text);
        }
    }
}
