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
mod plan;
mod profile;
mod report;
mod store_buffer;
mod topology;

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
            Self::OneCpu | Self::Native(_) => Exit::HostCannot,
            Self::Profile(_) => Exit::Usage,
        }
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
/// A host that has no two CPUs to measure.
pub fn calibrate(mut step: impl FnMut(&'static str)) -> Result<Calibration, CalibrateError> {
    let cpus = host_cpus();
    let first = cpus.first().copied().ok_or(CalibrateError::OneCpu)?;
    if cpus.len() < 2 {
        return Err(CalibrateError::OneCpu);
    }
    let shape = topology::shape(&cpus);
    let plan = plan::plan(&cpus);
    step("core clock and instructions");
    let ghz = core_clock::ghz(first.number);
    let instructions = instructions::measure(first.number);
    step("loads from each level of cache");
    let levels = chase::measure(&cpus);
    step("transfers between all pairs of CPUs");
    let matrix = c2c::matrix(&plan);
    step("every kind of transfer, for some pairs of each distance");
    let pairs = plan.samples().map(|(class, pair)| (class, c2c::costs(pair))).collect();
    step("one line under all CPUs");
    let contended = contended::measure(&in_order(&cpus));
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
    /// The profile as a file.
    ///
    /// # Errors
    /// The base does not exist, or does not accept what was measured.
    pub fn profile(&self, request: &CalibrateRequest) -> Result<String, CalibrateError> {
        let text = profile::text(self, request)?;
        Profile::parse(&text, &request.name)?;
        Ok(text)
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

    /// What the steps that grow with the host should take at most, by their windows.
    fn expected(cpus: &[HostCpu]) -> Duration {
        let plan = plan::plan(cpus);
        plan::tests::expected(&plan)
            + c2c::tests::expected() * plan.samples().count() as u32
            + contended::tests::expected(cpus.len())
    }

    #[test]
    fn every_host_is_measured_in_two_minutes_with_half_a_minute_for_what_does_not_grow() {
        let host = plan::tests::host;
        for cpus in [host(1, 1, 1), host(2, 4, 8), host(2, 2, 64), host(4, 8, 16)] {
            let expected = expected(&cpus);
            assert!(expected < Duration::from_secs(90), "{} CPUs: {expected:?}", cpus.len());
        }
    }
}
