//! What the helper says when there is no module, an emulated one, or one that is not ready.

use pamt_hw::abi::{self, Leaf, Page};
use pamt_hw::{Device, DeviceError};

use crate::system::{self, Emulator, Helper, Outcome, alarming_log_lines, ensure, text};

const FEATURES0: u64 = 0x0a00_0003_0000_0008;

fn sys_rd(device: &Device) -> Result<u64, String> {
    let mut leaf = Leaf { field: FEATURES0, ..Leaf::new(abi::SYS_RD, Page::new(0, 0)) };
    device.leaf(&mut leaf).map_err(text)?;
    Ok(leaf.status)
}

/// Without the helper: the probe names it, opening fails, nothing else happens.
pub(super) fn no_helper() -> Outcome {
    let probe = pamt_hw::probe();
    ensure!(!probe.usable(), "usable without a helper: {probe}");
    ensure!(probe.to_string().contains("pamt_hw is not loaded"), "{probe}");
    ensure!(matches!(Device::open(), Err(DeviceError::Open { .. })), "the device opened");
    Ok(String::new())
}

/// Without a module every leaf is #UD, 20,000 times over, and the probe says that no module answers.
pub(super) fn no_emulator() -> Outcome {
    let _helper = Helper::load()?;
    let device = Device::open().map_err(text)?;
    let probe = device.probe().map_err(text)?;
    ensure!(probe.flags & abi::F_MODULE == 0, "a module answered: {probe:x?}");
    ensure!(probe.seamcall_status == abi::SEAMCALL_UD, "{:#x}", probe.seamcall_status);
    device.alloc(2).map_err(text)?;
    let pair = [Page::new(1, 0), Page::new(1, 1)];
    let mut leaves = vec![Leaf::add(0, pair); 4000];
    for _ in 0..5 {
        let done = device.batch(&mut leaves, false).map_err(text)?;
        ensure!(done == leaves.len(), "batch ended after {done}");
        ensure!(leaves.iter().all(|l| l.status == abi::SEAMCALL_UD), "a status is not #UD");
    }
    ensure!(device.batch(&mut leaves, true).map_err(text)? == 1, "the batch did not stop");
    Ok("20000 x #UD".to_owned())
}

/// An emulator that declines is as good as none.
pub(super) fn emulator_declines() -> Outcome {
    let _helper = Helper::load()?;
    let device = Device::open().map_err(text)?;
    let emulator = Emulator::load(&[])?;
    ensure!(sys_rd(&device)? == 0, "the emulator does not answer");
    emulator.set("decline", "1")?;
    ensure!(sys_rd(&device)? == abi::SEAMCALL_UD, "answered while declining");
    emulator.set("decline", "0")?;
    ensure!(sys_rd(&device)? == 0, "the emulator does not answer again");
    Ok(String::new())
}

/// CF after the instruction is reported as VMfailInvalid.
pub(super) fn vmfail() -> Outcome {
    let _helper = Helper::load()?;
    let device = Device::open().map_err(text)?;
    let _emulator = Emulator::load(&["vmfail=1"])?;
    let status = sys_rd(&device)?;
    ensure!(status == abi::SEAMCALL_VMFAIL, "{status:#x}");
    Ok(String::new())
}

/// A module in static mode supports Dynamic PAMT and has it off: the probe tells one from the other.
pub(super) fn static_pamt() -> Outcome {
    let _helper = Helper::load()?;
    let device = Device::open().map_err(text)?;
    let _emulator = Emulator::load(&["dynamic_pamt=0"])?;
    let probe = device.probe().map_err(text)?;
    ensure!(probe.flags & abi::F_DPAMT_FEATURE != 0, "feature bit missing: {probe:x?}");
    ensure!(probe.flags & abi::F_DPAMT_ON == 0, "on in static mode: {probe:x?}");
    ensure!(probe.dpamt_status == 0xc000_0100_0000_0000, "{:#x}", probe.dpamt_status);
    Ok(String::new())
}

/// When the emulator is unloaded, the next SEAMCALL is #UD again.
pub(super) fn emulator_gone() -> Outcome {
    let _helper = Helper::load()?;
    let device = Device::open().map_err(text)?;
    let emulator = Emulator::load(&[])?;
    let probe = device.probe().map_err(text)?;
    let all = abi::F_MODULE | abi::F_DPAMT_FEATURE | abi::F_DPAMT_ON | abi::F_HYPERVISOR;
    ensure!(probe.flags & all == all, "{probe:x?}");
    let version = (probe.module_major, probe.module_minor, probe.module_update);
    ensure!(version == (1, 5, 25), "module version {version:?}");
    drop(emulator);
    ensure!(sys_rd(&device)? == abi::SEAMCALL_UD, "still answered");
    Ok(String::new())
}

/// A #GP of the instruction is reported as such and not as #UD.
pub(super) fn general_protection() -> Outcome {
    let _helper = Helper::load()?;
    let device = Device::open().map_err(text)?;
    system::load("pamt_gp_probe", &[])?;
    let status = sys_rd(&device);
    system::unload("pamt_gp_probe")?;
    let status = status?;
    ensure!(status == abi::SEAMCALL_GP, "{status:#x}");
    ensure!(sys_rd(&device)? == abi::SEAMCALL_UD, "#GP after the probe is gone");
    Ok(String::new())
}

/// At the end: the device is gone, and the kernel has complained about nothing.
pub(super) fn clean_log() -> Outcome {
    ensure!(!std::path::Path::new("/dev/pamt_hw").exists(), "/dev/pamt_hw is still there");
    let lines = alarming_log_lines()?;
    ensure!(lines.is_empty(), "{}", lines.join(" | "));
    Ok(String::new())
}
