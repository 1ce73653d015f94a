//! One experiment of a sweep, and which part of a sweep it belongs to.

use std::str::FromStr;

use pamt_reports::schema::sorted;
use serde_json::Value;
use thiserror::Error;

/// One experiment of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Hash of the experiment, 32 hexadecimal digits: the name of its result.
    pub id: String,
    /// The experiment in full, keys sorted.
    pub experiment: Value,
    /// Which draw of the uncertain parameters it runs under, from 0.
    pub draw: Option<u32>,
}

impl Job {
    /// The job of this experiment.
    #[must_use]
    pub fn new(experiment: Value, draw: Option<u32>) -> Self {
        let experiment = sorted(experiment);
        Self { id: content_id(&experiment.to_string()), experiment, draw }
    }
}

/// FNV-1a of 128 bits: among a million experiments two share an id with a chance of 1e-27.
pub(super) fn content_id(text: &str) -> String {
    let hash = text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}")
}

/// Part `index` of `of` parts: the jobs whose place in the plan leaves that remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// The whole.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Whether the job at this place of the plan is in it.
    #[must_use]
    pub fn holds(self, place: usize) -> bool {
        place % self.of == self.index
    }
}

/// A shard that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a shard; write INDEX/COUNT with INDEX from 0, for example `0/4`")]
pub struct ShardError(String);

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError(text.to_owned());
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Self {
            index: index.parse().map_err(|_| wrong())?,
            of: of.parse().map_err(|_| wrong())?,
        };
        if shard.index < shard.of { Ok(shard) } else { Err(wrong()) }
    }
}
