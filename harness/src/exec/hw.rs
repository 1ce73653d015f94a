//! The hardware executor: PAMT.ADD, REMOVE and RDMD as real SEAMCALLs through the kernel helper.
//!
//! Threads, locks and cache lines are those of the native world. The helper owns memory but no TD, so
//! every other leaf is a delay: the module model in static mode, in which no leaf needs a pair. Its
//! own locks are then not those that PAMT.ADD and REMOVE take, and nothing of a TD holds a region, so
//! that BUSY, contention and times are a lower bound. A strategy that acts on the status of such a leaf
//! is refused.

use std::sync::Arc;

use pamt_hw::{Device, DeviceError, HwOps, abi};
use pamt_reports::schema::Run;
use pamt_sim::tdx::{Census, Module};
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, PamtOps, PamtPair, Regs, Status, TdLeaves};
use pamt_strategies::platform::Platform;
use pamt_strategies::platform::native::{Native, NativeBuild, NativeCpu};
use pamt_strategies::registry::{self, StrategyParams};
use pamt_strategies::units::{CpuId, Region};

use super::native::{NativeRun, carry_out, set_up};
use super::world::{Wrapped, assemble_on};
use super::{Prepared, RunError};
use crate::books::Depth;
use crate::host::Seam;

/// PAMT operations by the helper, all other leaves by the model.
struct Hardware {
    pamt: Arc<HwOps>,
    rest: Module<Native>,
}

impl Hardware {
    /// A SEAMCALL with its span and its status, as the model reports its own.
    fn seen(cpu: &NativeCpu, leaf: Leaf, call: impl FnOnce() -> Status) {
        Native::observe(cpu, Observation::Begin(Op::Leaf(leaf)));
        let status = call();
        Native::observe(cpu, Observation::Status { leaf, status });
        Native::observe(cpu, Observation::End(Op::Leaf(leaf)));
    }
}

impl PamtOps<Native> for Hardware {
    fn pamt_add(&self, cpu: &NativeCpu, region: Region, pair: PamtPair) -> Status {
        let mut status = Status::SUCCESS;
        Self::seen(cpu, Leaf::PhymemPamtAdd, || {
            status = PamtOps::<Native>::pamt_add(&*self.pamt, cpu, region, pair);
            status
        });
        status
    }

    fn pamt_remove(&self, cpu: &NativeCpu, region: Region) -> Result<PamtPair, Status> {
        let mut outcome = Err(Status::SUCCESS);
        Self::seen(cpu, Leaf::PhymemPamtRemove, || {
            outcome = PamtOps::<Native>::pamt_remove(&*self.pamt, cpu, region);
            outcome.err().unwrap_or(Status::SUCCESS)
        });
        outcome
    }

    fn pamt_present(&self, cpu: &NativeCpu, region: Region) -> Result<bool, Status> {
        PamtOps::<Native>::pamt_present(&*self.pamt, cpu, region)
    }
}

impl TdLeaves<Native> for Hardware {
    fn seamcall(&self, cpu: &NativeCpu, leaf: Leaf, regs: Regs) -> Regs {
        self.rest.seamcall(cpu, leaf, regs)
    }

    fn seamcall_on(&self, cpu: &NativeCpu, on: CpuId, leaf: Leaf, regs: Regs) -> Regs {
        self.rest.seamcall_on(cpu, on, leaf, regs)
    }

    fn td_exit(&self, cpu: &NativeCpu) -> Regs {
        self.rest.td_exit(cpu)
    }
}

impl Seam<Native> for Hardware {
    fn package_cpus(&self) -> Vec<CpuId> {
        self.rest.package_cpus().collect()
    }

    fn audit(&self, _: &NativeCpu) -> Option<Result<Census, Vec<String>>> {
        None
    }
}

pub(super) fn run(prepared: &Prepared) -> Result<Run, RunError> {
    refuse(prepared)?;
    let (device, probe) = open()?;
    let mut build = set_up(prepared, &NativeRun::default())?;
    let regions = prepared.plan(Native::node_count(&build))?.map.regions();
    let owned = regions.min(probe.max_regions - probe.pinned_regions);
    let pamt = HwOps::new(device, regions as usize, owned).map_err(|error| lost(&error))?;
    let pamt = Arc::new(pamt);
    let wrap = |rest| Arc::new(Hardware { pamt: Arc::clone(&pamt), rest }) as Arc<dyn Seam<Native>>;
    let make = |build: &mut NativeBuild, params: &StrategyParams<'_, Native>| {
        registry::build(&prepared.spec, build, params)
    };
    let seam = Wrapped { dynamic: false, wrap: &wrap };
    let world = assemble_on::<Native>(&mut build, prepared, Depth::End, &make, &seam)?;
    let run = carry_out(prepared, build, world, notes(&probe))?;
    match pamt.failure() {
        Some(failure) => Err(lost(&failure)),
        None => Ok(run),
    }
}

pub(super) fn lost(why: &dyn std::fmt::Display) -> RunError {
    RunError::NoHardware(format!("--backend hw: {why}"))
}

/// Strategies that have nothing to measure here, or need what a delay does not return.
fn refuse(prepared: &Prepared) -> Result<(), RunError> {
    let why = if !prepared.dynamic() {
        "never calls PAMT.ADD or REMOVE: there is nothing to measure"
    } else if prepared.spec.info().needs_leaf_status() {
        "acts on the status of leaves that are delays here"
    } else {
        return Ok(());
    };
    Err(RunError::NotOnHardware { strategy: prepared.experiment.strategy.clone(), why })
}

/// The helper's device, when a module with Dynamic PAMT answers behind it.
pub(super) fn open() -> Result<(Device, abi::Probe), RunError> {
    let device = match Device::open() {
        Ok(device) => device,
        Err(DeviceError::Open { .. }) => {
            return Err(RunError::NoHardware(pamt_hw::probe().to_string()));
        }
        Err(error) => return Err(lost(&error)),
    };
    let probe = device.probe().map_err(|error| lost(&error))?;
    if probe.flags & abi::F_MODULE == 0 {
        let status = Status(probe.seamcall_status);
        return Err(lost(&format!("no TDX module answers (TDH.SYS.RD: {status}); see `hw probe`")));
    }
    if probe.flags & abi::F_DPAMT_ON == 0 {
        let status = Status(probe.dpamt_status);
        return Err(lost(&format!(
            "Dynamic PAMT is not switched on (TDH.PHYMEM.PAMT.REMOVE: {status}); boot a kernel that \
             enables it"
        )));
    }
    Ok((device, probe))
}

/// What every reader of such a result must know.
fn notes(probe: &abi::Probe) -> Vec<String> {
    let mut notes = vec![
        "PAMT.ADD, PAMT.REMOVE and PAGE.RDMD are real SEAMCALLs, each through an ioctl; all other \
         leaves are delays, so BUSY, contention and times are a lower bound"
            .to_owned(),
    ];
    notes.extend(module_notes(probe));
    notes
}

/// Which module answered, and whether that is a performance result.
pub(super) fn module_notes(probe: &abi::Probe) -> Vec<String> {
    let (major, minor, update) = (probe.module_major, probe.module_minor, probe.module_update);
    let mut notes = vec![format!("TDX module {major}.{minor}.{update}")];
    if probe.flags & abi::F_HYPERVISOR != 0 {
        notes.push(
            "not a performance result: this is a virtual machine, its module is emulated"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Backend, Experiment};

    #[test]
    fn a_strategy_that_needs_what_is_a_delay_here_is_refused_before_the_device_is_opened() {
        for (strategy, why) in [("lazy", "delays"), ("static", "nothing to measure")] {
            let experiment = Experiment {
                backend: Backend::Hw,
                strategy: strategy.to_owned(),
                workload: "teardown".to_owned(),
                ..Experiment::default()
            };
            let prepared = Prepared::new(&experiment).expect("a good experiment");
            let error = run(&prepared).expect_err("refused");
            assert!(matches!(error, RunError::NotOnHardware { .. }), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
