//! In-kernel runs of every C twin on kernel threads bound to CPUs, books checked.

use pamt_hw::abi::{self, RunResult};
use pamt_hw::{Device, InKernelRun, Twin};
use pamt_strategies::registry::StrategySpec;

use crate::system::{Emulator, Helper, Outcome, cpus, ensure, text};

/// Every twin, with the parameters that change its protocol.
pub(super) const SPECS: [&str; 9] = [
    "global",
    "simple",
    "striped:64",
    "striped:2",
    "striped:4[cover=all]",
    "per-2m",
    "per-2m[cover=all]",
    "parked:1",
    "parked:0",
];

pub(super) const REGIONS: u32 = 8;
pub(super) const BACKING: u32 = 2;

/// The twin of a spec.
pub(super) fn twin(spec: &str) -> Result<Twin, String> {
    Twin::of(&StrategySpec::parse(spec).map_err(text)?).map_err(text)
}

/// A run with `threads` threads, spread over the CPUs.
pub(super) fn run(
    device: &Device,
    spec: &str,
    threads: u32,
    ops: u32,
) -> Result<Box<RunResult>, String> {
    let cpus: Vec<u32> = (0..threads).map(|thread| thread % cpus()).collect();
    let run = InKernelRun {
        twin: twin(spec)?,
        cpus: &cpus,
        depth: 3,
        regions: REGIONS,
        backing: BACKING,
        ops,
        seed: 1,
    };
    let result = device.run(&run).map_err(|e| format!("{spec}: {e}"))?;
    ensure!(result.get.count == u64::from(threads * ops), "{spec}: {} gets", result.get.count);
    Ok(result)
}

/// Pairs added and removed agree with the histograms of their SEAMCALLs, and nothing is left.
fn check(spec: &str, threads: u32, result: &RunResult) -> Result<(), String> {
    let violations = result.violations();
    ensure!(violations.is_empty(), "{spec} x {threads}: {}", violations.join(", "));
    ensure!(result.failed_get == 0, "{spec}: {} gets failed", result.failed_get);
    ensure!(result.put.count == result.get.count, "{spec}: {} puts", result.put.count);
    ensure!(result.add.count > 0, "{spec}: no PAMT.ADD");
    let busy = (result.busy_add, result.busy_remove);
    ensure!(
        busy == ([0; abi::BUSY_SLOTS], [0; abi::BUSY_SLOTS]),
        "{spec}: BUSY {busy:?} though backing pages lie in no target"
    );
    ensure!(result.add.count == result.remove.count, "{spec}: ADDs and REMOVEs differ");
    let total: u64 = result.get.bucket.iter().sum();
    ensure!(total == result.get.count, "{spec}: the histogram holds {total} values");
    Ok(())
}

/// One thread, one on each CPU, and two on each CPU.
pub(super) fn every_twin() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let device = Device::open().map_err(text)?;
    device.alloc(REGIONS + BACKING).map_err(text)?;
    let mut adds = 0;
    for spec in SPECS {
        for threads in [1, cpus(), 2 * cpus()] {
            let result = run(&device, spec, threads, 2000)?;
            check(spec, threads, &result)?;
            emulator.audit()?;
            adds += result.add.count;
        }
    }
    Ok(format!("{} specs, {adds} ADDs", SPECS.len()))
}
