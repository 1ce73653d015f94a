//! What the guest boots: kernel, modules, guest program, initramfs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Mounts what is needed, runs the guest program with its output on the second serial port, and
/// leaves through the exit device: 21 for a pass, 20 otherwise.
const INIT: &str = r"#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /bin /sbin /usr/bin /usr/sbin /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
exec > /dev/ttyS1 2>&1
echo HELLO
verdict=failed
if /pamt-hw-guest all; then verdict=passed; fi
sleep 1
/pamt-hw-guest leave $verdict
echo the exit device does not answer
poweroff -f
";

fn text(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> String {
    move |error| format!("{what}: {error}")
}

/// Runs a command and returns its standard output.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let out = command.output().map_err(text(format!("{command:?}")))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&out.stderr)))
}

/// Copies the files of a folder that differ from their copies.
pub(super) fn copy_sources(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(text(to.display()))?;
    for entry in fs::read_dir(from).map_err(text(from.display()))?.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let content = fs::read(&source).map_err(text(source.display()))?;
        if fs::read(&target).ok().as_ref() != Some(&content) {
            fs::write(&target, content).map_err(text(target.display()))?;
        }
    }
    Ok(())
}

/// Files of a folder with this extension, sorted.
pub(super) fn files_with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(text(folder.display()))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    Ok(files)
}

/// The kernel of the headers' version: the installed one, or that of the package, of which only this
/// file is taken.
pub(super) fn kernel(abi: &str, work: &Path) -> Result<PathBuf, String> {
    let installed = PathBuf::from(format!("/boot/vmlinuz-{abi}"));
    let kept = work.join("vmlinuz");
    if installed.exists() {
        return Ok(installed);
    }
    if kept.exists() {
        return Ok(kept);
    }
    let download = work.join("download");
    fs::create_dir_all(&download).map_err(text(download.display()))?;
    let package = format!("linux-image-{abi}");
    output(Command::new("apt-get").args(["download", "-qq", &package]).current_dir(&download))?;
    let archives = files_with_extension(&download, "deb")?;
    let archive = archives.first().ok_or_else(|| format!("no archive of {package}"))?;
    let tar = output(Command::new("dpkg").arg("--fsys-tarfile").arg(archive))?;
    let file = format!("./boot/vmlinuz-{abi}");
    let content = filter(Command::new("tar").args(["-xO", &file]), &tar)?;
    fs::write(&kept, content).map_err(text(kept.display()))?;
    fs::remove_dir_all(&download).map_err(text(download.display()))?;
    Ok(kept)
}

/// Feeds `input` to a command and returns its output.
fn filter(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let name = format!("{command:?}");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(text(&name))?;
    let mut stdin = child.stdin.take().ok_or_else(|| format!("{name}: no input"))?;
    let out = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A command that ends early has said why on its standard error.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output()
    });
    let out = out.map_err(text(&name))?;
    if out.status.success() { Ok(out.stdout) } else { Err(format!("{name} failed")) }
}

/// Builds the programs of the guest: its tests, and `pamt-bench` itself.
pub(super) fn guest_programs() -> Result<[PathBuf; 2], String> {
    let status = Command::new("cargo")
        .args(["build", "-q", "-p", "pamt-hw-guest", "-p", "pamt-harness"])
        .status()
        .map_err(text("cargo"))?;
    if status.success() {
        return Ok(["pamt-hw-guest", "pamt-bench"].map(|name| Path::new("target/debug").join(name)));
    }
    Err("the programs of the guest do not build".to_owned())
}

fn put(from: &Path, to: &Path) -> Result<(), String> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(text(parent.display()))?;
    }
    fs::copy(from, to).map_err(text(from.display()))?;
    Ok(())
}

/// A program and the shared libraries that it loads, at the same paths as here.
fn put_program(program: &Path, root: &Path) -> Result<(), String> {
    let name = program.file_name().ok_or_else(|| format!("{} has no name", program.display()))?;
    let target = root.join(name);
    put(program, &target)?;
    output(Command::new("strip").arg("--strip-debug").arg(&target))?;
    let ldd = output(Command::new("ldd").arg(program))?;
    for word in String::from_utf8_lossy(&ldd).split_whitespace() {
        if let Some(inside) = word.strip_prefix('/') {
            put(Path::new(word), &root.join(inside))?;
        }
    }
    Ok(())
}

/// Packs everything into a compressed cpio archive.
pub(super) fn initramfs(
    work: &Path,
    modules: &[PathBuf],
    programs: &[PathBuf],
) -> Result<PathBuf, String> {
    let root = work.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).map_err(text(root.display()))?;
    }
    put(Path::new("/bin/busybox"), &root.join("bin/busybox"))?;
    symlink("busybox", root.join("bin/sh")).map_err(text("bin/sh"))?;
    for program in programs {
        put_program(program, &root)?;
    }
    for module in modules {
        let name = module.file_name().ok_or_else(|| format!("{} has no name", module.display()))?;
        let target = root.join("modules").join(name);
        put(module, &target)?;
        output(Command::new("strip").arg("--strip-debug").arg(&target))?;
    }
    let init = root.join("init");
    fs::write(&init, INIT).map_err(text(init.display()))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).map_err(text(init.display()))?;
    let archive = work.join("initramfs.gz");
    let pack = "find . -print0 | cpio -0 -o -H newc --quiet | gzip -1";
    let packed = output(Command::new("sh").args(["-c", pack]).current_dir(&root))?;
    fs::write(&archive, packed).map_err(text(archive.display()))?;
    Ok(archive)
}
