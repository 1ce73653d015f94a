//! Modules, their parameters and the kernel's log, through busybox and sysfs.

use std::fs;
use std::process::Command;

/// How a step ends: a note on what it did, or why it failed.
pub(crate) type Outcome = Result<String, String>;

/// Fails a step with a sentence unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err(format!($($why)+));
        }
    };
}
pub(crate) use ensure;

/// An error's text.
pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn run(line: &[&str]) -> Result<(), String> {
    let out = Command::new(line[0]).args(&line[1..]).output().map_err(text)?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", line.join(" "), String::from_utf8_lossy(&out.stderr).trim()))
}

/// Loads a module with parameters.
pub(crate) fn load(module: &str, parameters: &[&str]) -> Result<(), String> {
    let file = format!("/modules/{module}.ko");
    let line: Vec<&str> = ["insmod", &file].into_iter().chain(parameters.iter().copied()).collect();
    run(&line)
}

/// Unloads a module.
pub(crate) fn unload(module: &str) -> Result<(), String> {
    run(&["rmmod", module])
}

/// The SEAM emulator, while it is loaded.
pub(crate) struct Emulator;

impl Emulator {
    const NAME: &str = "pamt_seam_emu";

    pub(crate) fn load(parameters: &[&str]) -> Result<Self, String> {
        load(Self::NAME, parameters)?;
        Ok(Self)
    }

    fn path(parameter: &str) -> String {
        format!("/sys/module/{}/parameters/{parameter}", Self::NAME)
    }

    pub(crate) fn set(&self, parameter: &str, value: &str) -> Result<(), String> {
        fs::write(Self::path(parameter), value).map_err(text)
    }

    pub(crate) fn read(&self, counter: &str) -> Result<i64, String> {
        let value = fs::read_to_string(Self::path(counter)).map_err(text)?;
        value.trim().parse().map_err(text)
    }

    /// No more injected faults.
    pub(crate) fn calm(&self) -> Result<(), String> {
        self.set("busy_permille", "0")?;
        self.set("fail_remove_permille", "0")
    }

    /// The module's books: no pair is left, no lock was released that was not held.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let (pairs, wrong) = (self.read("pairs")?, self.read("wrong")?);
        ensure!(pairs == 0, "{pairs} pairs are still with the module");
        ensure!(wrong == 0, "{wrong} wrong releases in the module");
        Ok(())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Err(why) = unload(Self::NAME) {
            println!("FAIL unloading the emulator: {why}");
        }
    }
}

/// The helper, while it is loaded.
pub(crate) struct Helper;

impl Helper {
    pub(crate) const NAME: &str = "pamt_hw";

    pub(crate) fn load() -> Result<Self, String> {
        load(Self::NAME, &["max_regions=64"])?;
        Ok(Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Err(why) = unload(Self::NAME) {
            println!("FAIL unloading the helper: {why}");
        }
    }
}

/// CPUs of the guest.
pub(crate) fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// Lines of the kernel's log that no healthy run leaves there.
pub(crate) fn alarming_log_lines() -> Result<Vec<String>, String> {
    const ALARMS: [&str; 9] = [
        "BUG",
        "WARNING",
        "Oops",
        "Call Trace",
        "general protection",
        "unable to handle",
        "soft lockup",
        "hung task",
        "rcu_sched",
    ];
    let out = Command::new("dmesg").output().map_err(text)?;
    let log = String::from_utf8_lossy(&out.stdout);
    ensure!(log.contains("Linux version"), "the kernel's log is not readable from its start");
    let alarming = log.lines().filter(|line| ALARMS.iter().any(|alarm| line.contains(alarm)));
    Ok(alarming.map(str::to_owned).collect())
}

/// Ends the virtual machine through QEMU's isa-debug-exit device, which makes its exit code
/// `value << 1 | 1`. Debian's cloud kernels have no `/dev/port`.
pub(crate) fn leave(passed: bool) -> std::process::ExitCode {
    const PORT: u16 = 0xf4;
    const IOPERM: i64 = 173;
    let value: u8 = if passed { 21 } else { 20 };
    // SAFETY: ioperm(PORT, 4, 1) has no effect on memory.
    let allowed: i64 = unsafe {
        let result;
        core::arch::asm!(
            "syscall",
            inlateout("rax") IOPERM => result,
            in("rdi") u64::from(PORT),
            in("rsi") 4_u64,
            in("rdx") 1_u64,
            lateout("rcx") _,
            lateout("r11") _,
        );
        result
    };
    if allowed == 0 {
        // SAFETY: this process may access the port; the device there ends the machine.
        unsafe { core::arch::asm!("out dx, al", in("dx") PORT, in("al") value) };
    }
    std::process::ExitCode::FAILURE
}
