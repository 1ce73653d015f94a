//! The parameters of a machine profile as a result file lists them.

use pamt_reports::schema::{ModelParameter, ParameterKind};
use pamt_sim::machine::{Kind, Profile};

/// Every parameter with its kind and source.
pub(crate) fn parameters(profile: &Profile) -> Vec<ModelParameter> {
    let parameter = |(name, value): (&str, &pamt_sim::machine::Value)| ModelParameter {
        kind: match value.kind {
            Kind::Measured => ParameterKind::Measured,
            Kind::Model => ParameterKind::Model,
            Kind::Derived => ParameterKind::Derived,
            Kind::Estimate => ParameterKind::Estimated,
            Kind::Fitted => ParameterKind::Fitted,
        },
        name: name.to_owned(),
        range: value.range.map(|(low, high)| [low, high]),
        source: match &value.inherited_from {
            Some(other) => format!("{} (taken from {other})", value.source),
            None => value.source.clone(),
        },
        value: value.v.into(),
    };
    profile.values().map(parameter).collect()
}
