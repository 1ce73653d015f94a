//! Where the module's data lies: page types, PAMT entry bits, and the offsets of the fields that
//! share cache lines (1.5.25 headers; PAMT entry: `pamt_manager.h`).

use pamt_strategies::platform::Field;
use pamt_strategies::units::Pfn;

const fn field(name: &'static str, offset: u32, bytes: u32) -> Field {
    Field { name, offset, bytes }
}

/// Type of a page, as a PAMT entry stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PageType {
    /// Not assigned.
    Nda = 0,
    /// Reserved: outside the memory that may be assigned.
    Rsvd = 1,
    /// Guest page.
    Reg = 3,
    /// Root page of a TD.
    Tdr = 4,
    /// Control page of a TD or a VCPU.
    Tdcx = 5,
    /// Root page of a VCPU.
    Tdvpr = 6,
    /// Secure EPT page.
    Ept = 8,
    /// At 2 MiB level: the region's entries live in a page pair.
    Pamt = 15,
}

impl PageType {
    /// The type that `bits` stand for; unused codes count as reserved.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        match bits & 0x1f {
            0 => Self::Nda,
            3 => Self::Reg,
            4 => Self::Tdr,
            5 => Self::Tdcx,
            6 => Self::Tdvpr,
            8 => Self::Ept,
            15 => Self::Pamt,
            _ => Self::Rsvd,
        }
    }

    /// Name, as the headers spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nda => "PT_NDA",
            Self::Rsvd => "PT_RSVD",
            Self::Reg => "PT_REG",
            Self::Tdr => "PT_TDR",
            Self::Tdcx => "PT_TDCX",
            Self::Tdvpr => "PT_TDVPR",
            Self::Ept => "PT_EPT",
            Self::Pamt => "PT_PAMT",
        }
    }
}

/// Level of a page or of a PAMT array: the size code of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// 4 KiB.
    K4 = 0,
    /// 2 MiB.
    M2 = 1,
    /// 1 GiB.
    G1 = 2,
}

impl Level {
    /// The level of a size code.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::K4),
            1 => Some(Self::M2),
            2 => Some(Self::G1),
            _ => None,
        }
    }

    /// 4 KiB pages in it.
    #[must_use]
    pub const fn pages(self) -> u64 {
        1 << (9 * self as u32)
    }
}

/// First bit of the key id in a physical address (dynamic mode needs it at 48 or below).
pub const HKID_SHIFT: u32 = 46;

/// First word of PAMT_4K, PAMT_2M or PAMT_1G entry `i`: two 64-bit words each.
pub(super) const fn entry(i: u64) -> usize {
    2 * i as usize
}

/// Q0 of a leaf entry without its lock: type in bits 20:16, owner (page number of the TDR) above 24.
pub(super) const fn leaf_q0(page_type: PageType, owner: Pfn) -> u64 {
    (page_type as u64) << 16 | owner.0 << 24
}

/// The type in a Q0.
pub(super) const fn q0_type(q0: u64) -> PageType {
    PageType::from_bits(q0 >> 16)
}

/// The owner in the Q0 of a leaf entry.
pub(super) const fn q0_owner(q0: u64) -> Pfn {
    Pfn(q0 >> 24)
}

/// Q0 and Q1 of a PAMT_2M entry that holds a pair; page_count (Q1 bits 9:0) is `count`.
pub(super) const fn pair_entry(pair: [Pfn; 2], count: u64) -> [u64; 2] {
    [(PageType::Pamt as u64) << 16 | pair[0].0 << 28, count | pair[1].0 << 28]
}

/// The pair in a PAMT_2M entry.
pub(super) const fn pair_of(q0: u64, q1: u64) -> [Pfn; 2] {
    [Pfn(q0 >> 28), Pfn(q1 >> 28)]
}

/// page_count in a Q1.
pub(super) const fn page_count(q1: u64) -> u64 {
    q1 & 0x3ff
}

pub(super) const PAMT_LEAF_FIELDS: &[Field] =
    &[field("lock", 0, 2), field("type", 2, 1), field("owner", 3, 5), field("bepoch", 8, 8)];
pub(super) const PAMT_2M_FIELDS: &[Field] = &[
    field("lock", 0, 2),
    field("type", 2, 2),
    field("page0", 4, 4),
    field("page_count", 8, 2),
    field("page1", 12, 4),
];

/// A field that is reached as a 16-bit part of a 64-bit word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Half {
    /// Word inside the record.
    pub(super) word: usize,
    /// Which 16 bits of it.
    pub(super) half: u32,
}

const fn half(offset: usize) -> Half {
    Half { word: offset / 8, half: (offset % 8 / 2) as u32 }
}

/// The TDR page.
pub(super) mod tdr {
    use super::{Field, Half, field, half};

    pub(in crate::tdx) const WORDS: usize = 512;
    pub(in crate::tdx) const FATAL: Half = half(0);
    pub(in crate::tdx) const NUM_TDCX: Half = half(4);
    pub(in crate::tdx) const CHLDCNT: usize = 1;
    pub(in crate::tdx) const LIFECYCLE: usize = 2;
    pub(in crate::tdx) const TDCX_PA: usize = 3;
    pub(in crate::tdx) const HKID: usize = 32;
    pub(in crate::tdx) const PKG_CONFIG_BITMAP: usize = 33;
    pub(in crate::tdx) const FIELDS: &[Field] = &[
        field("fatal", 0, 4),
        field("num_tdcx", 4, 4),
        field("chldcnt", 8, 8),
        field("lifecycle_state", 16, 8),
        field("tdcx_pa", 24, 72),
        field("hkid", 256, 8),
        field("pkg_config_bitmap", 264, 8),
    ];
}

/// The TDCS pages of a TD, as one record.
pub(super) mod tdcs {
    use super::{Field, Half, field, half};

    pub(in crate::tdx) const WORDS: usize = 6 * 512;
    /// Most VCPUs of a TD.
    pub(in crate::tdx) const MOST_VCPUS: u16 = 576;
    pub(in crate::tdx) const NUM_VCPUS: Half = half(0);
    pub(in crate::tdx) const NUM_ASSOC_VCPUS: Half = half(4);
    pub(in crate::tdx) const OP_STATE: Half = half(8);
    pub(in crate::tdx) const OP_STATE_LOCK: Half = half(12);
    pub(in crate::tdx) const MAX_VCPUS: Half = half(136);
    pub(in crate::tdx) const EPTP: usize = 19;
    pub(in crate::tdx) const SEPT_LOCK: Half = half(160);
    pub(in crate::tdx) const TD_EPOCH: usize = 64;
    pub(in crate::tdx) const EPOCH_REFCOUNT: [Half; 2] = [half(520), half(524)];
    pub(in crate::tdx) const EPOCH_LOCK: Half = half(528);
    /// First of the x2APIC ids, four bytes a VCPU, in the sixth page.
    pub(in crate::tdx) const X2APIC_IDS: usize = 5 * 512;
    pub(in crate::tdx) const FIELDS: &[Field] = &[
        field("num_vcpus", 0, 4),
        field("num_assoc_vcpus", 4, 4),
        field("op_state", 8, 4),
        field("op_state_lock", 12, 2),
        field("num_l2_vms", 16, 2),
        field("attributes", 128, 8),
        field("max_vcpus", 136, 4),
        field("eptp", 152, 8),
        field("secure_ept_lock", 160, 2),
        field("td_epoch", 512, 8),
        field("refcount", 520, 8),
        field("epoch_lock", 528, 2),
        field("x2apic_ids", 20480, 2304),
    ];
}

/// The TDVPS pages of a VCPU, as one record.
pub(super) mod tdvps {
    use super::{Field, Half, field, half};

    pub(in crate::tdx) const WORDS: usize = 6 * 512;
    pub(in crate::tdx) const VCPU_STATE: Half = half(256);
    pub(in crate::tdx) const NUM_TDVPS: Half = half(258);
    pub(in crate::tdx) const ASSOC_LPID: usize = 57;
    pub(in crate::tdx) const VCPU_EPOCH: usize = 58;
    pub(in crate::tdx) const LAST_EXIT_TSC: usize = 60;
    /// When the guest first met a lock that a host caller waits for; 0 when it did not.
    pub(in crate::tdx) const HOST_PRIORITY_SINCE: usize = 61;
    /// Where the guest last met an EPT violation (page number + 1), and how often in a row.
    pub(in crate::tdx) const LAST_FAULT: usize = 64;
    pub(in crate::tdx) const SAME_FAULTS: usize = 65;
    /// `assoc_lpid` of a VCPU that no CPU has.
    pub(in crate::tdx) const NO_LPID: u64 = 0xFFFF_FFFF;
    pub(in crate::tdx) const FIELDS: &[Field] = &[
        field("vcpu_state", 256, 2),
        field("num_tdvps_pages", 258, 2),
        field("assoc_lpid", 456, 4),
        field("vcpu_epoch", 464, 8),
        field("last_exit_tsc", 480, 8),
        field("host_priority_since", 488, 8),
        field("last_fault", 512, 16),
    ];
}

/// The module's global data, from its page-aligned base.
pub(super) mod globals {
    use super::{Field, Half, field, half};

    /// KOT entries: key ids.
    pub(in crate::tdx) const HKIDS: u64 = 2048;
    pub(in crate::tdx) const WORDS: usize = 528 + HKIDS as usize + 1;
    pub(in crate::tdx) const TD_BUILD_COUNT: Half = half(4152);
    pub(in crate::tdx) const SYS_STATE: Half = half(4214);
    pub(in crate::tdx) const KOT_LOCK: Half = half(4216);
    /// State of a KOT entry (8 bytes each from byte 4220).
    pub(in crate::tdx) const fn kot_state(hkid: u64) -> Half {
        half(4220 + 8 * hkid as usize)
    }
    /// Packages of a KOT entry whose caches are still to be written back.
    pub(in crate::tdx) const fn kot_wbinvd_bitmap(hkid: u64) -> Half {
        half(4224 + 8 * hkid as usize)
    }
    pub(in crate::tdx) const FIELDS: &[Field] = &[
        field("td_build_count", 4152, 4),
        field("pkg_config_bitmap", 4180, 4),
        field("hkid", 4212, 2),
        field("sys_state", 4214, 2),
        field("kot.lock", 4216, 2),
        field("kot.entries", 4220, 8 * HKIDS as u32),
    ];
}

/// The WBT entry of a package.
pub(super) mod wbt {
    use super::{Field, Half, field, half};

    pub(in crate::tdx) const WORDS: usize = 258;
    pub(in crate::tdx) const MUTEX: Half = half(0);
    /// Next block to write back when a call resumes; 0 when none was interrupted.
    pub(in crate::tdx) const NEXT_BLOCK: usize = 1;
    pub(in crate::tdx) const FIELDS: &[Field] =
        &[field("mutex", 0, 1), field("next_block", 8, 8), field("hkids", 16, 2048)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_state_and_its_lock_share_a_line_and_the_sept_lock_has_another() {
        let line = |h: Half| h.word * 8 / 64;
        assert_eq!(line(tdcs::OP_STATE), line(tdcs::OP_STATE_LOCK));
        assert_eq!(line(tdcs::SEPT_LOCK), 2);
        assert_eq!(line(tdcs::EPOCH_LOCK), tdcs::TD_EPOCH * 8 / 64);
        assert_eq!(line(globals::SYS_STATE), line(globals::KOT_LOCK));
        assert_eq!(line(globals::kot_state(0)), line(globals::SYS_STATE));
    }

    #[test]
    fn a_pair_entry_gives_back_its_pages_and_count() {
        let pair = [Pfn(0x3_0000_0000), Pfn(0x12_3456)];
        let [q0, q1] = pair_entry(pair, 512);
        assert_eq!(pair_of(q0, q1), pair);
        assert_eq!((q0_type(q0), page_count(q1)), (PageType::Pamt, 512));
    }
}
