//! Values that are each acceptable but cannot all be true.

use std::collections::BTreeMap;

use super::error::ProfileError;
use super::keys;
use super::{Profile, Value};
use crate::machine::topology::Unfit;

/// Where a file gives its keys: line by key.
pub(super) type Lines = BTreeMap<String, usize>;

/// The lower key, the higher one, and why.
static ORDERED: &[(&str, &str, &str)] = &[
    ("coherence.rmw_occupancy_ns", "coherence.c2c_llc_ns", BUSY),
    ("coherence.shared_occupancy_ns", "coherence.forward_llc_ns", BUSY),
    ("coherence.c2c_llc_ns", "coherence.c2c_socket_ns", FARTHER),
    ("coherence.c2c_llc_ns", "coherence.c2c_near_ns", FARTHER),
    ("coherence.c2c_near_ns", "coherence.c2c_far_ns", FARTHER),
    ("memory.dram_local_ns", "memory.dram_near_ns", FARTHER),
    ("memory.dram_near_ns", "memory.dram_far_ns", FARTHER),
    ("core.l1_kib", "core.l2_kib", "a second-level cache is no smaller than a first-level one"),
];
const BUSY: &str = "a line cannot be busy for longer than its transfer takes";
const FARTHER: &str = "what is farther away is not nearer in time";

/// Refuses values that are out of order. Only pairs are looked at of which the file gives one: a base's own
/// are not its author's, and neither are a base's distances that this machine does not have.
pub(super) fn check_order(
    profile: &Profile,
    origin: &str,
    lines: &Lines,
) -> Result<(), ProfileError> {
    for (low, high, why) in ORDERED {
        let given = [low, high].iter().any(|key| lines.contains_key(**key));
        if [low, high].iter().any(|key| !lines.contains_key(**key) && !has_distance(profile, key)) {
            continue;
        }
        let (Some(lower), Some(higher)) = (profile.values.get(*low), profile.values.get(*high))
        else {
            continue;
        };
        if given && lower.v > higher.v {
            return Err(out_of_order(origin, lines, (low, lower), (high, higher), why));
        }
    }
    Ok(())
}

/// Whether the machine has the distance that a key is of.
fn has_distance(profile: &Profile, key: &str) -> bool {
    let between_sockets = ["_near_", "_far_"].iter().any(|distance| key.contains(distance));
    profile.topology.sockets > 1 || !between_sockets
}

/// Blames a key that the file itself gives.
fn out_of_order(
    origin: &str,
    lines: &Lines,
    (low, lower): (&str, &Value),
    (high, higher): (&str, &Value),
    why: &str,
) -> ProfileError {
    let limits = |key| keys::find(key).map_or((0.0, f64::MAX), |spec| (spec.lo, spec.hi));
    let (key, value, other, others, accepted) = if lines.contains_key(low) {
        (low, lower, high, higher, (limits(low).0, higher.v))
    } else {
        (high, higher, low, lower, (lower.v, limits(high).1))
    };
    let named = key.rsplit_once('.').map_or(key, |(_, name)| name);
    ProfileError::Contradiction {
        origin: origin.to_owned(),
        line: lines.get(key).copied().unwrap_or(0),
        key: key.to_owned(),
        problem: format!(
            "{}: {} against {}, accepted is {} to {}: {why}",
            place(origin, lines, other, others.inherited_from.as_deref()),
            value.v,
            others.v,
            accepted.0,
            accepted.1
        ),
        example: format!("{named} = {{ v = {}, kind = \"measured\", source = \"...\" }}", others.v),
    }
}

/// What is wrong with a topology, and in which lines.
pub(super) fn unfit(origin: &str, lines: &Lines, unfit: Unfit) -> ProfileError {
    let full = |key: &str| format!("topology.{key}");
    let given = |key: &&&str| lines.contains_key(&full(key));
    let key = unfit.keys.iter().find(given).unwrap_or(&unfit.keys[0]);
    let others = unfit.keys.iter().filter(|other| *other != key);
    let others: Vec<_> = others.map(|other| place(origin, lines, &full(other), None)).collect();
    ProfileError::Contradiction {
        origin: origin.to_owned(),
        line: lines.get(&full(key)).copied().unwrap_or(0),
        key: full(key),
        problem: format!("{}: {}", others.join(" and "), unfit.problem),
        example: unfit.example,
    }
}

fn place(origin: &str, lines: &Lines, key: &str, base: Option<&str>) -> String {
    match (lines.get(key), base) {
        (Some(line), _) => format!("`{key}` ({origin}:{line})"),
        (None, Some(base)) => format!("`{key}` (of {base})"),
        (None, None) => format!("`{key}` (not given: 1)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[machine]\nname = \"x\"\ndescription = \"d\"\ninherit = \"spr-2s\"\n";

    fn error(tail: &str) -> String {
        Profile::parse(&format!("{HEAD}{tail}"), "x.toml").expect_err("must be refused").to_string()
    }

    fn names(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_line_cannot_be_busy_longer_than_its_transfer() {
        let given = "rmw_occupancy_ns = { v = 400, kind = \"measured\", source = \"s\" }\n";
        let text = error(&format!("[coherence]\n{given}"));
        names(
            &text,
            &["x.toml:6: `coherence.rmw_occupancy_ns`", "`coherence.c2c_llc_ns` (of spr-2s)"],
        );
        names(&text, &["400 against 81", "accepted is 0.5 to 81", "rmw_occupancy_ns = { v = 81"]);
    }

    #[test]
    fn a_distance_that_the_machine_lacks_contradicts_nothing() {
        let far = "[memory]\ndram_local_ns = { v = 400, kind = \"measured\", source = \"s\" }\n";
        let one = "[topology]\nsockets = 1\ndies_per_socket = 1\nllcs_per_die = 1\ncores_per_llc = 2\n\
                   threads_per_core = 1\nllc = \"socket\"\nsource = \"s\"\n";
        assert!(error(far).contains("`memory.dram_near_ns` (of spr-2s)"));
        Profile::parse(&format!("{HEAD}{one}{far}"), "x.toml").expect("one socket has one memory");
    }

    #[test]
    fn a_contradiction_of_two_keys_names_both_lines() {
        let v = |key: &str, v: u32| {
            format!("{key} = {{ v = {v}, kind = \"measured\", source = \"s\" }}\n")
        };
        let text = error(&format!("[coherence]\n{}{}", v("c2c_near_ns", 60), v("c2c_llc_ns", 70)));
        names(&text, &["x.toml:7: `coherence.c2c_llc_ns`", "`coherence.c2c_near_ns` (x.toml:6)"]);
        let text = error(&format!("[memory]\n{}", v("dram_near_ns", 50)));
        names(&text, &["x.toml:6: `memory.dram_near_ns`", "`memory.dram_local_ns` (of spr-2s)"]);
    }

    #[test]
    fn a_topology_that_does_not_divide_names_its_lines_and_what_would() {
        let text = error(
            "[topology]\nsockets = 2\ncores_per_llc = 3\nnodes_per_socket = 2\nsource = \"s\"\n",
        );
        names(
            &text,
            &["x.toml:8: `topology.nodes_per_socket`", "`topology.cores_per_llc` (x.toml:7)"],
        );
        names(&text, &["accepted is a divisor of 3", "nodes_per_socket = 1"]);
        let text = error("[topology]\nsockets = 8\ncores_per_llc = 200\nsource = \"s\"\n");
        names(&text, &["x.toml:7: `topology.cores_per_llc`", "(x.toml:6)", "1600 cores"]);
    }
}
