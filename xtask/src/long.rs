//! The steps of `cargo xtask long`: too slow for CI, run before a release.

use crate::mutants;
use crate::peers;
use crate::setup::Need;
use crate::step::{Outcome, Step, command};
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
        name: "aa",
        what: "native runs of one build, in turn: how many pairs are within their verdict on noise",
        needs: &[],
        run: native_pairs,
    },
    Step {
        name: "miri",
        what: "the unsafe code of the strategies crate under miri",
        needs: &[Need::Nightly("miri")],
        run: miri,
    },
    Step {
        name: "tsan",
        what: "locks and strategies on threads, under the thread sanitiser",
        needs: &[Need::Nightly("rust-src")],
        run: thread_sanitiser,
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

/// 40 pairs of four rows each, in fresh processes; `ab` fails if fewer than 19 of 20 are within.
fn native_pairs() -> Outcome {
    let lock = ["lock", "--lock", "ticket,mcs", "--threads", "1,2", "--duration", "100ms"];
    let ab = ["cargo", "run", "--release", "-q", "--", "ab", "--strict", "--pairs", "40", "--"];
    command(&[&ab[..], &lock[..]].concat())
}

/// Sub-word operations run as loops there: miri has no inline assembly. Each operation takes it some
/// thousand times as long, so that a few random programs must do.
fn miri() -> Outcome {
    // Threads are pinned and topology is read: both are calls of the host.
    let settings = ["env", "MIRIFLAGS=-Zmiri-disable-isolation", "PROPTEST_CASES=2"];
    let test = ["cargo", "+nightly", "miri", "test", "-q", "-p", "pamt-strategies"];
    command(&[&settings[..], &test[..], &["--test", "native_words"]].concat())
}

/// The standard library is built anew, so that its locks are seen, too.
fn thread_sanitiser() -> Outcome {
    let target = "x86_64-unknown-linux-gnu";
    let test = ["cargo", "+nightly", "test", "-q", "-Zbuild-std", "--target", target];
    let what = ["-p", "pamt-strategies", "--test", "native_locks", "--test", "native_strategies"];
    let settings = ["env", "RUSTFLAGS=-Zsanitizer=thread"];
    command(&[&settings[..], &test[..], &what[..]].concat())
}
