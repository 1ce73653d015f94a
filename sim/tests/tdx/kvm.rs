//! A minimal kernel over the module: pages, page pairs with refcounts, and the sequences of calls that
//! KVM makes. One CPU a VCPU, in the stepped world.

use std::rc::Rc;

use pamt_sim::stepped::{Stepped, SteppedBuild, SteppedCpu};
use pamt_sim::tdx::{Census, CostTable, ExitCause, Module, ModuleConfig};
use pamt_strategies::module::{Leaf, Regs, Status, StatusName};
use pamt_strategies::units::{Pfn, Region};

/// Regions whose 4 KiB pages are handed out, and regions kept whole for 2 MiB pages.
const SMALL_REGIONS: std::ops::Range<u32> = 0..6;
const LARGE_REGIONS: std::ops::Range<u32> = 6..16;
const CPUS: usize = 8;
/// Guest physical addresses: 4 KiB pages from here, 2 MiB pages from there.
const LARGE_GPA: u64 = 0x4000_0000;

/// A guest page and where it is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    gpa: u64,
    page: Pfn,
    large: bool,
}

/// A TD as the kernel knows it.
#[derive(Debug)]
pub(crate) struct Td {
    tdr: Pfn,
    control: Vec<Pfn>,
    tdvpr: Pfn,
    tables: Vec<(u64, u64, Pfn)>,
    pub(crate) mapped: Vec<Mapped>,
    cpu: usize,
}

pub(crate) struct Kvm {
    module: Module<Stepped>,
    cpus: Vec<Rc<SteppedCpu>>,
    free: Vec<Pfn>,
    large: Vec<Region>,
    refcounts: [u32; 16],
    pub(crate) tds: [Option<Td>; 8],
}

fn regs(rcx: u64, rdx: u64) -> Regs {
    Regs { rcx, rdx, ..Regs::default() }
}

impl Kvm {
    pub(crate) fn new() -> Self {
        let config = ModuleConfig { sept_pages: 256, ..ModuleConfig::dynamic(16, 8, 1) };
        let mut build = SteppedBuild::new(CPUS, 1);
        let module = Module::new(&mut build, &config, &CostTable::default()).expect("valid");
        // From different regions in turn, so that TDs share regions and pairs lie in target regions.
        let pages = (0..512).rev();
        let in_turn =
            |page| SMALL_REGIONS.map(move |region| Pfn(Region(region).first_pfn().0 + page));
        Self {
            module,
            cpus: build.start(),
            free: pages.flat_map(in_turn).collect(),
            large: LARGE_REGIONS.map(Region).collect(),
            refcounts: [0; 16],
            tds: Default::default(),
        }
    }

    fn try_call(&self, cpu: usize, leaf: Leaf, regs: Regs) -> Regs {
        let out = self.module.execute(&self.cpus[cpu], leaf, regs, None).regs;
        let violations = self.cpus[cpu].take_violations();
        assert!(violations.is_empty(), "{leaf}: {violations:?}");
        let broken = self.module.audit(&self.cpus[0], true).err();
        assert!(broken.is_none(), "{leaf}: {broken:?}");
        out
    }

    fn call(&self, cpu: usize, leaf: Leaf, regs: Regs) -> Regs {
        let out = self.try_call(cpu, leaf, regs);
        assert_eq!(out.status(), Status::SUCCESS, "{leaf} {regs:x?}");
        out
    }

    fn page(&mut self) -> Pfn {
        self.free.pop().expect("a free page")
    }

    /// `tdx_pamt_get()`.
    fn get(&mut self, pfn: Pfn) {
        let region = pfn.region();
        self.refcounts[region.0 as usize] += 1;
        if self.refcounts[region.0 as usize] == 1 {
            let [page0, page1] = [self.page(), self.page()];
            let add = Regs { r8: page1.hpa(), ..regs(region.first_pfn().hpa() | 1, page0.hpa()) };
            self.call(0, Leaf::PhymemPamtAdd, add);
        }
    }

    /// `tdx_pamt_put()`; the removal hint of the call before says whether it was the last page.
    fn put(&mut self, pfn: Pfn, hint: u64) {
        let region = pfn.region();
        self.refcounts[region.0 as usize] -= 1;
        let last = self.refcounts[region.0 as usize] == 0;
        assert_eq!(hint & Regs::REMOVAL_HINT != 0, last, "hint of pfn {:#x}", pfn.0);
        if last {
            let out = self.call(0, Leaf::PhymemPamtRemove, regs(region.first_pfn().hpa() | 1, 0));
            self.free.extend([out.rdx, out.r8].map(|hpa| Pfn(hpa / 4096)));
        }
    }

    /// A page with a pair, given to the module.
    fn give(&mut self, leaf: Leaf, make: impl FnOnce(u64) -> Regs) -> Pfn {
        let page = self.page();
        self.get(page);
        self.call(0, leaf, make(page.hpa()));
        page
    }

    pub(crate) fn create(&mut self, slot: usize) {
        let hkid = slot as u64 + 2;
        let tdr = self.give(Leaf::MngCreate, |page| regs(page, hkid));
        self.call(0, Leaf::MngKeyConfig, regs(tdr.hpa(), 0));
        let mut control: Vec<_> =
            (0..6).map(|_| self.give(Leaf::MngAddcx, |page| regs(page, tdr.hpa()))).collect();
        self.call(0, Leaf::MngInit, regs(tdr.hpa(), 0));
        let tdvpr = self.give(Leaf::VpCreate, |page| regs(page, tdr.hpa()));
        for _ in 0..5 {
            control.push(self.give(Leaf::VpAddcx, |page| regs(page, tdvpr.hpa())));
        }
        self.call(slot, Leaf::VpInit, Regs { rax: 1 << 16, ..regs(tdvpr.hpa(), 0) });
        let td = Td { tdr, control, tdvpr, tables: Vec::new(), mapped: Vec::new(), cpu: slot };
        self.tds[slot] = Some(td);
        self.tables(slot, 0);
        let tdr = self.td(slot).tdr.hpa();
        let page = self.give(Leaf::MemPageAdd, |page| Regs { r8: page, ..regs(0, tdr) });
        self.td(slot).mapped.push(Mapped { gpa: 0, page, large: false });
        for part in 0..16 {
            self.call(0, Leaf::MrExtend, regs(256 * part, tdr));
        }
        self.call(0, Leaf::MrFinalize, regs(tdr, 0));
    }

    pub(crate) fn td(&mut self, slot: usize) -> &mut Td {
        self.tds[slot].as_mut().expect("a TD")
    }

    /// The tables above the 4 KiB (or, for large pages, 2 MiB) entry of an address.
    fn tables(&mut self, slot: usize, gpa: u64) {
        let lowest = if gpa >= LARGE_GPA { 2 } else { 1 };
        for level in (lowest..=3).rev() {
            let at = gpa & !((1 << (12 + 9 * level)) - 1);
            let td = self.td(slot);
            let tdr = td.tdr.hpa();
            if td.tables.iter().all(|(l, a, _)| (*l, *a) != (level, at)) {
                let add = |page| Regs { r8: page, ..regs(at | level, tdr) };
                let page = self.give(Leaf::MemSeptAdd, add);
                self.td(slot).tables.push((level, at, page));
            }
        }
    }

    /// An EPT violation, and the guest's ACCEPT.
    pub(crate) fn fault(&mut self, slot: usize, index: u64, large: bool) {
        let gpa = if large { LARGE_GPA + index * 0x20_0000 } else { index * 0x1000 };
        if self.td(slot).mapped.iter().any(|mapped| mapped.gpa == gpa) {
            return;
        }
        let room = if large { self.large.len() } else { self.free.len() / 16 };
        if room == 0 {
            return;
        }
        self.tables(slot, gpa);
        let (tdr, tdvpr, cpu) = {
            let td = self.td(slot);
            (td.tdr.hpa(), td.tdvpr.hpa(), td.cpu)
        };
        let level = u64::from(large);
        let page = if large {
            let page = self.large.pop().expect("room").first_pfn();
            self.call(0, Leaf::MemPageAug, Regs { r8: page.hpa(), ..regs(gpa | 1, tdr) });
            page
        } else {
            self.give(Leaf::MemPageAug, |page| Regs { r8: page, ..regs(gpa, tdr) })
        };
        self.call(cpu, Leaf::VpEnter, regs(tdvpr, 0));
        self.call(cpu, Leaf::TdgMemPageAccept, regs(gpa | level, 0));
        self.module.exit(&self.cpus[cpu], ExitCause::Interrupt, None);
        self.td(slot).mapped.push(Mapped { gpa, page, large });
    }

    fn block_and_track(&self, gpa: u64, tdr: u64) {
        self.call(0, Leaf::MemRangeBlock, regs(gpa, tdr));
        self.call(0, Leaf::MemTrack, regs(tdr, 0));
    }

    /// Removal of a page while the TD runs.
    pub(crate) fn remove(&mut self, slot: usize, which: usize) {
        let td = self.td(slot);
        if td.mapped.is_empty() {
            return;
        }
        let at = which % td.mapped.len();
        let Mapped { gpa, page, large } = td.mapped.swap_remove(at);
        let tdr = td.tdr.hpa();
        let operand = gpa | u64::from(large);
        self.block_and_track(operand, tdr);
        let out = self.call(0, Leaf::MemPageRemove, regs(operand, tdr));
        assert_eq!(out.rcx & !Regs::REMOVAL_HINT, page.hpa());
        self.call(0, Leaf::PhymemPageWbinvd, regs(page.hpa(), 0));
        if large {
            self.large.push(page.region());
        } else {
            self.put(page, out.rcx);
            self.free.push(page);
        }
    }

    /// DEMOTE and PROMOTE of a 2 MiB page.
    pub(crate) fn split_and_merge(&mut self, slot: usize) {
        let td = self.td(slot);
        let tdr = td.tdr.hpa();
        let Some(large) = td.mapped.iter().find(|mapped| mapped.large).copied() else { return };
        let operand = large.gpa | 1;
        self.block_and_track(operand, tdr);
        let [page0, page1] = [self.page(), self.page()];
        let table = self.give(Leaf::MemPageDemote, |page| Regs {
            r8: page,
            r12: page0.hpa(),
            r13: page1.hpa(),
            ..regs(operand, tdr)
        });
        self.audit();
        self.block_and_track(operand, tdr);
        let out = self.call(0, Leaf::MemPagePromote, regs(operand, tdr));
        assert_eq!((out.r12, out.r13), (page0.hpa(), page1.hpa()));
        self.put(table, out.rcx);
        self.free.extend([page0, page1, table]);
    }

    /// The end of a TD: flush, write back, free the key id, reclaim in any order, TDR last.
    pub(crate) fn destroy(&mut self, slot: usize) {
        let td = self.tds[slot].take().expect("a TD");
        let tdr = td.tdr.hpa();
        self.call(td.cpu, Leaf::VpFlush, regs(td.tdvpr.hpa(), 0));
        self.call(0, Leaf::MngVpflushdone, regs(tdr, 0));
        let mut resume = 0;
        while self
            .try_call(0, Leaf::PhymemCacheWb, regs(resume, 0))
            .status()
            .is(StatusName::InterruptedResumable)
        {
            resume = 1;
        }
        self.call(0, Leaf::MngKeyFreeid, regs(tdr, 0));
        for mapped in &td.mapped {
            self.reclaim(mapped.page, mapped.large);
        }
        let tables = td.tables.iter().map(|(.., page)| *page);
        for page in td.control.iter().copied().chain(tables).chain([td.tdvpr, td.tdr]) {
            self.reclaim(page, false);
        }
    }

    fn reclaim(&mut self, page: Pfn, large: bool) {
        let out = self.call(0, Leaf::PhymemPageReclaim, regs(page.hpa(), 0));
        if large {
            self.large.push(page.region());
        } else {
            self.put(page, out.r9);
            self.free.push(page);
        }
    }

    pub(crate) fn audit(&self) -> Census {
        self.module.audit(&self.cpus[0], false).expect("the module's invariants")
    }
}
