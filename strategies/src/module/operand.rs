//! Operand ids: the low 32 bits of a status that blames an operand.

use core::fmt;

/// An operand id of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operand(pub u32);

macro_rules! operands {
    ($($konst:ident = $id:literal;)*) => {
        impl Operand {
            $(#[doc = concat!("Operand id ", stringify!($id), ".")]
            pub const $konst: Self = Self($id);)*

            /// Name, for known ids.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($id => Some(stringify!($konst)),)* _ => None }
            }
        }
    };
}

operands! {
    RAX = 0; RCX = 1; RDX = 2; RBX = 3; RBP = 5; RSI = 6; RDI = 7; R8 = 8; R9 = 9; R10 = 10;
    R11 = 11; R12 = 12; R13 = 13; R14 = 14; R15 = 15;
    ATTRIBUTES = 64; XFAM = 65; EXEC_CONTROLS = 66; EPTP_CONTROLS = 67; MAX_VCPUS = 68;
    CPUID_CONFIG = 69; TSC_FREQUENCY = 70; NUM_L2_VMS = 71; PAGE = 95; TDMR_INFO_PA = 96;
    TDR = 128; TDCX = 129; TDVPR = 130; REG_PAGE = 132; TDCS = 144; TDVPS = 145; SEPT_TREE = 146;
    SEPT_ENTRY = 147; RTMR = 168; TD_EPOCH = 169; OP_STATE = 172; SYS = 184; TDMR = 185; KOT = 186;
    KET = 187; WBCACHE = 188;
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "operand {}", self.0),
        }
    }
}
