//! The parameters behind modelled numbers, each with its source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a parameter is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Measured by the cited source.
    Measured,
    /// A constant of the vendor's own performance model.
    Model,
    /// Follows from measured ones.
    Derived,
    /// Estimated, with a reason and a range.
    Estimated,
    /// Fitted on one published row.
    Fitted,
}

/// One parameter of a machine model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelParameter {
    /// How it is known.
    pub kind: ParameterKind,
    /// Name, unit last.
    pub name: String,
    /// Least and greatest plausible value, for estimates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// Where it is from.
    pub source: String,
    /// Its value.
    pub value: Value,
}
