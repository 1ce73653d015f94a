//! One CPU with a module, on real threads: the values and the counts do not depend on the world.

use std::sync::Arc;

use pamt_sim::tdx::{CostTable, Executed, Module, ModuleConfig, TdPages, leaf_sheet};
use pamt_strategies::measure::Measurement;
use pamt_strategies::module::{Leaf, Regs, Status};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeCpu, NativeOptions};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::{CpuId, Pfn, Region};

/// The pages of the one TD: in region 1, whose pair lies in region 2.
pub(crate) const TD: TdPages =
    TdPages { tdr: Pfn(512), tdcx: [Pfn(513), Pfn(514), Pfn(515), Pfn(516), Pfn(517), Pfn(518)] };
/// Where guest pages and tables come from; its pair lies in region 2 as well.
pub(crate) const GUEST: Region = Region(3);

/// A module and the CPU that calls it.
pub(crate) struct World<'a> {
    pub(crate) module: &'a Module<Native>,
    pub(crate) cpu: &'a NativeCpu,
}

impl World<'_> {
    pub(crate) fn call(&self, leaf: Leaf, regs: Regs) -> Executed {
        self.module.execute(self.cpu, leaf, regs, None)
    }

    /// Adds a pair to a region and asserts that it worked.
    pub(crate) fn give_pair(&self, region: Region, page0: Pfn, page1: Pfn) {
        let got = self.add(region, page0, page1);
        assert_eq!(got.regs.status(), Status::SUCCESS, "pair for region {region}");
    }

    pub(crate) fn add(&self, region: Region, page0: Pfn, page1: Pfn) -> Executed {
        let regs = Regs {
            rcx: region.first_pfn().hpa() | 1,
            rdx: page0.hpa(),
            r8: page1.hpa(),
            ..Regs::default()
        };
        self.call(Leaf::PhymemPamtAdd, regs)
    }

    pub(crate) fn remove_pair(&self, region: Region) -> Executed {
        let regs = Regs { rcx: region.first_pfn().hpa() | 1, ..Regs::default() };
        self.call(Leaf::PhymemPamtRemove, regs)
    }

    /// The same, and asserts success and the number of locked instructions.
    pub(crate) fn counts(&self, leaf: Leaf, regs: Regs, rmw: u32) -> Regs {
        let got = self.call(leaf, regs);
        assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, rmw), "{leaf}");
        let (least, most) = leaf_sheet(leaf).rmw;
        assert!((least..=most).contains(&rmw), "{leaf}: its sheet says {least} to {most}");
        got.regs
    }

    /// A RUNNABLE TD with pairs for its own and the guest region.
    pub(crate) fn with_td(&self) {
        self.give_pair(TD.tdr.region(), Region(2).first_pfn(), Pfn(Region(2).first_pfn().0 + 1));
        self.give_pair(GUEST, Pfn(Region(2).first_pfn().0 + 2), Pfn(Region(2).first_pfn().0 + 3));
        self.module.create_td_for_setup(self.cpu, TD).expect("a TD");
    }

    /// Tables for the first 2 MiB of the guest: three pages of the guest region.
    pub(crate) fn with_tables(&self) {
        for (level, page) in [(3, 0), (2, 1), (1, 2)] {
            let got = self.sept_add(level, Pfn(GUEST.first_pfn().0 + page));
            assert_eq!(got.regs.status(), Status::SUCCESS, "table at level {level}");
        }
    }

    pub(crate) fn sept_add(&self, level: u64, page: Pfn) -> Executed {
        let regs = Regs { rcx: level, rdx: TD.tdr.hpa(), r8: page.hpa(), ..Regs::default() };
        self.call(Leaf::MemSeptAdd, regs)
    }

    pub(crate) fn aug(&self, gpa: u64, page: Pfn) -> Executed {
        let regs = Regs { rcx: gpa, rdx: TD.tdr.hpa(), r8: page.hpa(), ..Regs::default() };
        self.call(Leaf::MemPageAug, regs)
    }

    pub(crate) fn reclaim(&self, page: Pfn) -> Executed {
        self.call(Leaf::PhymemPageReclaim, Regs { rcx: page.hpa(), ..Regs::default() })
    }
}

/// Runs `body` with a fresh module of eight regions.
pub(crate) fn with_world(
    config: ModuleConfig,
    body: impl FnOnce(&World<'_>) + Send + 'static,
) -> Measurement {
    let mut build = NativeBuild::new(NativeOptions::new(1, 1)).expect("a CPU");
    let module = Module::<Native>::new(&mut build, &config, &CostTable::default());
    let module = Arc::new(module.expect("a valid configuration"));
    let actor = Actor {
        cpu: CpuId(0),
        name: "test".into(),
        body: Box::new(move |cpu: &<Native as Platform>::Cpu| {
            body(&World { module: &module, cpu });
        }),
    };
    native::run(build, vec![actor]).expect("a run").measurement
}

/// Eight regions, one TD.
pub(crate) fn small() -> ModuleConfig {
    ModuleConfig::dynamic(8, 1, 1)
}
