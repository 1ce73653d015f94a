//! What the kernel says, read from text files under a root directory.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::cpu::{CpuFacts, MsrFacts};

/// CAP_SYS_ADMIN is bit 21 of a capability mask.
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// The helper's device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// It can be opened.
    Ready,
    /// It does not exist: the helper is not loaded.
    Absent,
    /// It exists, this process may not open it.
    NotPermitted,
    /// It exists and another process holds it, or opening failed otherwise.
    Busy,
}

/// What this process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// CAP_SYS_ADMIN in the effective set.
    pub sys_admin: bool,
}

/// Everything that the probe read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// CPUID.
    pub cpu: CpuFacts,
    /// Model-specific registers.
    pub msr: MsrFacts,
    /// `tdx_host_platform` in `/proc/cpuinfo`: this kernel found TDX key ids at boot.
    pub flag_tdx_host: bool,
    /// Kernel release, as `uname -r` prints it.
    pub release: String,
    /// CONFIG_INTEL_TDX_HOST, where the kernel's configuration is readable.
    pub config_tdx_host: Option<bool>,
    /// `/sys/module/kvm_intel/parameters/tdx`; `None` when there is no such parameter.
    pub kvm_tdx: Option<bool>,
    /// Words of the kernel command line that bear on TDX.
    pub options: Vec<String>,
    /// Whether `nohibernate` or a configuration without hibernation makes TDX possible.
    pub hibernation_off: Option<bool>,
    /// Whether the helper module is loaded.
    pub helper_loaded: bool,
    /// Its device node.
    pub device: Device,
    /// This process.
    pub permission: Permission,
}

impl Facts {
    /// Reads the files under `root` (`/` on a live host).
    #[must_use]
    pub fn read(root: &Path, cpu: CpuFacts) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let release = text("proc/sys/kernel/osrelease").trim().to_owned();
        let command_line = text("proc/cmdline");
        let config = fs::read_to_string(root.join(format!("boot/config-{release}"))).ok();
        let enabled = |option: &str| {
            let line = format!("{option}=y");
            config.as_ref().map(|config| config.lines().any(|l| l == line))
        };
        let nohibernate = command_line.split_whitespace().any(|word| word == "nohibernate");
        Self {
            cpu,
            msr: MsrFacts::read(root),
            flag_tdx_host: has_flag(&text("proc/cpuinfo"), "tdx_host_platform"),
            config_tdx_host: enabled("CONFIG_INTEL_TDX_HOST"),
            kvm_tdx: parameter(root, "sys/module/kvm_intel/parameters/tdx"),
            options: relevant_options(&command_line),
            hibernation_off: if nohibernate {
                Some(true)
            } else {
                enabled("CONFIG_HIBERNATION").map(|on| !on)
            },
            helper_loaded: root.join("sys/module/pamt_hw").exists(),
            device: device(root),
            permission: permission(&text("proc/self/status")),
            release,
        }
    }
}

fn has_flag(cpuinfo: &str, flag: &str) -> bool {
    cpuinfo
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| line.split_whitespace().any(|word| word == flag))
}

fn parameter(root: &Path, path: &str) -> Option<bool> {
    let value = fs::read_to_string(root.join(path)).ok()?;
    Some(matches!(value.trim(), "Y" | "1"))
}

fn relevant_options(command_line: &str) -> Vec<String> {
    command_line
        .split_whitespace()
        .filter(|word| word.contains("tdx") || *word == "nohibernate")
        .map(str::to_owned)
        .collect()
}

fn device(root: &Path) -> Device {
    let path = root.join(&super::DEVICE_PATH[1..]);
    match fs::File::open(path) {
        Ok(_) => Device::Ready,
        Err(e) => match e.kind() {
            ErrorKind::NotFound => Device::Absent,
            ErrorKind::PermissionDenied => Device::NotPermitted,
            _ => Device::Busy,
        },
    }
}

fn permission(status: &str) -> Permission {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    Permission { sys_admin: effective & CAP_SYS_ADMIN != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_a_whole_word() {
        let cpuinfo = "processor\t: 0\nflags\t\t: fpu vmx tdx_host_platform_x sse\n";
        assert!(!has_flag(cpuinfo, "tdx_host_platform"));
        assert!(has_flag(cpuinfo, "vmx"));
    }

    #[test]
    fn sys_admin_is_bit_21_of_the_effective_set() {
        assert!(permission("CapPrm:\t0\nCapEff:\t0000000000200000\n").sys_admin);
        assert!(!permission("CapPrm:\t0000000000200000\nCapEff:\t0000000000000000\n").sys_admin);
        assert!(!permission("").sys_admin);
    }
}
