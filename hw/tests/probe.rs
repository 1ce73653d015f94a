//! The probe, on made-up hosts: a directory tree stands for the root file system.

use std::fs;
use std::path::Path;

use pamt_hw::probe::{CpuFacts, Device, Facts};
use pamt_hw::{Probe, State};

fn write(root: &Path, path: &str, text: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below root")).expect("create directory");
    fs::write(path, text).expect("write file");
}

fn xeon() -> CpuFacts {
    CpuFacts {
        vendor: "GenuineIntel".to_owned(),
        vmx: true,
        hypervisor: false,
        pconfig: true,
        inside_td: false,
    }
}

/// The `msr` driver's node as a sparse file: register n is the 8 bytes at offset n.
fn msr_file(mtrrcap: u64, partitioning: u64) -> Vec<u8> {
    let mut bytes = vec![0; 0x200];
    bytes[0xfe..0x106].copy_from_slice(&mtrrcap.to_le_bytes());
    bytes[0x87..0x8f].copy_from_slice(&partitioning.to_le_bytes());
    bytes
}

fn tdx_host(root: &Path) {
    write(root, "proc/sys/kernel/osrelease", b"6.99.0\n");
    write(root, "proc/cpuinfo", b"flags\t\t: fpu vmx tdx_host_platform\n");
    write(root, "proc/cmdline", b"root=/dev/sda1 nohibernate kvm_intel.tdx=1\n");
    write(root, "proc/self/status", b"CapEff:\t000001ffffffffff\n");
    write(root, "boot/config-6.99.0", b"CONFIG_INTEL_TDX_HOST=y\nCONFIG_HIBERNATION=y\n");
    write(root, "sys/module/kvm_intel/parameters/tdx", b"Y\n");
    write(root, "sys/module/pamt_hw/refcnt", b"0\n");
    write(root, "dev/pamt_hw", b"");
    write(root, "dev/cpu/0/msr", &msr_file(1 << 15, 64 << 32));
}

fn states(probe: &Probe) -> Vec<(&'static str, State)> {
    probe.checks.iter().map(|check| (check.name, check.state)).collect()
}

#[test]
fn a_host_with_everything_is_usable_and_needs_no_remedy() {
    let root = tempfile::tempdir().expect("temp dir");
    tdx_host(root.path());
    let probe = Probe::of(Facts::read(root.path(), xeon()));
    assert!(probe.usable(), "{probe}");
    for check in &probe.checks {
        assert_eq!((check.state, check.remedy.as_str()), (State::Met, ""), "{}", check.name);
    }
    assert!(probe.to_string().contains("Ready"));
}

#[test]
fn a_bios_without_tdx_key_ids_is_named_with_its_settings() {
    let root = tempfile::tempdir().expect("temp dir");
    tdx_host(root.path());
    write(root.path(), "dev/cpu/0/msr", &msr_file(1 << 15, 64));
    write(root.path(), "proc/cpuinfo", b"flags\t\t: fpu vmx\n");
    let probe = Probe::of(Facts::read(root.path(), xeon()));
    let states = states(&probe);
    assert!(states.contains(&("processor with TDX", State::Met)));
    assert!(states.contains(&("BIOS settings", State::Missing)));
    assert!(probe.to_string().contains("TDX key split"), "{probe}");
}

#[test]
fn hibernation_and_the_kvm_parameter_are_named_by_their_options() {
    let root = tempfile::tempdir().expect("temp dir");
    tdx_host(root.path());
    write(root.path(), "proc/cmdline", b"root=/dev/sda1\n");
    write(root.path(), "sys/module/kvm_intel/parameters/tdx", b"N\n");
    let text = Probe::of(Facts::read(root.path(), xeon())).to_string();
    assert!(text.contains("nohibernate"), "{text}");
    assert!(text.contains("kvm_intel.tdx=N"), "{text}");
}

#[test]
fn an_unreadable_msr_is_unknown_and_never_a_no() {
    let root = tempfile::tempdir().expect("temp dir");
    let probe = Probe::of(Facts::read(root.path(), xeon()));
    assert!(states(&probe).contains(&("processor with TDX", State::Unknown)));
    assert!(states(&probe).contains(&("BIOS settings", State::Unknown)));
}

#[test]
fn a_virtual_machine_is_told_to_go_to_bare_metal() {
    let root = tempfile::tempdir().expect("temp dir");
    let cpu = CpuFacts { hypervisor: true, ..xeon() };
    let text = Probe::of(Facts::read(root.path(), cpu)).to_string();
    assert!(text.contains("run on bare metal"), "{text}");
}

#[test]
fn a_device_without_cap_sys_admin_is_not_usable() {
    let root = tempfile::tempdir().expect("temp dir");
    tdx_host(root.path());
    write(root.path(), "proc/self/status", b"CapEff:\t0000000000000000\n");
    let probe = Probe::of(Facts::read(root.path(), xeon()));
    assert_eq!(probe.facts.device, Device::Ready);
    assert!(!probe.usable());
    assert!(probe.to_string().contains("run as root"), "{probe}");
}

#[test]
fn the_answer_of_a_bare_host_fits_one_screen() {
    let root = tempfile::tempdir().expect("temp dir");
    for cpu in [xeon(), CpuFacts { hypervisor: true, ..xeon() }] {
        let text = Probe::of(Facts::read(root.path(), cpu)).to_string();
        assert!(text.lines().count() <= 24, "{} lines", text.lines().count());
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "too wide: {line}");
        }
    }
}
