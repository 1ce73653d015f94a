//! SEAMCALL and TDCALL leaves: numbers and ABI names.

use core::fmt;

macro_rules! leaves {
    ($($variant:ident = $number:literal, $name:literal;)*) => {
        /// A leaf function of the TDX module.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Leaf {
            $(#[doc = $name] $variant,)*
        }

        impl Leaf {
            /// All leaves, in the order of their index.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// Number of leaves.
            pub const COUNT: usize = Self::ALL.len();

            /// Full ABI name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Leaf number in RAX. Unique among SEAMCALLs and among TDCALLs, not across both.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }
        }
    };
}

leaves! {
    VpEnter = 0, "TDH.VP.ENTER";
    MngAddcx = 1, "TDH.MNG.ADDCX";
    MemPageAdd = 2, "TDH.MEM.PAGE.ADD";
    MemSeptAdd = 3, "TDH.MEM.SEPT.ADD";
    VpAddcx = 4, "TDH.VP.ADDCX";
    MemPageAug = 6, "TDH.MEM.PAGE.AUG";
    MemRangeBlock = 7, "TDH.MEM.RANGE.BLOCK";
    MngKeyConfig = 8, "TDH.MNG.KEY.CONFIG";
    MngCreate = 9, "TDH.MNG.CREATE";
    VpCreate = 10, "TDH.VP.CREATE";
    MemPageDemote = 15, "TDH.MEM.PAGE.DEMOTE";
    MrExtend = 16, "TDH.MR.EXTEND";
    MrFinalize = 17, "TDH.MR.FINALIZE";
    VpFlush = 18, "TDH.VP.FLUSH";
    MngVpflushdone = 19, "TDH.MNG.VPFLUSHDONE";
    MngKeyFreeid = 20, "TDH.MNG.KEY.FREEID";
    MngInit = 21, "TDH.MNG.INIT";
    VpInit = 22, "TDH.VP.INIT";
    MemPagePromote = 23, "TDH.MEM.PAGE.PROMOTE";
    PhymemPageRdmd = 24, "TDH.PHYMEM.PAGE.RDMD";
    MngKeyReclaimid = 27, "TDH.MNG.KEY.RECLAIMID";
    PhymemPageReclaim = 28, "TDH.PHYMEM.PAGE.RECLAIM";
    MemPageRemove = 29, "TDH.MEM.PAGE.REMOVE";
    MemSeptRemove = 30, "TDH.MEM.SEPT.REMOVE";
    MemTrack = 38, "TDH.MEM.TRACK";
    PhymemCacheWb = 40, "TDH.PHYMEM.CACHE.WB";
    PhymemPageWbinvd = 41, "TDH.PHYMEM.PAGE.WBINVD";
    PhymemPamtAdd = 58, "TDH.PHYMEM.PAMT.ADD";
    PhymemPamtRemove = 59, "TDH.PHYMEM.PAMT.REMOVE";
    TdgMemPageAccept = 6, "TDG.MEM.PAGE.ACCEPT";
}

impl Leaf {
    /// Dense index.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The leaf of an index.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
