//! Figures and their units: how a number is shown to people and written for machines.

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A whole number.
    Int(u64),
    /// Any number.
    Real(f64),
    /// A word.
    Text(String),
}

impl From<u64> for Figure {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<String> for Figure {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// Which [`Figure`] all values of a column are, for forms whose columns have a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Figure::Int`].
    Int,
    /// [`Figure::Real`].
    Real,
    /// [`Figure::Text`].
    Text,
}

/// What the value of a column may be.
pub trait Typed: Into<Figure> {
    /// The figure that it becomes.
    const KIND: Kind;
}

impl Typed for u64 {
    const KIND: Kind = Kind::Int;
}

impl Typed for f64 {
    const KIND: Kind = Kind::Real;
}

impl Typed for String {
    const KIND: Kind = Kind::Text;
}

impl Figure {
    /// As a number, for sorting and plotting.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Real(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    /// For machines: no unit, no rounding.
    #[must_use]
    pub fn raw(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The unit of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Nanoseconds.
    Ns,
    /// Nanoseconds more or less than something.
    SignedNs,
    /// Per second.
    PerSecond,
    /// A share of 1, shown in per cent.
    Share,
    /// A plain number without a unit.
    Plain,
    /// Bytes.
    Bytes,
    /// 4 KiB pages.
    Pages,
    /// A word.
    Word,
}

impl Unit {
    /// Name for legends and docs; empty where there is none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count | Self::Plain | Self::Word => "",
            Self::Ns | Self::SignedNs => "ns",
            Self::PerSecond => "1/s",
            Self::Share => "%",
            Self::Bytes => "bytes",
            Self::Pages => "pages",
        }
    }

    /// For people: three significant digits and a scale that keeps the number short.
    #[must_use]
    pub fn show(self, figure: &Figure) -> String {
        let Some(number) = figure.number() else { return figure.raw() };
        match self {
            Self::Ns => time(number),
            Self::SignedNs => {
                format!("{}{}", if number < 0.0 { '-' } else { '+' }, time(number.abs()))
            }
            Self::Share => format!("{:.1}%", number * 100.0),
            Self::Plain => significant(number),
            Self::Bytes => binary(number),
            Self::Count | Self::Pages => match figure {
                Figure::Int(whole) if *whole < 100_000 => whole.to_string(),
                _ => decimal(number),
            },
            Self::PerSecond | Self::Word => decimal(number),
        }
    }
}

/// A time in ns as perf prints it: scaled to ns, us, ms or s.
#[must_use]
pub fn time(ns: f64) -> String {
    scaled(ns, 1e3, &["ns", "us", "ms", "s"], "")
}

fn decimal(number: f64) -> String {
    scaled(number, 1e3, &["", "k", "M", "G", "T"], "")
}

fn binary(number: f64) -> String {
    scaled(number, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"], " ")
}

fn scaled(number: f64, step: f64, units: &[&str], gap: &str) -> String {
    let mut value = number;
    let mut at = 0;
    // 999.5 already rounds to four digits.
    while value.abs() >= step - step / 2000.0 && at + 1 < units.len() {
        value /= step;
        at += 1;
    }
    let digits =
        if at == 0 && value.fract() == 0.0 { value.to_string() } else { significant(value) };
    format!("{digits}{gap}{}", units[at])
}

/// Three significant digits, without an exponent.
#[must_use]
pub fn significant(value: f64) -> String {
    let size = value.abs();
    let places = match size {
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 || size == 0.0 => 2,
        _ => 3,
    };
    format!("{value:.places$}")
}

/// A computed figure with five significant digits: more than any view shows, and short when written.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let places = 4 - value.abs().log10().floor() as i32;
    let scale = 10_f64.powi(places.abs());
    if places >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_scale_and_keep_three_digits() {
        let show = |ns: u64| Unit::Ns.show(&Figure::Int(ns));
        let shown: Vec<_> =
            [0, 70, 999, 1000, 2867, 999_600, 1_234_567, 45_000_000_000].map(show).into();
        assert_eq!(
            shown,
            ["0ns", "70ns", "999ns", "1.00us", "2.87us", "1.00ms", "1.23ms", "45.0s"]
        );
    }

    #[test]
    fn computed_figures_keep_five_digits() {
        let figures = [0.0, 0.14962520478, 2_767_185_546.0, -1_234.567];
        assert_eq!(figures.map(rounded), [0.0, 0.14963, 2_767_200_000.0, -1_234.6]);
    }

    #[test]
    fn counts_stay_exact_up_to_five_digits() {
        assert_eq!(Unit::Count.show(&Figure::Int(99_999)), "99999");
        assert_eq!(Unit::Count.show(&Figure::Int(123_456)), "123k");
        assert_eq!(Unit::PerSecond.show(&Figure::Real(12_345_678.0)), "12.3M");
        assert_eq!(Unit::Share.show(&Figure::Real(0.9876)), "98.8%");
        assert_eq!(Unit::Bytes.show(&Figure::Int(5 << 20)), "5.00 MiB");
    }
}
