//! Installs what a step needs and the machine lacks: Debian packages, cargo tools, npm and Python packages.
//!
//! Packages go on the system only when the user is root; otherwise the step is skipped with the
//! command that would install them.

use std::path::Path;
use std::process::Command;

/// Something that must be there before a step.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A file that a Debian package brings, and the package.
    Debian {
        /// Its presence proves the package.
        file: &'static str,
        /// What to install.
        package: &'static str,
    },
    /// A cargo subcommand of this crate, at this version.
    Cargo {
        /// Crate and binary.
        name: &'static str,
        /// Version.
        version: &'static str,
    },
    /// A component of the nightly toolchain.
    Nightly(&'static str),
    /// `npm ci` in this folder.
    Npm(&'static str),
    /// The packages of this requirements file, in the environment [`PYTHON`] is of.
    Python(&'static str),
}

/// The interpreter of the project's own environment: nothing is installed on the system.
pub(crate) const PYTHON: &str = "target/python/bin/python3";

/// Makes the needs available.
///
/// # Errors
/// What is lacking and how to get it.
pub(crate) fn provide(needs: &[Need]) -> Result<(), String> {
    let mut packages = Vec::new();
    for need in needs {
        match need {
            Need::Debian { file, package } if !Path::new(file).exists() => {
                packages.push((*package).to_owned());
            }
            _ => {}
        }
    }
    install_packages(&packages)?;
    needs.iter().try_for_each(|need| match need {
        Need::Cargo { name, version } => install_tool(name, version),
        Need::Nightly(component) => install_component(component),
        Need::Npm(folder) => install_npm(folder),
        Need::Python(requirements) => install_python(requirements),
        Need::Debian { .. } => Ok(()),
    })
}

fn install_packages(packages: &[String]) -> Result<(), String> {
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !is_root() {
        return Err(format!("needs Debian packages; as root: {by_hand}"));
    }
    eprintln!("xtask: installing {}", packages.join(" "));
    // The lists of a fresh machine are empty or old.
    quiet(Command::new("apt-get").args(["update", "-qq"]), "apt-get update")?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    quiet(install.env("DEBIAN_FRONTEND", "noninteractive"), &by_hand)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

fn install_tool(name: &str, version: &str) -> Result<(), String> {
    let found = Command::new(name).arg("--version").output();
    if found.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains(version)) {
        return Ok(());
    }
    eprintln!("xtask: installing {name} {version} (minutes on a small machine)");
    let mut install = Command::new("cargo");
    install.args(["install", "--quiet", "--locked", name, "--version", version]);
    quiet(&mut install, &format!("cargo install --locked {name} --version {version}"))
}

fn install_component(component: &str) -> Result<(), String> {
    let add = ["component", "add", "--toolchain", "nightly", component];
    let by_hand = format!("rustup toolchain install nightly && rustup {}", add.join(" "));
    quiet(Command::new("rustup").args(add), &by_hand)
}

fn install_npm(folder: &str) -> Result<(), String> {
    let mut ci = Command::new("npm");
    ci.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    quiet(&mut ci, &format!("npm ci in {folder}"))
}

fn install_python(requirements: &str) -> Result<(), String> {
    if !Path::new(PYTHON).exists() {
        let make = ["-m", "venv", "target/python"];
        quiet(Command::new("python3").args(make), "python3 -m venv target/python")?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    let by_hand = format!("{PYTHON} {} {requirements}", install.join(" "));
    quiet(Command::new(PYTHON).args(install).arg(requirements), &by_hand)
}

/// Runs a command whose output matters only when it fails.
fn quiet(command: &mut Command, by_hand: &str) -> Result<(), String> {
    match command.output() {
        Ok(out) if out.status.success() => Ok(()),
        Ok(out) => {
            eprint!("{}", String::from_utf8_lossy(&out.stderr));
            Err(format!("`{by_hand}` failed ({})", out.status))
        }
        Err(error) => Err(format!("`{by_hand}` did not start: {error}")),
    }
}
