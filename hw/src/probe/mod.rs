//! What this host lacks for real SEAMCALLs, and how to get it.
//!
//! The probe reads: CPUID, two MSRs (where the `msr` driver's node is readable), `/proc`, `/sys` and
//! the kernel's build configuration. It opens nothing for writing, loads no module and changes
//! nothing. [`probe`] reads the host; [`Probe::of`] judges [`Facts`] that came from anywhere.

mod checks;
mod cpu;
mod facts;
mod text;

pub use cpu::{CpuFacts, MsrReading};
pub use facts::{Device, Facts, Permission};

/// Where the helper's device node lies.
pub const DEVICE_PATH: &str = "/dev/pamt_hw";

/// How one requirement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Met,
    /// It is not; the check says how to get it.
    Missing,
    /// It could not be read with the permissions of this process.
    Unknown,
}

/// One requirement of real SEAMCALLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is required, in a few words.
    pub name: &'static str,
    /// Whether it is there.
    pub state: State,
    /// What was found, and where.
    pub found: String,
    /// How to get it; empty when it is met.
    pub remedy: String,
}

/// The answer of `pamt-bench hw probe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What was read.
    pub facts: Facts,
    /// The requirements in the order in which they must be met.
    pub checks: Vec<Check>,
}

impl Probe {
    /// Judges `facts`.
    #[must_use]
    pub fn of(facts: Facts) -> Self {
        let checks = checks::all(&facts);
        Self { facts, checks }
    }

    /// Whether the helper can be used: its device is there and may be opened. The hardware checks do
    /// not count here, because the helper asks the module itself (or the emulator of a test guest).
    #[must_use]
    pub fn usable(&self) -> bool {
        self.facts.device == Device::Ready && self.facts.permission.sys_admin
    }
}

/// Reads this host. Changes nothing.
#[must_use]
pub fn probe() -> Probe {
    Probe::of(Facts::read(std::path::Path::new("/"), CpuFacts::read()))
}
