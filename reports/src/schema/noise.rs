//! How far a measured figure can be trusted: what disturbed the run, and what helps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict in a word.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NoiseLevel {
    /// Nothing that was looked at disturbed the run.
    Quiet,
    /// Something did, or may have.
    #[default]
    Unsettled,
    /// Runs of one build differ too much for small effects to be seen.
    Noisy,
}

impl NoiseLevel {
    /// As written in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Unsettled => "unsettled",
            Self::Noisy => "noisy",
        }
    }
}

/// How far a measured figure can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Noise {
    /// What disturbed the run, or may have, worst first.
    #[serde(default)]
    pub causes: Vec<NoiseCause>,
    /// The verdict in a word.
    pub level: NoiseLevel,
    /// Two such runs of one build, in turn on this host, should differ by no more than this share of
    /// the figure, 19 times of 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_frac: Option<f64>,
}

/// Something that disturbs measurements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoiseCause {
    /// What was seen.
    pub cause: String,
    /// What helps.
    pub remedy: String,
}

impl Noise {
    /// The verdict as sentences: the first says how far to trust the figures, each other one a cause.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let bar = self.repeat_frac.map_or_else(String::new, |share| {
            format!(
                "; two such runs of one build may differ by {:.1}%, 19 times of 20",
                share * 100.0
            )
        });
        let verdict = format!("this host was {}{bar}", self.level.name());
        let causes =
            self.causes.iter().map(|NoiseCause { cause, remedy }| format!("{cause}: {remedy}"));
        std::iter::once(verdict).chain(causes).collect()
    }
}
