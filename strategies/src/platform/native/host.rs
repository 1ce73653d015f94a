//! What the kernel says of this host's CPUs.

use std::fs;
use std::path::Path;

use crate::measure::CpuPlace;

/// A CPU of this host that the process may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostCpu {
    /// The kernel's number.
    pub number: usize,
    /// Where it sits.
    pub place: CpuPlace,
    /// Its socket.
    pub socket: u16,
}

/// CPUs that this process may run on, in order of their number. Their places are those of sysfs, or
/// zero where sysfs does not tell.
#[must_use]
pub fn host_cpus() -> Vec<HostCpu> {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    let numbers = (0..rustix::thread::CpuSet::MAX_CPU).filter(|n| allowed.is_set(*n));
    numbers.map(|number| describe(Path::new("/sys/devices/system"), number)).collect()
}

fn describe(sysfs: &Path, number: usize) -> HostCpu {
    let cpu = sysfs.join(format!("cpu/cpu{number}"));
    let read = |path: &str| -> Option<u16> {
        fs::read_to_string(cpu.join(path)).ok()?.trim().parse().ok()
    };
    let socket = read("topology/physical_package_id").unwrap_or(0);
    // A core is named by its first thread, a last-level cache by its first CPU: both are unique on
    // the host, which core_id and cache id need not be.
    let core = first_of(&cpu.join("topology/thread_siblings_list")).unwrap_or(number as u16);
    let llc = first_of(&cpu.join("cache/index3/shared_cpu_list")).unwrap_or(socket);
    let node = node_of(&cpu).unwrap_or(0);
    HostCpu { number, place: CpuPlace { core, llc, node }, socket }
}

/// First number of a list such as `0,64` or `0-3`.
fn first_of(list: &Path) -> Option<u16> {
    let text = fs::read_to_string(list).ok()?;
    text.trim().split([',', '-']).next()?.parse().ok()
}

/// A CPU's directory links to its node: `node1`.
fn node_of(cpu: &Path) -> Option<u8> {
    let entries = fs::read_dir(cpu).ok()?;
    entries
        .flatten()
        .find_map(|entry| entry.file_name().to_str()?.strip_prefix("node")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_may_run_on_a_cpu() {
        assert!(!host_cpus().is_empty());
    }
}
