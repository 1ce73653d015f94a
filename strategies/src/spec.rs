//! Specs of strategies and locks: `name`, `name:argument`, `name[key=value,...]` and lists of them.
//!
//! `striped:64` sets the parameter that the strategy names as its argument; `per-2m:lock=bit` is the
//! same as `per-2m[lock=bit]`. Lists split at commas outside brackets.

use crate::locks::{LOCKS, LockKindId};

/// Values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A power of two from `1` to `max`.
    PowerOfTwo {
        /// Greatest value.
        max: u64,
    },
    /// A whole number.
    Integer {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A whole number, or `unbounded`.
    Bound {
        /// Greatest number.
        max: u64,
    },
    /// The name of a lock that excludes.
    Lock,
}

/// A parameter of a strategy.
#[derive(Debug)]
pub struct Param {
    /// Key in brackets.
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// Value when it is not given.
    pub default: &'static str,
    /// One line.
    pub help: &'static str,
}

/// A spec that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No such name.
    #[error("unknown {what} `{name}`{}; `list` shows all", nearest_hint(.nearest))]
    Unknown {
        /// `strategy`, `lock`.
        what: &'static str,
        /// As given.
        name: String,
        /// Nearest valid name.
        nearest: Option<&'static str>,
    },
    /// The strategy takes no such parameter.
    #[error("`{spec}`: {owner} has no parameter `{key}`{}{}", nearest_hint(.nearest), parameter_list(.known))]
    UnknownKey {
        /// The whole spec.
        spec: String,
        /// Strategy.
        owner: &'static str,
        /// As given.
        key: String,
        /// Nearest valid key.
        nearest: Option<&'static str>,
        /// All valid keys.
        known: Vec<&'static str>,
    },
    /// A value that the parameter does not take.
    #[error("`{spec}`: `{key}={value}` is not {accepts}{}", nearest_hint(.nearest))]
    Value {
        /// The whole spec.
        spec: String,
        /// Parameter.
        key: String,
        /// As given.
        value: String,
        /// What it takes.
        accepts: String,
        /// Nearest of the words that it takes.
        nearest: Option<&'static str>,
    },
    /// Brackets or commas that do not fit together.
    #[error("`{spec}` is not `name[:argument][[key=value,...]]`: {problem}")]
    Shape {
        /// The whole spec.
        spec: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// ` (did you mean ...?)` for an error's text, or nothing.
pub fn nearest_hint<S: AsRef<str>>(nearest: &Option<S>) -> String {
    let hint = |name: &S| format!(" (did you mean `{}`?)", name.as_ref());
    nearest.as_ref().map_or_else(String::new, hint)
}

fn parameter_list(known: &[&'static str]) -> String {
    if known.is_empty() { "; it has none".into() } else { format!("; it has {}", known.join(", ")) }
}

/// Splits a list at commas outside brackets.
///
/// # Errors
/// Brackets that do not pair up, or an empty entry.
pub fn split_list(list: &str) -> Result<Vec<&str>, SpecError> {
    let shape = |problem| SpecError::Shape { spec: list.to_owned(), problem };
    let (mut depth, mut start, mut entries) = (0_u32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth = depth.checked_sub(1).ok_or_else(|| shape("a `]` closes nothing"))?;
            }
            ',' if depth == 0 => {
                entries.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    entries.push(list[start..].trim());
    if depth != 0 {
        return Err(shape("a `[` is not closed"));
    }
    if entries.iter().any(|entry| entry.is_empty()) {
        return Err(shape("an entry of the list is empty"));
    }
    Ok(entries)
}

/// A spec taken apart, nothing looked up yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawSpec<'a> {
    pub(crate) name: &'a str,
    /// In the order given; an argument without a key has the key "".
    pub(crate) settings: Vec<(&'a str, &'a str)>,
}

pub(crate) fn take_apart(spec: &str) -> Result<RawSpec<'_>, SpecError> {
    let shape = |problem| SpecError::Shape { spec: spec.to_owned(), problem };
    let (head, bracketed) = match spec.split_once('[') {
        None => (spec, None),
        Some((head, rest)) => {
            let inside = rest.strip_suffix(']').ok_or_else(|| shape("a `[` is not closed"))?;
            (head, Some(inside))
        }
    };
    let (name, argument) = match head.split_once(':') {
        None => (head, None),
        Some((name, argument)) => (name, Some(argument)),
    };
    if name.trim().is_empty() {
        return Err(shape("the name is missing"));
    }
    let parts = argument.into_iter().chain(bracketed).flat_map(|part| part.split(','));
    let mut settings = Vec::new();
    for part in parts.map(str::trim) {
        if part.is_empty() {
            return Err(shape("a setting is empty"));
        }
        let (key, value) = part.split_once('=').unwrap_or(("", part));
        settings.push((key.trim(), value.trim()));
    }
    Ok(RawSpec { name: name.trim(), settings })
}

impl ParamKind {
    /// What it takes, in words.
    #[must_use]
    pub fn accepts(self) -> String {
        match self {
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::PowerOfTwo { max } => format!("a power of two from 1 to {max}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Bound { max } => format!("`unbounded` or a whole number up to {max}"),
            Self::Lock => {
                let exclusive = LOCKS.iter().filter(|lock| lock.exclusive);
                let names: Vec<_> = exclusive.map(|lock| lock.name).collect();
                format!("a lock ({})", names.join(", "))
            }
        }
    }

    /// The word that it takes and that is nearest to `value`.
    #[must_use]
    pub fn nearest(self, value: &str) -> Option<&'static str> {
        match self {
            Self::Choice(words) => nearest(value, words.iter().copied()),
            Self::Lock => {
                let exclusive = LOCKS.iter().filter(|lock| lock.exclusive);
                nearest(value, exclusive.map(|lock| lock.name))
            }
            Self::PowerOfTwo { .. } | Self::Integer { .. } | Self::Bound { .. } => None,
        }
    }

    /// Whether it takes `value`.
    #[must_use]
    pub fn takes(self, value: &str) -> bool {
        let number = value.parse::<u64>().ok();
        match self {
            Self::Choice(words) => words.contains(&value),
            Self::PowerOfTwo { max } => number.is_some_and(|n| n.is_power_of_two() && n <= max),
            Self::Integer { min, max } => number.is_some_and(|n| (min..=max).contains(&n)),
            Self::Bound { max } => value == "unbounded" || number.is_some_and(|n| n <= max),
            Self::Lock => LockKindId::by_name(value).is_some_and(|lock| lock.info().exclusive),
        }
    }
}

/// The candidate with the least edit distance, if it is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 2).max(2);
    candidates
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A lock given by name.
///
/// # Errors
/// No such lock.
pub fn parse_lock(name: &str) -> Result<LockKindId, SpecError> {
    LockKindId::by_name(name.trim()).ok_or_else(|| SpecError::Unknown {
        what: "lock",
        name: name.trim().to_owned(),
        nearest: nearest(name.trim(), LOCKS.iter().map(|lock| lock.name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_splits_outside_brackets_only() {
        let list = "static, striped:64[hash=mix,lock=mcs],per-2m:lock=bit";
        let entries = split_list(list).expect("well-formed");
        assert_eq!(entries, ["static", "striped:64[hash=mix,lock=mcs]", "per-2m:lock=bit"]);
        assert!(split_list("a[b").is_err() && split_list("a]").is_err());
        assert!(split_list("a,,b").is_err());
    }

    #[test]
    fn an_argument_and_brackets_give_settings_in_order() {
        let raw = take_apart("striped:64[hash=mix]").expect("well-formed");
        assert_eq!(raw.name, "striped");
        assert_eq!(raw.settings, [("", "64"), ("hash", "mix")]);
        assert_eq!(
            take_apart("per-2m:lock=bit").expect("colon form").settings,
            take_apart("per-2m[lock=bit]").expect("bracket form").settings,
        );
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let names = ["striped", "global", "simple"];
        assert_eq!(nearest("stripd", names.into_iter()), Some("striped"));
        assert_eq!(nearest("zzzzzzzzzz", names.into_iter()), None);
    }

    #[test]
    fn an_unknown_lock_is_named_with_its_nearest() {
        let message = parse_lock("tickt").expect_err("no such lock").to_string();
        assert!(message.contains("`tickt`") && message.contains("`ticket`"), "{message}");
    }
}
