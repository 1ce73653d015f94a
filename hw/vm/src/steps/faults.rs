//! In-kernel runs while the module is made to fail.

use pamt_hw::Device;

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
        met += result.busy_add + result.busy_remove;
        ensure!(result.busy_add > 0, "{spec}: no ADD met BUSY");
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
        ensure!(result.failed_put > 0, "{spec}: no put failed");
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

/// What is left is what failed puts left, and no held region was ever without its pair.
fn balanced(spec: &str, result: &pamt_hw::abi::RunResult) -> Result<(), String> {
    ensure!(result.missing_pair == 0, "{spec}: {} regions without pair", result.missing_pair);
    ensure!(result.lost_pages == 0, "{spec}: {} pages lost", result.lost_pages);
    let (refcounts, pairs) = (result.left_refcounts, result.left_pairs);
    ensure!(refcounts == pairs, "{spec}: {refcounts} references, {pairs} pairs left");
    let balance = result.pairs_added - result.pairs_removed;
    ensure!(pairs == balance, "{spec}: {pairs} pairs left, {balance} by the count");
    ensure!(pairs <= result.failed_put, "{spec}: {pairs} pairs, {} puts", result.failed_put);
    Ok(())
}
