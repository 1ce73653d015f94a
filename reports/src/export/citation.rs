//! A short name for one result, to be quoted in a mail and found again.

use crate::schema::{Run, sorted};

/// `pb-` and 10 hexadecimal digits of a hash (FNV-1a, 64 bits) over experiment and result as written,
/// provenance left out: the same run of the same build has the same id wherever it is repeated.
#[must_use]
pub fn citation_id(run: &Run) -> String {
    let value = serde_json::json!({ "experiment": run.experiment, "result": run.result });
    let hash = sorted(value).to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("pb-{:010x}", hash >> 24)
}
