//! What is known of this host, and why the rest is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Something known of the host, or the reason why it is not.
pub(crate) type Fact = Result<String, String>;

type Reader = fn(&Path) -> Fact;

/// Names in provenance, and how each is read below the root of a file system.
const READERS: [(&str, Reader); 10] = [
    ("clock_source", |root| {
        read(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
    }),
    ("cpu_model", |root| cpuinfo(root, "model name")),
    ("governor", governor),
    ("hypervisor", hypervisor),
    ("kernel", |root| read(root, "proc/sys/kernel/osrelease")),
    ("load_average", |root| read(root, "proc/loadavg")),
    ("perf_event_paranoid", |root| read(root, "proc/sys/kernel/perf_event_paranoid")),
    ("smt", smt),
    ("transparent_huge_pages", |root| read(root, "sys/kernel/mm/transparent_hugepage/enabled")),
    ("turbo", turbo),
];

/// Everything that is known, by name.
pub(crate) fn facts(root: &Path) -> BTreeMap<&'static str, Fact> {
    let unavailable = |why| format!("unavailable, because {why}");
    READERS.iter().map(|(name, reader)| (*name, reader(root).map_err(unavailable))).collect()
}

fn read(root: &Path, path: &str) -> Fact {
    fs::read_to_string(root.join(path))
        .map(|text| text.trim().to_owned())
        .map_err(|error| format!("/{path} cannot be read: {error}"))
}

/// What `/proc/cpuinfo` says of its first CPU.
pub(super) fn cpuinfo(root: &Path, key: &str) -> Fact {
    let text = read(root, "proc/cpuinfo")?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let value =
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned());
    value.ok_or_else(|| format!("/proc/cpuinfo has no `{key}`"))
}

/// Governors of all CPUs, each once.
fn governor(root: &Path) -> Fact {
    let cpus = root.join("sys/devices/system/cpu");
    let entries = fs::read_dir(&cpus)
        .map_err(|error| format!("/sys/devices/system/cpu cannot be read: {error}"))?;
    let mut governors: Vec<String> = entries
        .flatten()
        .filter_map(|cpu| fs::read_to_string(cpu.path().join("cpufreq/scaling_governor")).ok())
        .map(|text| text.trim().to_owned())
        .collect();
    governors.sort();
    governors.dedup();
    if governors.is_empty() {
        let why =
            "no CPU has cpufreq/scaling_governor: the platform or the hypervisor sets the clock";
        return Err(why.to_owned());
    }
    Ok(governors.join(", "))
}

fn turbo(root: &Path) -> Fact {
    let on = |text: String, on: &str| if text == on { "on" } else { "off" }.to_owned();
    read(root, "sys/devices/system/cpu/intel_pstate/no_turbo")
        .map(|text| on(text, "0"))
        .or_else(|_| read(root, "sys/devices/system/cpu/cpufreq/boost").map(|text| on(text, "1")))
        .map_err(|_| "neither intel_pstate/no_turbo nor cpufreq/boost is there".to_owned())
}

fn smt(root: &Path) -> Fact {
    let active = read(root, "sys/devices/system/cpu/smt/active")?;
    Ok(if active == "1" { "on" } else { "off, or hidden by a hypervisor" }.to_owned())
}

fn hypervisor(root: &Path) -> Fact {
    let flags = cpuinfo(root, "flags")?;
    let there = flags.split(' ').any(|flag| flag == "hypervisor");
    Ok(if there { "yes" } else { "no" }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }

    #[test]
    fn what_is_there_is_read_and_what_is_not_says_why() {
        let root = host(&[
            ("proc/cpuinfo", "model name\t: A CPU\nflags\t\t: fpu hypervisor\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
        ]);
        let facts = facts(root.path());
        let known = |name: &str| facts[name].clone().expect("known");
        assert_eq!(known("governor"), "powersave");
        assert_eq!((known("turbo"), known("hypervisor")), ("on".into(), "yes".into()));
        let why = facts["smt"].clone().expect_err("not there");
        assert!(why.starts_with("unavailable, because /sys/devices/system/cpu/smt"), "{why}");
    }

    #[test]
    fn intels_switch_counts_the_other_way() {
        let root = host(&[("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n")]);
        assert_eq!(facts(root.path())["turbo"], Ok("off".into()));
    }
}
