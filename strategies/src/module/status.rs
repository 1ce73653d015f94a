//! Completion status: 64 bits, the upper 32 name it, the lower 32 hold an operand id or details.

use core::fmt;

use super::operand::Operand;

/// A completion status as the module returns it in RAX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u64);

macro_rules! statuses {
    ($($variant:ident = $upper:literal, $name:literal;)*) => {
        /// A status without its details: the upper 32 bits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum StatusName {
            $(#[doc = $name] $variant,)*
        }

        impl StatusName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Upper 32 bits.
            #[must_use]
            pub const fn upper(self) -> u32 {
                match self { $(Self::$variant => $upper,)* }
            }

            /// Name in the ABI, without the `TDX_` prefix.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

statuses! {
    Success = 0x0000_0000, "SUCCESS";
    InterruptedResumable = 0x8000_0003, "INTERRUPTED_RESUMABLE";
    InterruptedRestartable = 0x8000_0004, "INTERRUPTED_RESTARTABLE";
    OperandInvalid = 0xC000_0100, "OPERAND_INVALID";
    OperandAddrRangeError = 0xC000_0101, "OPERAND_ADDR_RANGE_ERROR";
    OperandBusy = 0x8000_0200, "OPERAND_BUSY";
    PreviousTlbEpochBusy = 0x8000_0201, "PREVIOUS_TLB_EPOCH_BUSY";
    SysBusy = 0x8000_0202, "SYS_BUSY";
    RndNoEntropy = 0x8000_0203, "RND_NO_ENTROPY";
    OperandBusyHostPriority = 0x8000_0204, "OPERAND_BUSY_HOST_PRIORITY";
    HostPriorityBusyTimeout = 0x9000_0205, "HOST_PRIORITY_BUSY_TIMEOUT";
    InterruptedBusy = 0x8000_0206, "INTERRUPTED_BUSY";
    PageMetadataIncorrect = 0xC000_0300, "PAGE_METADATA_INCORRECT";
    PageAlreadyFree = 0x0000_0301, "PAGE_ALREADY_FREE";
    PageNotOwnedByTd = 0xC000_0302, "PAGE_NOT_OWNED_BY_TD";
    PageNotFree = 0xC000_0303, "PAGE_NOT_FREE";
    HpaRangeNotFree = 0xC000_0304, "HPA_RANGE_NOT_FREE";
    NoPamtPagePair = 0xC000_0305, "NO_PAMT_PAGE_PAIR";
    PamtPageNotEmpty = 0xC000_0306, "PAMT_PAGE_NOT_EMPTY";
    InterruptedPamt = 0x8000_0307, "INTERRUPTED_PAMT";
    MissingPamtPagePair = 0x8000_0308, "MISSING_PAMT_PAGE_PAIR";
    TdAssociatedPagesExist = 0xC000_0400, "TD_ASSOCIATED_PAGES_EXIST";
    SysNotReady = 0xC000_0505, "SYS_NOT_READY";
    SysShutdown = 0xC000_0506, "SYS_SHUTDOWN";
    TdFatal = 0xE000_0604, "TD_FATAL";
    TdcsNotAllocated = 0xC000_0606, "TDCS_NOT_ALLOCATED";
    LifecycleStateIncorrect = 0xC000_0607, "LIFECYCLE_STATE_INCORRECT";
    OpStateIncorrect = 0xC000_0608, "OP_STATE_INCORRECT";
    NoVcpus = 0xC000_0609, "NO_VCPUS";
    TdcxNumIncorrect = 0xC000_0610, "TDCX_NUM_INCORRECT";
    X2apicIdNotUnique = 0xC000_0621, "X2APIC_ID_NOT_UNIQUE";
    IncompatibleMrtdContext = 0xC000_0622, "INCOMPATIBLE_MRTD_CONTEXT";
    VcpuStateIncorrect = 0xC000_0700, "VCPU_STATE_INCORRECT";
    VcpuAssociated = 0x8000_0701, "VCPU_ASSOCIATED";
    VcpuNotAssociated = 0x8000_0702, "VCPU_NOT_ASSOCIATED";
    MaxVcpusExceeded = 0xC000_0705, "MAX_VCPUS_EXCEEDED";
    TscRollback = 0xC000_0706, "TSC_ROLLBACK";
    KeyGenerationFailed = 0x8000_0800, "KEY_GENERATION_FAILED";
    TdKeysNotConfigured = 0x8000_0810, "TD_KEYS_NOT_CONFIGURED";
    KeyStateIncorrect = 0xC000_0811, "KEY_STATE_INCORRECT";
    KeyConfigured = 0x0000_0815, "KEY_CONFIGURED";
    WbcacheNotComplete = 0x8000_0817, "WBCACHE_NOT_COMPLETE";
    HkidNotFree = 0xC000_0820, "HKID_NOT_FREE";
    NoHkidReadyToWbcache = 0x0000_0821, "NO_HKID_READY_TO_WBCACHE";
    WbcacheResumeError = 0xC000_0823, "WBCACHE_RESUME_ERROR";
    FlushvpNotDone = 0x8000_0824, "FLUSHVP_NOT_DONE";
    LimitCpuidMaxvalSet = 0xC000_0901, "LIMIT_CPUID_MAXVAL_SET";
    InconsistentMsr = 0xC000_0920, "INCONSISTENT_MSR";
    EptWalkFailed = 0xC000_0B00, "EPT_WALK_FAILED";
    EptEntryNotPresent = 0xC000_0B03, "EPT_ENTRY_NOT_PRESENT";
    GpaRangeNotBlocked = 0xC000_0B06, "GPA_RANGE_NOT_BLOCKED";
    GpaRangeAlreadyBlocked = 0x0000_0B07, "GPA_RANGE_ALREADY_BLOCKED";
    TlbTrackingNotDone = 0xC000_0B08, "TLB_TRACKING_NOT_DONE";
    EptInvalidPromoteConditions = 0xC000_0B09, "EPT_INVALID_PROMOTE_CONDITIONS";
    PageAlreadyAccepted = 0x0000_0B0A, "PAGE_ALREADY_ACCEPTED";
    PageSizeMismatch = 0xC000_0B0B, "PAGE_SIZE_MISMATCH";
    EptEntryStateIncorrect = 0xC000_0B0D, "EPT_ENTRY_STATE_INCORRECT";
    EptPageNotFree = 0xC000_0B0E, "EPT_PAGE_NOT_FREE";
    L2SeptWalkFailed = 0xC000_0B0F, "L2_SEPT_WALK_FAILED";
    L2SeptPageNotProvided = 0xC000_0B12, "L2_SEPT_PAGE_NOT_PROVIDED";
}

impl Status {
    /// TDX_SUCCESS.
    pub const SUCCESS: Self = Self(0);

    /// A status with an operand id (or other details) in its lower half.
    #[must_use]
    pub const fn with(name: StatusName, operand: Operand) -> Self {
        Self((name.upper() as u64) << 32 | operand.0 as u64)
    }

    /// OPERAND_BUSY on an operand.
    #[must_use]
    pub const fn busy(operand: Operand) -> Self {
        Self::with(StatusName::OperandBusy, operand)
    }

    /// Its name, when the upper half is a known one.
    #[must_use]
    pub fn name(self) -> Option<StatusName> {
        let upper = (self.0 >> 32) as u32;
        StatusName::ALL.iter().copied().find(|name| name.upper() == upper)
    }

    /// Whether its upper half is this name's.
    #[must_use]
    pub const fn is(self, name: StatusName) -> bool {
        (self.0 >> 32) as u32 == name.upper()
    }

    /// Lower half, as an operand id.
    #[must_use]
    pub const fn operand(self) -> Operand {
        Operand(self.0 as u32)
    }

    /// Bit 63.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 >> 63 == 1
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(StatusName::Success) => f.write_str("SUCCESS"),
            Some(name) => write!(f, "{}|{}", name.name(), self.operand()),
            None => write!(f, "{:#018x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_abi_hold() {
        assert_eq!(Status::busy(Operand::R8).0, 0x8000_0200_0000_0008);
        assert_eq!(Status::busy(Operand::RCX).to_string(), "OPERAND_BUSY|RCX");
        assert!(Status::busy(Operand::RDX).is_error());
        assert!(!Status::with(StatusName::PageAlreadyFree, Operand::RCX).is_error());
    }
}
