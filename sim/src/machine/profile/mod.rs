//! Machine profiles: what a machine costs, as data with a source for each value.
//!
//! A profile is a TOML file of sections. `[machine]` names it, `[topology]` says how its CPUs lie, and
//! each key of the other sections is one cost:
//!
//! ```toml
//! [coherence]
//! hitm_llc_ns = { v = 81.0, kind = "model", source = "intel/perfmon 6dadedf, SPR TMA" }
//! rmw_occupancy_ns = { v = 31.0, range = [22.0, 40.0], kind = "estimate", source = "..." }
//! ```
//!
//! The unit is the last part of a key. Memory-bound costs are in ns, core-bound ones in cycles of
//! `core.clock_ghz`. `lo` and `hi` in place of `v` stand for their middle. `inherit = "NAME"` in
//! `[machine]` takes every value of a built-in profile that the file does not give; such values are
//! marked. What may stand in a section, and within which bounds, is the table in [`KeySpec`]'s module;
//! an unknown key, a value out of its bounds or an estimate without a range is an error with file,
//! line, key, accepted range and an example.

mod builtin;
mod contradictions;
mod error;
mod keys;
mod parse;

pub use error::ProfileError;
pub use keys::{KeySpec, Needed, keys};

use std::collections::BTreeMap;

use pamt_strategies::units::Clock;

use super::topology::Topology;

/// How a value came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Measured on such a machine, and published.
    Measured,
    /// A constant of the vendor's own performance model.
    Model,
    /// Computed from measured values.
    Derived,
    /// Nobody published it; the source says why this value, the range how far off it may be.
    Estimate,
    /// Fitted on measured rows; the source names them.
    Fitted,
}

impl Kind {
    /// All kinds with their names in files.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Measured, "measured"),
        (Self::Model, "model"),
        (Self::Derived, "derived"),
        (Self::Estimate, "estimate"),
        (Self::Fitted, "fitted"),
    ];

    /// Name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Model => "model",
            Self::Derived => "derived",
            Self::Estimate => "estimate",
            Self::Fitted => "fitted",
        }
    }
}

/// One value of a profile, in the unit that its key ends in.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The value.
    pub v: f64,
    /// How it is known.
    pub kind: Kind,
    /// Where it comes from, or why it was chosen.
    pub source: String,
    /// Lowest and highest credible value; always there for estimates.
    pub range: Option<(f64, f64)>,
    /// Name of the profile it was taken from, when it is not this profile's own.
    pub inherited_from: Option<String>,
}

/// A machine: topology and costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    name: String,
    description: String,
    notes: Vec<String>,
    topology: Topology,
    values: BTreeMap<String, Value>,
}

impl Profile {
    /// Name, as `--machine` takes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Caveats that belong beside every result of this machine.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How its CPUs lie.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The clock of the simulated world: `core.clock_ghz`.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(self.values["core.clock_ghz"].v)
    }

    /// The value of `section.key`.
    ///
    /// # Errors
    /// The profile has no such value.
    pub fn value(&self, key: &str) -> Result<&Value, ProfileError> {
        self.values.get(key).ok_or_else(|| ProfileError::Missing {
            origin: self.name.clone(),
            key: key.to_owned(),
            hint: keys::hint(key),
        })
    }

    /// All values, in order of their keys.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The same profile with one number replaced (for uncertainty and what-if runs). The value becomes
    /// an estimate whose source names the replacement.
    ///
    /// # Errors
    /// The key is unknown, or the number outside its accepted bounds.
    pub fn with_value(mut self, key: &str, v: f64, why: &str) -> Result<Self, ProfileError> {
        keys::check(&self.name, 0, key, v)?;
        let source = format!("set to {v}: {why}");
        let value =
            Value { v, kind: Kind::Estimate, source, range: Some((v, v)), inherited_from: None };
        self.values.insert(key.to_owned(), value);
        Ok(self)
    }

    /// The same profile on another topology (what-if runs and tests).
    ///
    /// # Errors
    /// The topology needs values that the profile lacks.
    pub fn with_topology(mut self, topology: Topology) -> Result<Self, ProfileError> {
        self.topology = topology;
        parse::check_complete(&self, &self.name)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_profile_is_complete_and_sources_every_value() {
        for (name, _) in Profile::builtins().filter(|(name, _)| *name != "srf-2s") {
            let profile = Profile::builtin(name).expect("parses");
            assert_eq!(profile.name(), name);
            for (key, value) in profile.values() {
                assert!(value.source.len() > 8, "{name}: {key} has no real source");
                assert!(
                    value.kind != Kind::Estimate || value.range.is_some(),
                    "{name}: {key} is an estimate without a range"
                );
            }
        }
    }

    #[test]
    fn a_machine_without_published_data_is_refused_with_the_remedy() {
        let error = Profile::builtin("srf-2s").expect_err("refused").to_string();
        assert!(error.contains("srf-2s") && error.contains("machine fit"), "{error}");
    }

    #[test]
    fn a_replaced_value_is_checked_against_its_bounds() {
        let profile = Profile::builtin("spr-2s").expect("built in");
        assert!(profile.clone().with_value("core.clock_ghz", 2.0, "test").is_ok());
        let error = profile.with_value("core.clock_ghz", 0.0, "test").expect_err("out of bounds");
        assert!(error.to_string().contains("core.clock_ghz"), "{error}");
    }
}
