//! `cargo xtask vm-test`: the kernel helper in a virtual machine without TDX.
//!
//! For each installed set of Debian cloud kernel headers: builds the helper and the test modules with
//! warnings as errors and under sparse, packs them with the guest program into an initramfs, boots the
//! kernel of the same version under QEMU's TCG with 2 and with 4 CPUs, and reads the verdict. KVM is
//! not used: where this runs it may be present and still unable to run a guest.
//!
//! A pass takes all of: QEMU's exit code 43 (the exit device was written with 21; a panic exits with
//! 0), the line `DONE fail=0 passed=N planned=N` with an `ok` line for each, and a console without a
//! complaint of the kernel. Timings in the guest mean nothing.

mod image;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::setup::Need;
use crate::step::{Outcome, Step};

/// The step, for `vm-test` and for CI.
pub(crate) const STEP: Step = Step {
    name: "vm",
    what: "kernel helper: modules without warnings, and all guest tests at 2 and 4 CPUs",
    needs: &[
        Need::Debian { file: "/usr/bin/qemu-system-x86_64", package: "qemu-system-x86" },
        Need::Debian { file: "/bin/busybox", package: "busybox-static" },
        Need::Debian { file: "/usr/bin/cpio", package: "cpio" },
        Need::Debian { file: "/usr/bin/sparse", package: "sparse" },
        Need::Debian { file: "/usr/include/libelf.h", package: "libelf-dev" },
        Need::Debian { file: "/usr/bin/make", package: "make" },
        Need::Debian {
            file: "/usr/share/doc/linux-headers-cloud-amd64",
            package: "linux-headers-cloud-amd64",
        },
        Need::Debian {
            file: "/usr/share/doc/linux-headers-6.12-cloud-amd64",
            package: "linux-headers-6.12-cloud-amd64",
        },
    ],
    run: || match run() {
        Ok(outcome) => outcome,
        Err(why) => {
            eprintln!("vm-test: {why}");
            Outcome::Failed
        }
    },
};

/// Seconds after which a guest is given up.
const LIMIT_S: &str = "240";
const CPUS: [u32; 2] = [2, 4];
/// Boots of a guest whose kernel dies before its init.
const BOOTS: usize = 3;

fn run() -> Result<Outcome, String> {
    let kernels = kernels()?;
    let programs = image::guest_programs()?;
    for abi in &kernels {
        let work = PathBuf::from("target/vm").join(abi);
        let modules = build_modules(abi, &work)?;
        let kernel = image::kernel(abi, &work)?;
        let initramfs = image::initramfs(&work, &modules, &programs)?;
        for cpus in CPUS {
            let begun = Instant::now();
            let seen = boot_and_start(&kernel, &initramfs, &work, cpus)?;
            let title = format!("{abi}, {cpus} CPUs, {} s", begun.elapsed().as_secs());
            match verdict::of(&seen) {
                verdict::Verdict::Passed(lines) => {
                    println!("vm-test: {title}: passed\n{lines}");
                }
                verdict::Verdict::Failed(why) => {
                    return Err(format!("{title}: {why}\n{}\n{}", seen.result, seen.console));
                }
                verdict::Verdict::NeverBooted => {
                    return Ok(skip(&format!("QEMU cannot boot a guest here ({title})")));
                }
            }
        }
    }
    println!(
        "vm-test: passed on {}; guest timings are not a performance result",
        kernels.join(", ")
    );
    Ok(Outcome::Passed)
}

/// `REQUIRE_VM` makes a skip a failure, as `CI` does for every step.
fn skip(why: &str) -> Outcome {
    if std::env::var_os("REQUIRE_VM").is_some() {
        eprintln!("vm-test: must not be skipped here: {why}");
        return Outcome::Failed;
    }
    eprintln!("SKIP vm-tests: {why}");
    Outcome::Skipped(why.to_owned())
}

/// Versions whose headers are installed, oldest first: the newest of each kernel series.
fn kernels() -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir("/usr/src").map_err(|e| format!("/usr/src: {e}"))?;
    let mut series = std::collections::BTreeMap::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(abi) = name.strip_prefix("linux-headers-") else { continue };
        if abi.ends_with("-cloud-amd64") {
            let numbers: Vec<u32> =
                abi.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect();
            let newest = series.entry(numbers.get(..2).map(<[_]>::to_vec)).or_default();
            *newest = core::cmp::max(core::mem::take(newest), (numbers, abi.to_owned()));
        }
    }
    if series.is_empty() {
        return Err("no kernel headers: install linux-headers-cloud-amd64".to_owned());
    }
    Ok(series.into_values().map(|(_, abi)| abi).collect())
}

/// Builds in a copy, so that the source tree stays clean; returns the modules.
fn build_modules(abi: &str, work: &Path) -> Result<Vec<PathBuf>, String> {
    let mut modules = Vec::new();
    for part in ["include", "helper", "test"] {
        image::copy_sources(&Path::new("hw/kernel").join(part), &work.join("kernel").join(part))?;
    }
    for part in ["helper", "test"] {
        let folder = work.join("kernel").join(part);
        println!("vm-test: building {part} for {abi}");
        let mut make = Command::new("make");
        make.arg("-s").arg("-C").arg(&folder);
        make.arg(format!("KDIR=/usr/src/linux-headers-{abi}"));
        make.args(["C=2", "CF=-Wsparse-error -Wcontext"]);
        let out = make.output().map_err(|e| format!("make: {e}"))?;
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        if !out.status.success() {
            return Err(format!("building {part} for {abi} failed:\n{text}"));
        }
        modules.extend(image::files_with_extension(&folder, "ko")?);
    }
    Ok(modules)
}

/// What a guest left behind.
struct Seen {
    /// QEMU's exit code.
    code: Option<i32>,
    /// First serial port: the kernel.
    console: String,
    /// Second serial port: the guest program.
    result: String,
}

/// Boots a guest, once more where its kernel died before init, and with it any module of ours, began:
/// while a kernel of several CPUs patches its own text, TCG now and then runs a half-patched instruction.
fn boot_and_start(kernel: &Path, initramfs: &Path, work: &Path, cpus: u32) -> Result<Seen, String> {
    let mut seen = boot(kernel, initramfs, work, cpus)?;
    for _ in 1..BOOTS {
        if !verdict::died_booting(&seen) {
            break;
        }
        println!("vm-test: the kernel died before init, {cpus} CPUs; booting once more");
        seen = boot(kernel, initramfs, work, cpus)?;
    }
    Ok(seen)
}

fn boot(kernel: &Path, initramfs: &Path, work: &Path, cpus: u32) -> Result<Seen, String> {
    let console = work.join(format!("console-{cpus}"));
    let result = work.join(format!("result-{cpus}"));
    let mut qemu = Command::new("timeout");
    qemu.args(["-k5", LIMIT_S, "qemu-system-x86_64", "-accel", "tcg,thread=multi"]);
    qemu.args(["-cpu", "max,-cx16", "-m", "768", "-nodefaults", "-display", "none", "-no-reboot"]);
    qemu.arg("-smp").arg(cpus.to_string());
    qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    qemu.arg("-serial").arg(format!("file:{}", console.display()));
    qemu.arg("-serial").arg(format!("file:{}", result.display()));
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1 oops=panic pamt_hw_guest"]);
    let status = qemu.status().map_err(|e| format!("qemu-system-x86_64: {e}"))?;
    let read = |path: &Path| std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
    Ok(Seen {
        code: status.code(),
        console: read(&console).unwrap_or_default(),
        result: read(&result).unwrap_or_default(),
    })
}
