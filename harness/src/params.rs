//! Parameters that `--set key=value` gives: those of a workload and those of the host model.
//!
//! Each is declared once, with its unit, default and help; `list` and the checks of a run read the same
//! declaration.

use std::collections::BTreeMap;

use pamt_strategies::spec::{nearest, nearest_hint};
use thiserror::Error;

use crate::quantity::{self, QuantityError};

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A duration with its unit.
    Duration,
    /// A size with its unit, in whole pages.
    Size,
    /// A whole number in this range.
    Count {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A plain number from 0 to 1.
    Fraction,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Declaration of a parameter.
#[derive(Debug)]
pub struct Param {
    /// Key of `--set`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Value when it is not given.
    pub default: &'static str,
    /// One line.
    pub help: &'static str,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ParamError {
    /// No `=`.
    #[error("`--set {0}` is not `key=value`")]
    Shape(String),
    /// No such key.
    #[error("`--set {key}=...`: {owner} has no such parameter{}", nearest_hint(.nearest))]
    Unknown {
        /// As given.
        key: String,
        /// The workload.
        owner: String,
        /// Nearest valid key.
        nearest: Option<String>,
    },
    /// A number or unit that could not be read.
    #[error("`--set {key}`: {source}")]
    Quantity {
        /// The key.
        key: &'static str,
        /// What was wrong.
        source: QuantityError,
    },
    /// A value out of range.
    #[error("`--set {key}={value}`: it takes {accepts}")]
    Value {
        /// The key.
        key: &'static str,
        /// As given.
        value: String,
        /// What it takes.
        accepts: String,
    },
}

/// Settings, each known, checked and with its default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
}

/// Splits a `--set` argument.
///
/// # Errors
/// It has no `=`.
pub fn split(argument: &str) -> Result<(String, String), ParamError> {
    let (key, value) =
        argument.split_once('=').ok_or_else(|| ParamError::Shape(argument.to_owned()))?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

impl Settings {
    /// Checks `given` against the declarations of `owner`.
    ///
    /// # Errors
    /// An unknown key or a value that its parameter does not take.
    pub fn new<'a>(
        owner: &str,
        declared: impl Iterator<Item = &'a Param> + Clone,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, ParamError> {
        for key in given.keys() {
            if !declared.clone().any(|param| param.name == key) {
                let near = nearest(key, declared.clone().map(|param| param.name));
                return Err(ParamError::Unknown {
                    key: key.clone(),
                    owner: owner.to_owned(),
                    nearest: near.map(str::to_owned),
                });
            }
        }
        let mut values = BTreeMap::new();
        for param in declared {
            let value = given.get(param.name).map_or(param.default, String::as_str);
            param.check(value)?;
            values.insert(param.name, value.to_owned());
        }
        Ok(Self { values })
    }

    fn text(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).expect("only declared parameters are asked for")
    }

    /// A duration, in nanoseconds.
    #[must_use]
    pub fn duration_ns(&self, name: &str) -> f64 {
        quantity::duration_ns(self.text(name)).expect("checked when the settings were made")
    }

    /// A size, in bytes.
    #[must_use]
    pub fn size_bytes(&self, name: &str) -> u64 {
        quantity::pages(self.text(name)).expect("checked when the settings were made")
    }

    /// A whole number.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.text(name).parse().expect("checked when the settings were made")
    }

    /// A number from 0 to 1.
    #[must_use]
    pub fn fraction(&self, name: &str) -> f64 {
        self.text(name).parse().expect("checked when the settings were made")
    }

    /// One of the words of a choice.
    #[must_use]
    pub fn choice(&self, name: &str) -> &str {
        self.text(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl Param {
    fn check(&self, value: &str) -> Result<(), ParamError> {
        let quantity = |source| ParamError::Quantity { key: self.name, source };
        let fits = match self.kind {
            Kind::Duration => quantity::duration_ns(value).map(|_| true).map_err(quantity)?,
            Kind::Size => quantity::pages(value).map(|_| true).map_err(quantity)?,
            Kind::Count { min, max } => {
                value.parse::<u64>().is_ok_and(|n| (min..=max).contains(&n))
            }
            Kind::Fraction => value.parse::<f64>().is_ok_and(|x| (0.0..=1.0).contains(&x)),
            Kind::Choice(words) => words.contains(&value),
        };
        if fits {
            return Ok(());
        }
        Err(ParamError::Value {
            key: self.name,
            value: value.to_owned(),
            accepts: self.kind.accepts(),
        })
    }
}

impl Kind {
    /// What it takes, in words.
    #[must_use]
    pub fn accepts(self) -> String {
        match self {
            Self::Duration => "a duration such as `200ns`".into(),
            Self::Size => "a size such as `256MiB`".into(),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Fraction => "a number from 0 to 1".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[Param] = &[
        Param { name: "guest", kind: Kind::Duration, default: "1us", help: "" },
        Param { name: "threads", kind: Kind::Count { min: 1, max: 8 }, default: "1", help: "" },
    ];

    fn given(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn defaults_fill_what_is_not_given() {
        let settings = Settings::new("w", DECLARED.iter(), &given("threads", "4")).expect("valid");
        assert_eq!((settings.count("threads"), settings.duration_ns("guest")), (4, 1000.0));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let message = |key, value| {
            Settings::new("w", DECLARED.iter(), &given(key, value)).expect_err("wrong").to_string()
        };
        assert!(message("thread", "4").contains("`threads`"));
        assert!(message("threads", "9").contains("from 1 to 8"));
        assert!(message("guest", "5").contains("200ns"));
    }
}
