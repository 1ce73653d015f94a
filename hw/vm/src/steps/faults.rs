//! In-kernel runs while the module is made to fail.

use pamt_hw::{Device, abi};

use super::twins::{BACKING, REGIONS, SPECS, run};
use crate::system::{Emulator, Helper, Outcome, cpus, ensure, text};

/// A fifth of all ADDs and REMOVEs find their target busy. Strategies that retry get through; the
/// others fail gets, and leave what a failed put leaves: a reference and its pair.
pub(super) fn busy() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&["busy_permille=200"])?;
    let mut met = 0;
    for spec in SPECS {
        let device = Device::open().map_err(text)?;
        device.alloc(REGIONS + BACKING).map_err(text)?;
        let result = run(&device, spec, cpus(), 2000)?;
        let target = (result.busy_add[abi::BUSY_RCX], result.busy_remove[abi::BUSY_RCX]);
        met += target.0 + target.1;
        ensure!(target.0 > 0, "{spec}: no ADD met BUSY on its target");
        if spec.starts_with("striped") || spec.starts_with("per-2m") {
            let violations = result.violations();
            ensure!(violations.is_empty(), "{spec} retries, yet {}", violations.join(", "));
            ensure!(result.failed_get == 0, "{spec}: {} gets failed", result.failed_get);
        } else {
            ensure!(result.failed_get > 0, "{spec} does not retry, yet no get failed");
        }
        balanced(spec, &result)?;
        drop(device);
        emulator.audit()?;
    }
    Ok(format!("{met} BUSY"))
}

/// A third of all REMOVEs fail for good: one accounted leak each, and no more.
pub(super) fn failing_remove() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&["fail_remove_permille=333"])?;
    let mut failed = 0;
    for spec in SPECS {
        let device = Device::open().map_err(text)?;
        device.alloc(REGIONS + BACKING).map_err(text)?;
        let result = run(&device, spec, cpus(), 2000)?;
        ensure!(result.remove.count > result.pairs_removed, "{spec}: no REMOVE failed");
        ensure!(keeps(spec) || result.failed_put > 0, "{spec}: no put failed");
        failed += result.failed_put;
        balanced(spec, &result)?;
        emulator.set("fail_remove_permille", "0")?;
        drop(device);
        emulator.audit()?;
        emulator.set("fail_remove_permille", "333")?;
    }
    Ok(format!("{failed} failed puts"))
}

/// Slow SEAMCALLs stretch the holds; the books still balance.
pub(super) fn slow() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&["slow_us=100"])?;
    for spec in SPECS {
        let device = Device::open().map_err(text)?;
        device.alloc(REGIONS + BACKING).map_err(text)?;
        let result = run(&device, spec, 2 * cpus(), 200)?;
        let violations = result.violations();
        ensure!(violations.is_empty(), "{spec}: {}", violations.join(", "));
    }
    emulator.audit()?;
    Ok(String::new())
}

/// Whether a strategy keeps a pair that the module does not give back, instead of failing a put.
fn keeps(spec: &str) -> bool {
    spec.starts_with("parked")
}

/// What is left is what failed puts left, or what was kept until the end and then failed; no held
/// region was ever without its pair.
fn balanced(spec: &str, result: &abi::RunResult) -> Result<(), String> {
    ensure!(result.missing_pair == 0, "{spec}: {} regions without pair", result.missing_pair);
    ensure!(result.lost_pages == 0, "{spec}: {} pages lost", result.lost_pages);
    let (refcounts, pairs) = (result.left_refcounts, result.left_pairs);
    let references = if keeps(spec) { 0 } else { pairs };
    ensure!(refcounts == references, "{spec}: {refcounts} references, {pairs} pairs left");
    let balance = result.pairs_added - result.pairs_removed;
    ensure!(pairs == balance, "{spec}: {pairs} pairs left, {balance} by the count");
    // The quiesce at the end counts as one put, however many pairs it could not remove.
    let ends = if keeps(spec) { u64::from(REGIONS) * result.failed_put } else { result.failed_put };
    ensure!(!keeps(spec) || result.failed_put <= 1, "{spec}: {} puts failed", result.failed_put);
    ensure!(pairs <= ends, "{spec}: {pairs} pairs, {} puts", result.failed_put);
    Ok(())
}
