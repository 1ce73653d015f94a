//! Closing, killing, unloading and being nobody.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use pamt_hw::abi::{Leaf, Page};
use pamt_hw::{Device, InKernelRun};

use super::twins::{BACKING, REGIONS, twin};
use crate::system::{self, Emulator, Helper, Outcome, cpus, ensure, text};

const NOBODY: u32 = 65_534;

fn add_pairs(device: &Device, regions: u32) -> Result<(), String> {
    device.alloc(regions + 1).map_err(text)?;
    for region in 0..regions {
        let pair = [Page::new(regions, 2 * region), Page::new(regions, 2 * region + 1)];
        let mut leaf = Leaf::add(region, pair);
        device.leaf(&mut leaf).map_err(text)?;
        ensure!(leaf.status == 0, "ADD: {:#x}", leaf.status);
    }
    Ok(())
}

/// A file that is closed with pairs out takes them back first.
pub(super) fn close_with_pairs() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let device = Device::open().map_err(text)?;
    add_pairs(&device, 8)?;
    ensure!(emulator.read("pairs")? == 8, "{} pairs", emulator.read("pairs")?);
    // A REMOVE that is only busy is tried again.
    emulator.set("busy_permille", "500")?;
    drop(device);
    emulator.audit()?;
    let probe = Device::open().map_err(text)?.probe().map_err(text)?;
    ensure!(probe.pinned_regions == 0, "{} regions pinned", probe.pinned_regions);
    Ok(String::new())
}

/// What the module does not give back stays allocated, is counted and is said in the log.
pub(super) fn close_pinned() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let device = Device::open().map_err(text)?;
    add_pairs(&device, 2)?;
    emulator.set("fail_remove_permille", "1000")?;
    drop(device);
    let device = Device::open().map_err(text)?;
    let pinned = device.probe().map_err(text)?.pinned_regions;
    ensure!(pinned == 3, "{pinned} regions pinned instead of 3");
    ensure!(device.alloc(62).is_err(), "pinned regions do not count as in use");
    let log = Command::new("dmesg").output().map_err(text)?;
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    ensure!(log.contains("3 regions stay pinned until restart"), "the log does not say so");
    Ok(format!("{pinned} regions pinned"))
}

fn long_run(device: &Device) -> Result<(), String> {
    device.alloc(REGIONS + BACKING).map_err(text)?;
    let cpus: Vec<u32> = (0..cpus()).collect();
    let run = InKernelRun {
        twin: twin("global")?,
        cpus: &cpus,
        depth: 2,
        regions: REGIONS,
        backing: BACKING,
        ops: 10_000_000,
        seed: 1,
    };
    device.run(&run).map(|_| ()).map_err(text)
}

/// As another process: a run that does not end by itself.
pub(super) fn child_run() -> ExitCode {
    let outcome = Device::open().map_err(text).and_then(|device| long_run(&device));
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn start_child_run(emulator: &Emulator) -> Result<std::process::Child, String> {
    let mut child = Command::new("/proc/self/exe").arg("run-long").spawn().map_err(text)?;
    let begun = Instant::now();
    let calls = emulator.read("calls")?;
    while emulator.read("calls")? < calls + 100 {
        let ended = child.try_wait().map_err(text)?;
        ensure!(ended.is_none(), "the run ended by itself: {ended:?}");
        ensure!(begun.elapsed() < Duration::from_secs(30), "the run does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(child)
}

/// The helper cannot be unloaded under a run.
pub(super) fn unload_in_run() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let mut child = start_child_run(&emulator)?;
    let refused = system::unload(Helper::NAME);
    child.kill().map_err(text)?;
    child.wait().map_err(text)?;
    let Err(why) = refused else { return Err("the helper was unloaded under a run".to_owned()) };
    ensure!(why.contains("temporarily unavailable") || why.contains("busy"), "{why}");
    emulator.audit()?;
    Ok(String::new())
}

/// A killed process's run ends at once and leaves nothing behind.
pub(super) fn kill_in_run() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    for _ in 0..3 {
        let mut child = start_child_run(&emulator)?;
        let begun = Instant::now();
        child.kill().map_err(text)?;
        child.wait().map_err(text)?;
        ensure!(begun.elapsed() < Duration::from_secs(10), "the run went on after the kill");
        emulator.audit()?;
    }
    Ok(String::new())
}

/// As nobody, with the node made accessible: CAP_SYS_ADMIN is asked for as well.
pub(super) fn unprivileged() -> Outcome {
    let _helper = Helper::load()?;
    let node = pamt_hw::probe::DEVICE_PATH;
    let mode = std::fs::metadata(node).map_err(text)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "the node's mode is {mode:o}");
    let as_nobody = || {
        let mut child = Command::new("/proc/self/exe");
        child.arg("open-expect-eperm").uid(NOBODY).gid(NOBODY).status().map_err(text)
    };
    ensure!(as_nobody()?.code() == Some(13), "with mode 600 not EACCES");
    std::fs::set_permissions(node, std::fs::Permissions::from_mode(0o666)).map_err(text)?;
    ensure!(as_nobody()?.code() == Some(1), "with mode 666 not EPERM");
    Ok(String::new())
}

/// As another process: exits with the errno of opening the node.
pub(super) fn child_open() -> ExitCode {
    match std::fs::OpenOptions::new().read(true).write(true).open(pamt_hw::probe::DEVICE_PATH) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.raw_os_error().unwrap_or(255) as u8),
    }
}
