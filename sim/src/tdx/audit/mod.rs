//! What must hold whenever no leaf is in execution; for checkers, free of cost.

use std::collections::{BTreeMap, BTreeSet};

use pamt_strategies::platform::{Platform, Words};
use pamt_strategies::units::{Pfn, Region};

use super::layout::{self, Level, PageType, wbt};
use super::locks::{sharex, sharex_hp};
use super::memory::Object;
use super::module::Module;
use super::pamt::entry_at;

mod tds;

/// What the module holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// TDs.
    pub tds: usize,
    /// VCPUs.
    pub vcpus: usize,
    /// Secure EPT tables, roots included.
    pub tables: usize,
    /// Regions with a page pair.
    pub pairs: usize,
    /// 4 KiB pages assigned, of any type, and 2 MiB pages counted as 512.
    pub pages: u64,
}

impl<P: Platform> Module<P> {
    /// Counts what the module holds, and checks page counts, the bitmap, child counts, key ids, locks,
    /// and that each Secure EPT maps what its TD owns.
    ///
    /// # Errors
    /// One sentence for each invariant that is broken. `guests` says that VCPUs run: the shared
    /// locks that they hold are then no error.
    pub fn audit(&self, cpu: &P::Cpu, guests: bool) -> Result<Census, Vec<String>> {
        let mut audit = Audit {
            module: self,
            cpu,
            guests,
            wrong: Vec::new(),
            tdrs: Vec::new(),
            owned: BTreeMap::new(),
            memory: BTreeMap::new(),
            backing: BTreeSet::new(),
        };
        let mut census = Census {
            tds: self.tds.in_use(),
            vcpus: self.vcpus.in_use(),
            tables: self.sept_pages.in_use(),
            ..Census::default()
        };
        for region in 0..self.config().regions {
            audit.region(Region(region), &mut census);
        }
        audit.bitmap();
        audit.tds();
        audit.globals();
        if audit.wrong.is_empty() { Ok(census) } else { Err(audit.wrong) }
    }
}

struct Audit<'a, P: Platform> {
    module: &'a Module<P>,
    cpu: &'a P::Cpu,
    guests: bool,
    wrong: Vec<String>,
    /// TDR pages.
    tdrs: Vec<Pfn>,
    /// Pages by the TDR that owns them.
    owned: BTreeMap<Pfn, u64>,
    /// Of those, memory and tables.
    memory: BTreeMap<Pfn, u64>,
    /// Backing pages of all pairs.
    backing: BTreeSet<Pfn>,
}

impl<P: Platform> Audit<'_, P> {
    fn peek(&self, object: Object, word: usize) -> u64 {
        self.module.words(object).peek(self.cpu, word)
    }

    fn entry(&mut self, pfn: Pfn, level: Level) -> [u64; 2] {
        let (object, base) = entry_at(pfn, level);
        let q0 = self.peek(object, base);
        let lock = q0 as u16;
        let held = if self.guests {
            lock & sharex_hp::EXCLUSIVE
        } else {
            lock & !sharex_hp::HOST_PRIORITY
        };
        if held != 0 {
            let name = object.name();
            self.wrong.push(format!("{name} entry of pfn {:#x} is locked: {lock:#06x}", pfn.0));
        }
        [q0, self.peek(object, base + 1)]
    }

    fn region(&mut self, region: Region, census: &mut Census) {
        let first = region.first_pfn();
        let [q0, q1] = self.entry(first, Level::M2);
        let assigned = match layout::q0_type(q0) {
            PageType::Pamt => {
                census.pairs += 1;
                self.pair(region, layout::pair_of(q0, q1));
                self.pages(region)
            }
            PageType::Reg => {
                self.owns(q0, Level::M2);
                Level::M2.pages()
            }
            _ if self.module.config().dynamic => 0,
            _ => self.pages(region),
        };
        census.pages += assigned;
        let counted = layout::page_count(q1);
        if layout::q0_type(q0) == PageType::Pamt && counted != assigned {
            let text = format!("region {region}: page_count {counted}, but {assigned} assigned");
            self.wrong.push(text);
        }
    }

    fn pair(&mut self, region: Region, pair: [Pfn; 2]) {
        for page in pair {
            if !self.backing.insert(page) {
                let text = format!("region {region}: backing pfn {:#x} has two uses", page.0);
                self.wrong.push(text);
            }
        }
    }

    /// The bitmap holds the backing pages, and no others.
    fn bitmap(&mut self) {
        let words = (self.module.config().pages() / 64) as usize;
        let bits_of = |word: usize, bits: u64| {
            (0..64)
                .filter(move |bit| bits >> bit & 1 == 1)
                .map(move |bit| Pfn(64 * word as u64 + bit))
        };
        let marked: BTreeSet<_> = (0..words)
            .flat_map(|word| bits_of(word, self.peek(Object::PageBitmap, word)))
            .collect();
        for page in marked.symmetric_difference(&self.backing) {
            let text = format!("pfn {:#x} is either in the bitmap or a backing page", page.0);
            self.wrong.push(text);
        }
    }

    fn owns(&mut self, q0: u64, level: Level) {
        let owner = layout::q0_owner(q0);
        *self.owned.entry(owner).or_default() += level.pages();
        if matches!(layout::q0_type(q0), PageType::Reg | PageType::Ept) {
            *self.memory.entry(owner).or_default() += level.pages();
        }
    }

    /// Assigned pages of a region.
    fn pages(&mut self, region: Region) -> u64 {
        let first = region.first_pfn().0;
        let mut assigned = 0;
        for pfn in first..first + Level::M2.pages() {
            let [q0, _] = self.entry(Pfn(pfn), Level::K4);
            match layout::q0_type(q0) {
                PageType::Nda => continue,
                PageType::Tdr => self.tdrs.push(Pfn(pfn)),
                _ => self.owns(q0, Level::K4),
            }
            assigned += 1;
        }
        assigned
    }

    fn globals(&mut self) {
        let at = layout::globals::KOT_LOCK;
        let lock = (self.peek(Object::Globals, at.word) >> (16 * at.half)) as u16;
        if lock & sharex::EXCLUSIVE != 0 || lock >= sharex::READER {
            self.wrong.push(format!("the KOT is locked: {lock:#06x}"));
        }
        for package in 0..usize::from(self.module.config().packages) {
            let word = self.peek(Object::Wbt, package * wbt::WORDS + wbt::MUTEX.word);
            if word & 0xff != 0 {
                self.wrong.push(format!("the write-back of package {package} is locked"));
            }
        }
    }
}
