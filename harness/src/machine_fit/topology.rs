//! `2x22x2,ccx=4,die=8`: sockets x cores of a socket x threads of a core, and what shares a cache.

use pamt_sim::machine::{LlcScope, Topology};
use thiserror::Error;

/// A topology that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "topology `{input}`: {problem}; write SOCKETSxCORESxTHREADS, for example 2x22x2, and where cores \
     share a last-level cache in groups, ,ccx=4 (cores of a group) and ,die=8 (cores of a die)"
)]
pub struct TopologyError {
    input: String,
    problem: String,
}

/// Reads a topology.
///
/// # Errors
/// It is not of that form, or its numbers do not divide.
pub fn parse_topology(input: &str) -> Result<Topology, TopologyError> {
    let error = |problem: String| TopologyError { input: input.to_owned(), problem };
    let number = |text: &str| {
        let n = text.parse::<u16>().ok().filter(|n| (1..=512).contains(n));
        n.ok_or_else(|| error(format!("`{text}` is no number from 1 to 512")))
    };
    let mut parts = input.split(',');
    let shape: Vec<u16> =
        parts.next().unwrap_or_default().split('x').map(number).collect::<Result<_, _>>()?;
    let [sockets, cores, threads] = shape[..] else {
        return Err(error(format!("{} numbers, not 3", shape.len())));
    };
    let (mut ccx, mut die) = (None, None);
    for part in parts {
        match part.split_once('=') {
            Some(("ccx", n)) => ccx = Some(number(n)?),
            Some(("die", n)) => die = Some(number(n)?),
            _ => return Err(error(format!("`{part}` is unknown"))),
        }
    }
    let per_die = die.unwrap_or(cores);
    let per_llc = ccx.unwrap_or(per_die);
    if cores % per_die != 0 || per_die % per_llc != 0 {
        let problem =
            format!("{cores} cores do not divide into dies of {per_die} and caches of {per_llc}");
        return Err(error(problem));
    }
    Ok(Topology {
        dies_per_socket: cores / per_die,
        llcs_per_die: per_die / per_llc,
        // Tiles without a word of their caches share one, as on Intel's.
        llc: if ccx.is_some() { LlcScope::Ccx } else { LlcScope::Socket },
        ..Topology::simple(sockets, per_llc, threads)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read() {
        let t = parse_topology("2x22x2").expect("valid");
        assert_eq!((t.sockets, t.cores(), t.cpus(), t.llcs()), (2, 44, 88, 2));
        let t = parse_topology("1x32x2,ccx=4,die=8").expect("valid");
        assert_eq!((t.dies_per_socket, t.llcs_per_die, t.llcs()), (4, 2, 8));
        let t = parse_topology("2x56x2,die=14").expect("valid");
        assert_eq!((t.dies_per_socket, t.llcs()), (4, 2));
    }

    #[test]
    fn faults_name_the_part_and_an_example() {
        for (text, fault) in [
            ("2x22", "2 numbers"),
            ("2x22x0", "`0`"),
            ("2x22x2,ccx=4", "do not divide"),
            ("2x22x2,tile=4", "`tile=4`"),
        ] {
            let message = parse_topology(text).expect_err(text).to_string();
            assert!(message.contains(fault) && message.contains("2x22x2"), "{message}");
        }
    }
}
