//! A profile for a host of which only simple lock rows are known.
//!
//! Four values come from the rows of the two counters and the swap lock without work (crit = par = 0) and
//! of one thread; all others are the base profile's. In order:
//!
//! 1. `rmw_occupancy_ns`: a saturated pair of LOCK additions keeps its line for two occupancies: half
//!    the median of the counter's rows.
//! 2. `lock_cycles`: one thread alone does one LOCK operation more on the counter than on the swap lock.
//! 3. `bench.hold_ns` and `bench.loop_ns`, the instrument: what one thread on the swap lock takes beyond
//!    what the model gives. The rows show the sum only; a third of it in the lock is a guess.
//! 4. `keep_share`: found by bisection, with the model, on the swap lock's saturated rows.
//!
//! No row has a read of a shared line: `shared_occupancy_ns` is the base's, in the proportion of
//! `rmw_occupancy_ns`, because both pass the same home.
//!
//! Saturated are the rows of 6 threads and more that the pin order puts on the first socket.

mod profile_text;
mod render;
mod topology;

pub(crate) use profile_text::ProfileText;
pub use topology::{TopologyError, parse_topology};

use pamt_sim::machine::{Profile, ProfileError, Topology};
use pamt_strategies::locks::LockKindId;
use thiserror::Error;

use self::render::Fitted;
use crate::fidelity::rows::PublishedRow;
use crate::lockbench::{LockBench, LockRunError, PinError, PinOrder, Stop, Subject, run_simulated};

/// What a fit starts from.
#[derive(Clone, Debug)]
pub struct FitRequest {
    /// Name of the new profile.
    pub name: String,
    /// Where the rows come from, for the sources of the values.
    pub rows_name: String,
    /// How the host's CPUs lie.
    pub topology: Topology,
    /// The same as it was asked for.
    pub topology_text: String,
    /// Built-in profile that gives what the rows cannot tell.
    pub base: String,
    /// Order in which the host's threads were pinned.
    pub pin: PinOrder,
}

/// A host that cannot be fitted.
#[derive(Debug, Error)]
pub enum FitError {
    /// Rows of several hosts.
    #[error("{rows} has rows of several hosts ({hosts}); choose one with --host")]
    Hosts {
        /// The file.
        rows: String,
        /// Their names.
        hosts: String,
    },
    /// Rows that are needed.
    #[error("{rows}: no row of {what} at crit = par = 0; a fit needs those of {needed}")]
    Missing {
        /// The file.
        rows: String,
        /// What is missing.
        what: String,
        /// What it takes.
        needed: &'static str,
    },
    /// The pin order does not fit the topology.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The base, or a fitted value that contradicts it.
    #[error("{0}; choose another --base or check --topology")]
    Profile(#[from] ProfileError),
    /// The benchmark.
    #[error(transparent)]
    Run(#[from] LockRunError),
}

/// Threads from which the counter's line is saturated in published rows.
const SATURATED: usize = 6;
/// Acquisitions of each thread in the runs of a fit.
const ACQUIRES: u64 = 300;
/// Halvings of the interval of `keep_share`: to better than 0.003.
const HALVINGS: usize = 8;
/// No kept line is left beyond this share; the interval that is searched.
const KEEP_MOST: f64 = 0.7;
const NEEDED: &str =
    "incdec_refcount and swap_mutex, at 1 thread and at several numbers from 6 on within a socket";

/// The text of the profile that is fitted on `rows`.
///
/// # Errors
/// Rows are missing, or their values contradict the base.
pub fn fit(rows: &[PublishedRow], request: &FitRequest) -> Result<String, FitError> {
    let rows = Rows::new(rows, request)?;
    let base = Profile::builtin(&request.base)?;
    let pair = rows.median(LockKindId::Refcount)?;
    let (counter_alone, swap_alone) =
        (rows.alone(LockKindId::Refcount)?, rows.alone(LockKindId::Tas)?);
    let occupancy_ns = pair / 2.0;
    let of_base = |key: &str| Ok::<_, ProfileError>(base.value(key)?.v);
    let shared_share =
        of_base("coherence.shared_occupancy_ns")? / of_base("coherence.rmw_occupancy_ns")?;
    let mut fitted = Fitted {
        occupancy_ns,
        isolated_ns: occupancy_ns * (1.0 + of_base("coherence.isolated_extra")?),
        shared_ns: occupancy_ns * shared_share,
        lock_cycles: ((counter_alone - swap_alone) * base.clock().ghz()).round().max(1.0),
        hold_ns: 0.0,
        loop_ns: 0.0,
        keep_share: 0.0,
        saturated: (SATURATED, rows.in_socket),
    };
    let instrument = swap_alone - modelled(&fitted, request, 1)?;
    fitted.hold_ns = (instrument / 3.0).max(0.0);
    fitted.loop_ns = (instrument - fitted.hold_ns).max(0.0);
    fitted.keep_share = keep_share(&fitted, &rows, request)?;
    Ok(render::text(&fitted, request))
}

/// The share with which the model meets the swap lock's rows on the average of their logarithms.
fn keep_share(fitted: &Fitted, rows: &Rows<'_>, request: &FitRequest) -> Result<f64, FitError> {
    let swaps: Vec<_> = rows.saturated(LockKindId::Tas).collect();
    // The quarters of the curve fix it. Its end is noisy: there the host's own work has no CPU left.
    let some = [1, 2, 3].map(|quarter| swaps[swaps.len() * quarter / 4]);
    let (mut low, mut high) = (0.0, KEEP_MOST);
    for _ in 0..HALVINGS {
        let keep_share = (low + high) / 2.0;
        let mut too_slow = 0.0;
        for row in some {
            let ns = modelled(&Fitted { keep_share, ..fitted.clone() }, request, row.threads)?;
            too_slow += (ns / row.ns).ln();
        }
        // The more is kept, the faster the lock.
        if too_slow > 0.0 { low = keep_share } else { high = keep_share }
    }
    Ok((low + high) / 2.0)
}

/// The swap lock with a profile of these values.
fn modelled(fitted: &Fitted, request: &FitRequest, threads: usize) -> Result<f64, FitError> {
    let profile = Profile::parse(&render::text(fitted, request), &request.name)?;
    let bench = LockBench {
        stop: Stop::Acquires(ACQUIRES),
        pin: request.pin.clone(),
        ..LockBench::new(Subject::Own(LockKindId::Tas), threads)
    };
    Ok(run_simulated(&profile, &bench)?.ns_per_acquire)
}

/// The rows of one host without work.
struct Rows<'a> {
    idle: Vec<&'a PublishedRow>,
    /// Threads that the pin order puts on the first socket.
    in_socket: usize,
    name: &'a str,
}

impl<'a> Rows<'a> {
    fn new(rows: &'a [PublishedRow], request: &'a FitRequest) -> Result<Self, FitError> {
        let mut hosts: Vec<&str> = rows.iter().map(|row| row.host.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        if hosts.len() > 1 {
            let (rows, hosts) = (request.rows_name.clone(), hosts.join(", "));
            return Err(FitError::Hosts { rows, hosts });
        }
        let topology = &request.topology;
        let socket = |cpu| topology.socket_of(topology.core_of(cpu));
        let cpus = request.pin.cpus(topology)?;
        let first = cpus.first().map_or(0, |cpu| socket(*cpu));
        let in_socket = cpus.iter().take_while(|cpu| socket(**cpu) == first).count();
        let mut idle: Vec<_> = rows.iter().filter(|row| row.idle()).collect();
        idle.sort_by_key(|row| row.threads);
        Ok(Self { idle, in_socket, name: &request.rows_name })
    }

    fn of(&self, lock: LockKindId) -> impl Iterator<Item = &'a PublishedRow> + '_ {
        self.idle.iter().copied().filter(move |row| row.lock == lock)
    }

    fn saturated(&self, lock: LockKindId) -> impl Iterator<Item = &'a PublishedRow> + '_ {
        let range = SATURATED..=self.in_socket;
        self.of(lock).filter(move |row| range.contains(&row.threads))
    }

    fn missing(&self, lock: LockKindId, threads: &str) -> FitError {
        let what = format!("{} at {threads}", lock.info().name);
        FitError::Missing { rows: self.name.to_owned(), what, needed: NEEDED }
    }

    fn alone(&self, lock: LockKindId) -> Result<f64, FitError> {
        let row = self.of(lock).find(|row| row.threads == 1);
        Ok(row.ok_or_else(|| self.missing(lock, "1 thread"))?.ns)
    }

    /// Median of the saturated rows; there must be some of the swap lock, too.
    fn median(&self, lock: LockKindId) -> Result<f64, FitError> {
        let threads = format!("{SATURATED} to {} threads", self.in_socket);
        if self.saturated(LockKindId::Tas).next().is_none() {
            return Err(self.missing(LockKindId::Tas, &threads));
        }
        let times: Vec<f64> = self.saturated(lock).map(|row| row.ns).collect();
        pamt_reports::stats::median(&times).ok_or_else(|| self.missing(lock, &threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelity::rows::{LOCKHAMMER_2018, parse};

    fn request(topology: &str) -> FitRequest {
        FitRequest {
            name: "x".into(),
            rows_name: "rows.csv".into(),
            topology: parse_topology(topology).expect("valid"),
            topology_text: topology.into(),
            base: "clx-2s".into(),
            pin: PinOrder::SmtFirst,
        }
    }

    fn rows(host: &str) -> Vec<PublishedRow> {
        let rows = parse(LOCKHAMMER_2018, "shipped").expect("sound");
        rows.into_iter().filter(|row| row.host == host).collect()
    }

    #[test]
    fn a_two_socket_host_is_fitted_on_its_first_socket_alone() {
        let text = fit(&rows("x86-4"), &request("2x10x2")).expect("fits");
        let profile = Profile::parse(&text, "x.toml").expect("its own output");
        let value = |key| profile.value(key).expect("given");
        let occupancy = value("coherence.rmw_occupancy_ns");
        assert!((23.0..24.5).contains(&occupancy.v), "half of 46 to 49: {}", occupancy.v);
        assert!(occupancy.source.contains("N = 6 to 20"), "{}", occupancy.source);
        assert!(value("bench.loop_ns").v > 0.0);
        assert_eq!(value("coherence.hitm_near_ns").inherited_from.as_deref(), Some("clx-2s"));
    }

    #[test]
    fn the_shipped_profiles_of_lockhammers_hosts_are_what_a_fit_writes() {
        for (host, topology, base) in [
            ("x86-2", "1x24x2", "clx-2s"),
            ("x86-3", "2x22x2", "bdx-2s"),
            ("x86-4", "2x10x2", "bdx-2s"),
        ] {
            let name = format!("lockhammer-{host}");
            let (rows_name, base) = ("lockhammer-2018.csv".into(), base.into());
            let request = FitRequest { name: name.clone(), rows_name, base, ..request(topology) };
            let shipped = Profile::builtins().find(|(known, _)| *known == name).expect("shipped").1;
            let text = fit(&rows(host), &request).expect("fits");
            assert!(text == shipped, "write it anew with `machine fit` (docs/fidelity.md): {text}");
        }
    }

    #[test]
    fn rows_that_are_missing_and_hosts_that_are_many_are_named() {
        let message =
            |rows: &[PublishedRow]| fit(rows, &request("1x24x2")).expect_err("refused").to_string();
        let swaps: Vec<_> =
            rows("x86-2").into_iter().filter(|row| row.lock == LockKindId::Tas).collect();
        let text = message(&swaps);
        assert!(text.contains("rows.csv") && text.contains("no row of refcount"), "{text}");
        let text = message(&[rows("x86-3"), rows("x86-4")].concat());
        assert!(text.contains("x86-3, x86-4") && text.contains("--host"), "{text}");
    }
}
