//! The steps of `cargo xtask long`: too slow for CI, run before a release.

use crate::step::{Step, command};

/// What takes minutes to hours.
pub(crate) const STEPS: &[Step] = &[Step {
    name: "benches",
    what: "all criterion benches, as docs/performance.md quotes them",
    needs: &[],
    run: || command(&["cargo", "bench", "--workspace"]),
}];
