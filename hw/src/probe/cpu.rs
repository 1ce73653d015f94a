//! What the processor says about itself.
//!
//! Bits: Intel SDM volume 2 (CPUID leaves 0, 1 and 7; leaf 0x21 inside a TD) and volume 4
//! (IA32_MTRRCAP bit 15 SEAMRR, IA32_MKTME_KEYID_PARTITIONING bits 63:32 TDX key ids).

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// IA32_MTRRCAP; bit 15: SEAM range registers exist.
const MSR_MTRRCAP: u64 = 0xfe;
const MTRRCAP_SEAMRR: u64 = 1 << 15;
/// IA32_MKTME_KEYID_PARTITIONING; bits 63:32: key ids that the BIOS set aside for TDX.
const MSR_KEYID_PARTITIONING: u64 = 0x87;

/// The result of reading one model-specific register through `/dev/cpu/0/msr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsrReading {
    /// Its value.
    Value(u64),
    /// The processor has no such register.
    Absent,
    /// The `msr` driver is not loaded.
    NoDriver,
    /// This process may not read it.
    NotPermitted,
}

impl MsrReading {
    fn read(root: &Path, register: u64) -> Self {
        let file = match File::open(root.join("dev/cpu/0/msr")) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => return Self::NotPermitted,
            Err(_) => return Self::NoDriver,
        };
        let mut bytes = [0; 8];
        match file.read_exact_at(&mut bytes, register) {
            Ok(()) => Self::Value(u64::from_le_bytes(bytes)),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Self::NotPermitted,
            Err(_) => Self::Absent,
        }
    }

    /// Whether the bits of `mask` are set; `None` when the register could not be read.
    #[must_use]
    pub fn any(self, mask: u64) -> Option<bool> {
        match self {
            Self::Value(value) => Some(value & mask != 0),
            Self::Absent => Some(false),
            Self::NoDriver | Self::NotPermitted => None,
        }
    }
}

/// CPUID of the CPU that ran the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuFacts {
    /// Vendor string, for example `GenuineIntel`.
    pub vendor: String,
    /// CPUID.1:ECX[5].
    pub vmx: bool,
    /// CPUID.1:ECX[31]: this is itself a guest.
    pub hypervisor: bool,
    /// CPUID.7:EDX[18]: PCONFIG, which the module needs to program key ids.
    pub pconfig: bool,
    /// CPUID.0x21 says `IntelTDX`: this host is a TD.
    pub inside_td: bool,
}

impl CpuFacts {
    /// Executes CPUID.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub fn read() -> Self {
        use core::arch::x86_64::{__cpuid, __cpuid_count};
        let text = |words: [u32; 3]| {
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            String::from_utf8_lossy(&bytes).trim().to_owned()
        };
        let zero = __cpuid(0);
        let one = __cpuid(1);
        let seven = if zero.eax >= 7 { __cpuid_count(7, 0).edx } else { 0 };
        let tdx_guest = zero.eax >= 0x21 && {
            let leaf = __cpuid(0x21);
            text([leaf.ebx, leaf.edx, leaf.ecx]) == "IntelTDX"
        };
        Self {
            vendor: text([zero.ebx, zero.edx, zero.ecx]),
            vmx: one.ecx >> 5 & 1 == 1,
            hypervisor: one.ecx >> 31 == 1,
            pconfig: seven >> 18 & 1 == 1,
            inside_td: tdx_guest,
        }
    }

    /// No CPUID on this architecture.
    #[cfg(not(target_arch = "x86_64"))]
    #[must_use]
    pub fn read() -> Self {
        Self {
            vendor: std::env::consts::ARCH.to_owned(),
            vmx: false,
            hypervisor: false,
            pconfig: false,
            inside_td: false,
        }
    }
}

/// The registers that the BIOS's choices show in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsrFacts {
    mtrrcap: MsrReading,
    partitioning: MsrReading,
}

impl MsrFacts {
    /// Reads them under `root`.
    pub(super) fn read(root: &Path) -> Self {
        Self {
            mtrrcap: MsrReading::read(root, MSR_MTRRCAP),
            partitioning: MsrReading::read(root, MSR_KEYID_PARTITIONING),
        }
    }

    /// Whether SEAM range registers exist; `None` when unreadable.
    #[must_use]
    pub fn seamrr(&self) -> Option<bool> {
        self.mtrrcap.any(MTRRCAP_SEAMRR)
    }

    /// Key ids that the BIOS set aside for TDX; `None` when unreadable.
    #[must_use]
    pub fn tdx_key_ids(&self) -> Option<u32> {
        match self.partitioning {
            MsrReading::Value(value) => Some((value >> 32) as u32),
            MsrReading::Absent => Some(0),
            MsrReading::NoDriver | MsrReading::NotPermitted => None,
        }
    }

    /// Why the registers are not readable, if they are not.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        match self.partitioning {
            MsrReading::Value(_) | MsrReading::Absent => None,
            MsrReading::NoDriver => Some("the msr driver is not loaded"),
            MsrReading::NotPermitted => Some("no permission to read MSRs"),
        }
    }
}
