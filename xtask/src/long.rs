//! The steps of `cargo xtask long`: too slow for CI, run before a release.

use crate::mutants;
use crate::peers;
use crate::setup::Need;
use crate::step::{Step, command};
use crate::strategies;

/// What takes minutes to hours.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "benches",
        what: "all criterion benches, as docs/performance.md quotes them",
        needs: &[],
        run: || command(&["cargo", "bench", "--workspace"]),
    },
    Step {
        name: "mutants",
        what: "bugs planted in the strategies, one at a time: check finds each",
        needs: &[],
        run: mutants::run,
    },
    Step {
        name: "peers",
        what: "the event engine beside SystemC, nexosim and SimPy",
        needs: &[
            Need::Debian { file: "/usr/bin/g++", package: "g++" },
            Need::Debian { file: "/usr/include/systemc", package: "libsystemc-dev" },
        ],
        run: peers::run,
    },
    strategies::STEP,
];
