//! The requirements of real SEAMCALLs, in the order in which a person meets them.

use super::facts::{Device, Facts};
use super::{Check, DEVICE_PATH, State};

/// Judges every requirement.
pub(super) fn all(facts: &Facts) -> Vec<Check> {
    vec![
        processor(facts),
        bios(facts),
        kernel(facts),
        hibernation(facts),
        kvm(facts),
        helper(facts),
        permission(facts),
    ]
}

fn check(
    name: &'static str,
    state: State,
    found: impl Into<String>,
    remedy: impl Into<String>,
) -> Check {
    let remedy = if state == State::Met { String::new() } else { remedy.into() };
    Check { name, state, found: found.into(), remedy }
}

fn processor(facts: &Facts) -> Check {
    let cpu = &facts.cpu;
    let found = |text: &str| format!("{}: {text}", cpu.vendor);
    let another = "run on a 4th generation Xeon (some SKUs), 5th generation or later";
    let (state, found, remedy) = if facts.flag_tdx_host {
        (State::Met, found("the kernel lists tdx_host_platform"), "")
    } else if cpu.inside_td {
        let remedy = "a TD cannot make SEAMCALLs: run on its host";
        (State::Missing, found("this is a TD"), remedy)
    } else if cpu.hypervisor {
        let remedy = "a virtual machine has no SEAM: run on bare metal";
        (State::Missing, found("this is a virtual machine"), remedy)
    } else if cpu.vendor != "GenuineIntel" || !cpu.vmx || !cpu.pconfig {
        (State::Missing, found("lacks VMX or PCONFIG"), another)
    } else {
        match facts.msr.seamrr() {
            Some(true) => (State::Met, found("has SEAM range registers (IA32_MTRRCAP)"), ""),
            Some(false) => (State::Missing, found("has no SEAM range registers"), another),
            None => (
                State::Unknown,
                found("SEAM support not readable"),
                "as root: modprobe msr, then probe again",
            ),
        }
    };
    check("processor with TDX", state, found, remedy)
}

fn bios(facts: &Facts) -> Check {
    let remedy = "BIOS: enable TME, TME-MT and TDX with the SEAM loader, TDX key split >= 1";
    let (state, found) = match facts.msr.tdx_key_ids() {
        Some(0) => (State::Missing, "no key id set aside for TDX (MSR 0x87)".to_owned()),
        Some(ids) => (State::Met, format!("{ids} key ids for TDX (MSR 0x87)")),
        None if facts.flag_tdx_host => (State::Met, "the kernel found key ids at boot".to_owned()),
        None => (State::Unknown, facts.msr.obstacle().unwrap_or("unreadable").to_owned()),
    };
    check("BIOS settings", state, found, remedy)
}

fn kernel(facts: &Facts) -> Check {
    let release = &facts.release;
    let remedy = "boot a kernel built with CONFIG_INTEL_TDX_HOST=y and Dynamic PAMT support";
    let (state, found) = match facts.config_tdx_host {
        _ if facts.flag_tdx_host => (State::Met, format!("{release} found TDX at boot")),
        Some(true) => (State::Met, format!("{release} has CONFIG_INTEL_TDX_HOST=y")),
        Some(false) => (State::Missing, format!("{release} lacks CONFIG_INTEL_TDX_HOST")),
        None => (State::Unknown, format!("{release}; /boot/config-{release} not readable")),
    };
    check("kernel", state, found, remedy)
}

fn hibernation(facts: &Facts) -> Check {
    let (state, found) = match facts.hibernation_off {
        Some(true) => (State::Met, "off"),
        Some(false) => (State::Missing, "on, and TDX excludes it"),
        None => (State::Unknown, "not readable"),
    };
    check("hibernation off", state, found, "kernel option: nohibernate")
}

fn kvm(facts: &Facts) -> Check {
    let (state, found) = match facts.kvm_tdx {
        Some(true) => (State::Met, "kvm_intel.tdx=Y"),
        Some(false) => (State::Missing, "kvm_intel.tdx=N"),
        None => (State::Missing, "kvm_intel absent or without parameter tdx"),
    };
    check(
        "TDX module started by KVM",
        state,
        found,
        "modprobe kvm_intel tdx=1 (or kernel option kvm_intel.tdx=1)",
    )
}

fn helper(facts: &Facts) -> Check {
    let (state, found) = match (facts.device, facts.helper_loaded) {
        (Device::Absent, false) => (State::Missing, "module pamt_hw is not loaded".to_owned()),
        (Device::Absent, true) => {
            (State::Missing, format!("pamt_hw is loaded, {DEVICE_PATH} is absent"))
        }
        (Device::Ready, _) => (State::Met, DEVICE_PATH.to_owned()),
        (Device::NotPermitted, _) => (State::Met, format!("{DEVICE_PATH} exists")),
        (Device::Busy, _) => {
            (State::Missing, format!("{DEVICE_PATH} cannot be opened: in use, or no driver"))
        }
    };
    check("kernel helper", state, found, "make -C hw/kernel/helper && insmod pamt_hw.ko")
}

fn permission(facts: &Facts) -> Check {
    let (state, found) = match (facts.permission.sys_admin, facts.device) {
        (false, _) => (State::Missing, "no CAP_SYS_ADMIN"),
        (true, Device::NotPermitted) => (State::Missing, "the device refuses this user"),
        (true, _) => (State::Met, "CAP_SYS_ADMIN"),
    };
    check("permission", state, found, "run as root")
}
