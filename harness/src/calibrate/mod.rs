//! `calibrate`: what this host's caches cost, measured into a machine profile.
//!
//! Every value is measured alone, by a probe of its own, in short windows: an interruption spoils a window,
//! not the figure. A figure is the median of its windows over several addresses (a line's address decides
//! which slice of the cache, and which socket, is its home) and several pairs of CPUs; its range is from
//! the least to the 90 % window. No probe takes a lock: lock curves are what the profile is to predict
//! (`validate --native`). What this host cannot tell comes from the base profile, and is marked inherited.

mod c2c;
mod chase;
mod contended;
mod core_clock;
mod crew;
mod figure;
mod instructions;
mod lines;
mod overhead;
mod patience;
mod plan;
mod profile;
mod report;
mod store_buffer;
mod topology;

use std::collections::BTreeMap;
use std::io;

use pamt_reports::exit::Exit;
use pamt_reports::plot::Heat;
use pamt_sim::machine::{Profile, ProfileError};
use pamt_strategies::platform::native::{HostCpu, NativeError, host_cpus};
use thiserror::Error;

use self::c2c::Matrix;
use self::chase::Levels;
use self::contended::Contended;
use self::figure::Figure;
use self::instructions::Instructions;
use self::overhead::Overhead;
use self::patience::Limits;
use self::plan::Class;
use self::store_buffer::StoreBuffer;
use self::topology::Shape;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct CalibrateRequest {
    /// Name of the new profile.
    pub name: String,
    /// Built-in profile that gives what cannot be measured.
    pub base: String,
}

/// A host that cannot be calibrated.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// One CPU has nobody to exchange lines with.
    #[error(
        "this process may run on one CPU only: transfers between CPUs cannot be measured; \
         allow it two (taskset, cpusets), or use a built-in profile"
    )]
    OneCpu,
    /// As many threads as CPUs do not run at once.
    #[error(
        "a thread on each of {cpus} CPUs cannot be started: {source}; \
         raise the limit of processes (ulimit -u, pids.max), or allow fewer CPUs (taskset)"
    )]
    Threads {
        /// How many were to start.
        cpus: usize,
        /// What the system says.
        source: io::Error,
    },
    /// The base.
    #[error("{0}; choose another --base")]
    Profile(#[from] ProfileError),
    /// Threads of this host.
    #[error(transparent)]
    Native(#[from] NativeError),
}

impl CalibrateError {
    /// The exit code that it ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::OneCpu | Self::Threads { .. } | Self::Native(_) => Exit::HostCannot,
            Self::Profile(_) => Exit::Usage,
        }
    }
}

/// Keys whose measured values a profile does not have, each with the reason.
type LeftOut = BTreeMap<String, String>;

/// A profile that loads.
pub struct CalibratedProfile {
    /// As a file.
    pub text: String,
    left_out: LeftOut,
}

impl CalibratedProfile {
    /// What was measured and is not in the profile, a sentence each.
    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        profile::notes_of(&self.left_out)
    }
}

/// Everything that was measured.
pub struct Calibration {
    shape: Shape,
    ghz: Option<Figure>,
    instructions: Instructions,
    levels: Levels,
    matrix: Matrix,
    pairs: Vec<(Class, c2c::PairCosts)>,
    contended: Vec<Contended>,
    store_buffer: StoreBuffer,
    overhead: Overhead,
}

/// Steps of a calibration, for a progress bar.
pub const STEPS: usize = 8;

/// Measures this host; `step` is told what comes next.
///
/// # Errors
/// A host that has no two CPUs to measure, or does not let a thread run on each of them.
pub fn calibrate(step: impl FnMut(&'static str)) -> Result<Calibration, CalibrateError> {
    measure(&host_cpus(), &Limits::WHOLE, step)
}

fn measure(
    cpus: &[HostCpu],
    limits: &Limits,
    mut step: impl FnMut(&'static str),
) -> Result<Calibration, CalibrateError> {
    let first = cpus.first().copied().ok_or(CalibrateError::OneCpu)?;
    if cpus.len() < 2 {
        return Err(CalibrateError::OneCpu);
    }
    let numbers: Vec<usize> = cpus.iter().map(|cpu| cpu.number).collect();
    crew::can_start(&numbers)
        .map_err(|source| CalibrateError::Threads { cpus: cpus.len(), source })?;
    let shape = topology::shape(cpus);
    let plan = plan::plan(cpus);
    step("core clock and instructions");
    let ghz = core_clock::ghz(first.number);
    let instructions = instructions::measure(first.number);
    step("loads from each level of cache");
    let levels = chase::measure(cpus, limits);
    step("transfers between all pairs of CPUs");
    let matrix = c2c::matrix(&plan, limits);
    step("every kind of transfer, for some pairs of each distance");
    let each = limits.kinds / (c2c::KINDS * plan.samples().count().max(1) as u32);
    let pairs = plan.samples().map(|(class, pair)| (class, c2c::costs(pair, each))).collect();
    step("one line under all CPUs");
    let contended = contended::measure(&in_order(cpus), limits.contended);
    step("the store buffer");
    let pair = plan.samples().next().map_or([0, 0], |(_, pair)| pair);
    let store_buffer = store_buffer::measure(pair);
    step("what measuring costs");
    let overhead = overhead::measure()?;
    step("done");
    Ok(Calibration {
        shape,
        ghz,
        instructions,
        levels,
        matrix,
        pairs,
        contended,
        store_buffer,
        overhead,
    })
}

/// One CPU of each core first, near ones before far ones.
fn in_order(cpus: &[HostCpu]) -> Vec<usize> {
    let mut sorted = cpus.to_vec();
    sorted.sort_by_key(|cpu| {
        let place = cpu.place;
        let sibling = cpu.number != usize::from(place.core);
        (sibling, cpu.socket, place.llc, place.core, cpu.number)
    });
    sorted.iter().map(|cpu| cpu.number).collect()
}

impl Calibration {
    /// The profile as a file that loads. A host that gives its CPUs to others can measure what no machine has, or
    /// what contradicts itself: of such keys the base's values stand, and a note says which and why.
    ///
    /// # Errors
    /// The base does not exist, or does not fit this host.
    pub fn profile(&self, request: &CalibrateRequest) -> Result<CalibratedProfile, CalibrateError> {
        let mut left_out = LeftOut::new();
        loop {
            let text = profile::text(self, request, &left_out)?;
            let Err(error) = Profile::parse(&text, &request.name) else {
                return Ok(CalibratedProfile { text, left_out });
            };
            let (key, why) = match &error {
                ProfileError::BadValue { key, problem, .. } => (key, problem.clone()),
                ProfileError::Contradiction { key, problem, .. } => {
                    (key, format!("contradicts {problem}"))
                }
                _ => return Err(error.into()),
            };
            if left_out.insert(key.clone(), why).is_some() {
                // It is not what was measured that does not fit.
                return Err(error.into());
            }
        }
    }

    /// What was measured, for a terminal of this width.
    #[must_use]
    pub fn report(&self) -> String {
        report::text(self)
    }

    /// Transfers between all pairs of CPUs.
    #[must_use]
    pub fn heat(&self) -> Heat {
        self.matrix.heat()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Core clock, instructions, store buffer and what measuring costs: a million operations of less than a us.
    const REST: Duration = Duration::from_secs(1);
    const TWO_MINUTES: Duration = Duration::from_secs(120);

    /// What all steps should take at most, by their windows.
    fn expected(cpus: &[HostCpu]) -> Duration {
        let plan = plan::plan(cpus);
        chase::tests::expected(cpus)
            + plan::tests::expected(&plan)
            + c2c::tests::expected() * plan.samples().count() as u32
            + contended::tests::expected(cpus.len())
            + REST
    }

    /// When the last window of each step begins at the latest.
    fn longest(limits: &Limits) -> Duration {
        limits.level * chase::tests::LEVEL_LIMITS
            + limits.memory * chase::tests::MEMORY_LIMITS
            + limits.matrix
            + limits.kinds
            + limits.contended
            + REST
    }

    /// 2, 4, 128 and 1,024 CPUs; the first two as one socket.
    fn hosts() -> [Vec<HostCpu>; 4] {
        let host = plan::tests::host;
        [host(1, 1, 1), host(1, 1, 2), host(2, 4, 8), host(4, 8, 16)]
    }

    #[test]
    fn every_host_is_measured_in_two_minutes_by_its_windows() {
        for cpus in hosts() {
            let expected = expected(&cpus);
            assert!(expected < TWO_MINUTES, "{} CPUs: {expected:?}", cpus.len());
        }
    }

    #[test]
    fn a_host_that_stretches_its_windows_is_measured_in_two_minutes_less_the_last_window_of_each_step()
     {
        let longest = longest(&Limits::WHOLE);
        assert!(longest < TWO_MINUTES, "{longest:?}");
    }

    /// As many threads as that host has, on the CPUs of this one: its numbers beyond these cannot be pinned to, so
    /// the figures are of no machine. What is shown is that it ends, and that the profile loads.
    #[test]
    fn a_crew_of_128_threads_comes_to_an_end_within_its_limits_and_says_what_is_missing() {
        let cpus = plan::tests::host(2, 4, 8);
        let limits = Limits {
            level: Duration::from_millis(50),
            memory: Duration::ZERO,
            matrix: Duration::from_secs(1),
            pair: Duration::from_millis(5),
            kinds: Duration::from_millis(500),
            contended: Duration::from_millis(200),
        };
        let calibration = measure(&cpus, &limits, |_| {}).expect("more than one CPU");
        let most = calibration.contended.last().expect("all CPUs come first");
        assert_eq!(most.cpus, 128);
        // A base with all distances: none of them may be fit to be written.
        let request = CalibrateRequest { name: "crowd".into(), base: "genoa-2s".into() };
        let profile = calibration.profile(&request).expect("a profile that loads").text;
        assert!(profile.contains("of 8128 pairs of CPUs were measured"), "{profile}");
        assert!(profile.contains("Time ran out") && calibration.report().contains("Time ran out"));

        // Whatever those threads measured: a second is beyond all machines.
        let mut slow = calibration;
        slow.instructions.lock_add = Figure::exactly(1e9);
        let profile = slow.profile(&request).expect("a profile that loads");
        let note = profile.notes().find(|note| note.contains("core.lock_cycles"));
        assert!(note.is_some_and(|note| note.contains("accepted is 1 to 200")), "{}", profile.text);
        assert!(
            !profile.text.contains("\nlock_cycles") && profile.text.contains("core.lock_cycles")
        );
    }
}
