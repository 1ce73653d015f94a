//! `pamt-bench` itself in the guest: what it says without a module, and a result with one.

use std::process::Command;

use crate::system::{Emulator, Helper, Outcome, ensure, text};

const HOST_CANNOT: i32 = 120;
const USAGE: i32 = 2;
const RESULT: &str = "/tmp/hw.json";
const REPORT: &str = "/tmp/hw.html";

/// Runs it with these words; its output must be as they say: exit code, and a part of the text.
fn bench(words: &str, code: i32, part: &str) -> Result<String, String> {
    let out = Command::new("/pamt-bench").args(words.split(' ')).output().map_err(text)?;
    let said = [out.stdout, out.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    ensure!(out.status.code() == Some(code), "pamt-bench {words}: {:?}\n{said}", out.status);
    ensure!(said.contains(part), "pamt-bench {words} does not say `{part}`:\n{said}");
    Ok(said)
}

fn teardown(strategy: &str) -> String {
    format!(
        "--backend hw --strategy {strategy} --workload teardown --tds 2 --vcpus 1 --memory 4MiB"
    )
}

/// Without the helper, without a module, and with Dynamic PAMT off: exit 120, and why.
pub(super) fn refusals() -> Outcome {
    let striped = teardown("striped");
    let said = bench("hw probe", HOST_CANNOT, "pamt_hw is not loaded")?;
    ensure!(said.lines().count() <= 24, "the probe does not fit one screen:\n{said}");
    bench(&striped, HOST_CANNOT, "pamt_hw is not loaded")?;
    let _helper = Helper::load()?;
    bench(&striped, HOST_CANNOT, "no TDX module answers")?;
    {
        let _static = Emulator::load(&["dynamic_pamt=0"])?;
        bench(&striped, HOST_CANNOT, "Dynamic PAMT is not switched on")?;
    }
    let _emulator = Emulator::load(&[])?;
    bench(&teardown("lazy"), USAGE, "delays here")?;
    bench(&teardown("static"), USAGE, "nothing to measure")?;
    Ok(String::new())
}

/// The HTML report of the last result: complete, and labelled as the result is.
fn report(parts: &[&str]) -> Result<(), String> {
    bench(&format!("report {RESULT} -o {REPORT}"), 0, "")?;
    let html = std::fs::read_to_string(REPORT).map_err(text)?;
    let always = ["<!doctype html>", "</html>", "measured", "not a performance result"];
    for part in always.iter().chain(parts) {
        ensure!(html.contains(part), "the report does not contain {part}");
    }
    Ok(())
}

/// A run of the main job against the emulated module: a normal result, labelled, and its report.
pub(super) fn result() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let words = teardown("striped,global,per-2m").replace("teardown", "teardown,fault-storm");
    bench(&format!("{words} --quiet -o {RESULT}"), 0, "")?;
    emulator.audit()?;
    let calls = emulator.read("calls")?;
    let json = std::fs::read_to_string(RESULT).map_err(text)?;
    for part in [
        "\"schema_version\"",
        "\"backend\": \"hw\"",
        "\"measured\"",
        "TDH.PHYMEM.PAMT.ADD",
        "TDH.PHYMEM.PAMT.REMOVE",
        "a lower bound",
        "not a performance result",
    ] {
        ensure!(json.contains(part), "the result does not contain {part}");
    }
    report(&["striped", "TDH.PHYMEM.PAMT.ADD", "a lower bound"])?;
    Ok(format!("{calls} SEAMCALLs"))
}

/// The C twins by the command line, and what they do not take.
pub(super) fn in_kernel() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let run = "--backend hw --in-kernel --tds 2 --vcpus 1 --memory 8MiB --set ops=2000";
    let specs = "global,simple,striped:4[cover=all],per-2m,parked";
    bench(&format!("{run} --strategy {specs} --quiet -o {RESULT}"), 0, "")?;
    emulator.audit()?;
    let json = std::fs::read_to_string(RESULT).map_err(text)?;
    for part in ["\"in-kernel\"", "\"pamt_get\"", "C twin on kernel threads", "not a performance"] {
        ensure!(json.contains(part), "the result does not contain {part}");
    }
    report(&["parked", "C twin on kernel threads"])?;
    bench(&format!("{run} --strategy lazy"), USAGE, "has no C twin")?;
    bench(&format!("{run} --strategy global[lock=ticket]"), USAGE, "lock=qspinlock only")?;
    Ok(String::new())
}
