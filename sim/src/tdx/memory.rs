//! The module's objects: which array of words holds what, and under which name reports show it.

use pamt_strategies::platform::{Field, Home, Place, Platform};
use pamt_strategies::units::PAGES_PER_REGION;

use super::config::ModuleConfig;
use super::layout::{self, globals, tdcs, tdr, tdvps, wbt};

/// 2 MiB regions in a gibibyte.
const REGIONS_PER_G1: u64 = 512;
/// Entries in a Secure EPT page.
pub(super) const SEPT_ENTRIES: usize = 512;

/// An object of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// PAMT entries of 1 GiB pages.
    Pamt1g,
    /// PAMT entries of 2 MiB regions; with a pair, its pages and page_count.
    Pamt2m,
    /// PAMT entries of 4 KiB pages: in dynamic mode, the contents of the page pairs.
    Pamt4k,
    /// One bit for each 4 KiB page that backs PAMT entries (or is reserved).
    PageBitmap,
    /// TDR pages, a record a TD.
    Tdr,
    /// TDCS pages, a record a TD.
    Tdcs,
    /// TDVPS pages, a record a VCPU.
    Tdvps,
    /// Secure EPT pages.
    Sept,
    /// Global data: system state, key ids, the KOT and its lock.
    Globals,
    /// WBT entries, a record a package.
    Wbt,
    /// The key engine of a package: busy while PCONFIG runs. Hardware, not memory of the module.
    KeyEngine,
}

impl Object {
    /// All objects, in order of their index.
    pub const ALL: [Self; 11] = [
        Self::Pamt1g,
        Self::Pamt2m,
        Self::Pamt4k,
        Self::PageBitmap,
        Self::Tdr,
        Self::Tdcs,
        Self::Tdvps,
        Self::Sept,
        Self::Globals,
        Self::Wbt,
        Self::KeyEngine,
    ];

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pamt1g => "pamt_1g",
            Self::Pamt2m => "pamt_2m",
            Self::Pamt4k => "pamt_4k",
            Self::PageBitmap => "pamt_page_bitmap",
            Self::Tdr => "tdr",
            Self::Tdcs => "tdcs",
            Self::Tdvps => "tdvps",
            Self::Sept => "sept",
            Self::Globals => "module_globals",
            Self::Wbt => "wbt",
            Self::KeyEngine => "key_engine",
        }
    }

    /// 64-bit words of one record, and the names of its parts.
    #[must_use]
    pub const fn record(self) -> (usize, &'static [Field]) {
        match self {
            Self::Pamt1g | Self::Pamt4k => (2, layout::PAMT_LEAF_FIELDS),
            Self::Pamt2m => (2, layout::PAMT_2M_FIELDS),
            Self::PageBitmap => (1, &[]),
            Self::Tdr => (tdr::WORDS, tdr::FIELDS),
            Self::Tdcs => (tdcs::WORDS, tdcs::FIELDS),
            Self::Tdvps => (tdvps::WORDS, tdvps::FIELDS),
            Self::Sept => (1, &[]),
            Self::Globals => (globals::WORDS, globals::FIELDS),
            Self::Wbt => (wbt::WORDS, wbt::FIELDS),
            Self::KeyEngine => (8, &[]),
        }
    }

    /// Name of the record and field at a byte: `tdcs[0].op_state_lock`.
    #[must_use]
    pub fn name_at(self, byte: usize) -> String {
        let (words, fields) = self.record();
        let (record, offset) = (byte / (8 * words), (byte % (8 * words)) as u32);
        let covers = |field: &&Field| (field.offset..field.offset + field.bytes).contains(&offset);
        match fields.iter().find(covers) {
            Some(field) => format!("{}[{record}].{}", self.name(), field.name),
            None if offset == 0 => format!("{}[{record}]", self.name()),
            None => format!("{}[{record}]+{offset}", self.name()),
        }
    }

    /// Number of records.
    fn records(self, config: &ModuleConfig) -> usize {
        let regions = u64::from(config.regions);
        match self {
            Self::Pamt1g => regions.div_ceil(REGIONS_PER_G1) as usize,
            Self::Pamt2m => regions as usize,
            Self::Pamt4k => (regions * PAGES_PER_REGION) as usize,
            Self::PageBitmap => (regions * PAGES_PER_REGION / 64) as usize,
            Self::Tdr | Self::Tdcs => config.tds as usize,
            Self::Tdvps => config.vcpus as usize,
            Self::Sept => config.sept_pages as usize * SEPT_ENTRIES,
            Self::Globals => 1,
            Self::Wbt | Self::KeyEngine => config.packages as usize,
        }
    }

    /// PAMT areas lie in the memory that they describe; the rest is interleaved like any page that
    /// the host picked without regard to its node.
    fn home(self) -> Home {
        match self {
            Self::Pamt1g | Self::Pamt2m | Self::Pamt4k | Self::PageBitmap => Home::Split,
            Self::Tdr
            | Self::Tdcs
            | Self::Tdvps
            | Self::Sept
            | Self::Globals
            | Self::Wbt
            | Self::KeyEngine => Home::Interleaved,
        }
    }

    /// Allocates its array. Areas are page aligned, so that offsets decide which fields share lines.
    pub(super) fn words<P: Platform>(
        self,
        build: &mut P::Build,
        config: &ModuleConfig,
    ) -> P::Words<u64> {
        let (words, fields) = self.record();
        let len = words * self.records(config);
        let mut place = Place::packed(self.name(), len).record(8 * words as u32, fields);
        place.align = 4096;
        P::words(build, place.home(self.home()))
    }
}
