//! The audit finds what is wrong: each invariant, broken by one store.

use std::rc::Rc;

use pamt_strategies::module::{Leaf, Regs, Status};
use pamt_strategies::units::{Pfn, Region};

use crate::stepped::{Stepped, SteppedBuild, SteppedCpu};
use crate::tdx::cx::Cx;
use crate::tdx::kot::KotState;
use crate::tdx::layout::{self, Half, globals, tdcs, tdr, wbt};
use crate::tdx::locks::sept_entry::TDEL;
use crate::tdx::memory::{Object, SEPT_ENTRIES};
use crate::tdx::sept::{self, EntryState};
use crate::tdx::{CostTable, Module, ModuleConfig, TdPages};

type Break = fn(&Cx<'_, Stepped>);

fn page(region: u32, number: u64) -> Pfn {
    Pfn(Region(region).first_pfn().0 + number)
}

/// A TD with a table and a page, all in region 0; its pair in region 1.
fn module() -> (Module<Stepped>, Vec<Rc<SteppedCpu>>) {
    let mut build = SteppedBuild::new(1, 1);
    let config = ModuleConfig::dynamic(3, 1, 1);
    let module = Module::<Stepped>::new(&mut build, &config, &CostTable::default());
    let (module, cpus) = (module.expect("valid"), build.start());
    let run = |leaf, rcx, rdx: Pfn, r8: Pfn| {
        let regs = Regs { rcx, rdx: rdx.hpa(), r8: r8.hpa(), ..Regs::default() };
        assert_eq!(module.execute(&cpus[0], leaf, regs, None).regs.status(), Status::SUCCESS);
    };
    run(Leaf::PhymemPamtAdd, 1, page(1, 0), page(1, 1));
    let tdcx = [1, 2, 3, 4, 5, 6].map(Pfn);
    module.create_td_for_setup(&cpus[0], TdPages { tdr: Pfn(0), tdcx }).expect("a TD");
    for level in [3, 2, 1] {
        run(Leaf::MemSeptAdd, level, Pfn(0), Pfn(20 - level));
    }
    run(Leaf::MemPageAug, 0, Pfn(0), Pfn(30));
    (module, cpus)
}

/// Entry 0 of the lowest table, which maps page 30.
fn lowest_entry(cx: &Cx<'_, Stepped>) -> usize {
    cx.sept_table(Pfn(19)).expect("a table")
}

fn store_lock(cx: &Cx<'_, Stepped>, object: Object, base: usize, at: Half, value: u16) {
    cx.store16(object, base, at, value);
}

#[test]
fn a_sound_module_passes() {
    let (module, cpus) = module();
    assert!(module.audit(&cpus[0], false).is_ok(), "{:?}", module.audit(&cpus[0], false));
}

#[test]
fn each_broken_invariant_is_named() {
    let breaks: [(&str, Break); 14] = [
        ("page_count", |cx| cx.store16(Object::Pamt2m, 0, Half { word: 1, half: 0 }, 7)),
        ("bitmap", |cx| assert!(cx.btr(Object::PageBitmap, 512 / 64, 0))),
        ("bitmap", |cx| assert!(!cx.bts(Object::PageBitmap, 2 * 512 / 64, 5))),
        ("chldcnt", |cx| cx.store(Object::Tdr, tdr::CHLDCNT, 1)),
        ("key id", |cx| cx.set_kot_state(2, KotState::Flushed)),
        ("key ids are in use", |cx| cx.set_kot_state(9, KotState::Assigned)),
        ("OP_STATE", |cx| store_lock(cx, Object::Tdcs, 0, tdcs::OP_STATE_LOCK, 4)),
        ("Secure EPT lock", |cx| store_lock(cx, Object::Tdcs, 0, tdcs::SEPT_LOCK, 1)),
        ("epoch lock", |cx| store_lock(cx, Object::Tdcs, 0, tdcs::EPOCH_LOCK, 2)),
        ("VCPUs in its epochs", |cx| cx.store16(Object::Tdcs, 0, tdcs::EPOCH_REFCOUNT[1], 1)),
        ("KOT is locked", |cx| store_lock(cx, Object::Globals, 0, globals::KOT_LOCK, 1)),
        ("write-back of package 0", |cx| store_lock(cx, Object::Wbt, 0, wbt::MUTEX, 1)),
        ("owned", |cx| cx.store(Object::Sept, lowest_entry(cx), sept::FREE)),
        ("whose entry says", |cx| {
            let other = sept::value(EntryState::Mapped, Pfn(40));
            cx.store(Object::Sept, lowest_entry(cx), other);
        }),
    ];
    for (expected, break_it) in breaks {
        let (module, cpus) = module();
        break_it(&Cx::new(&module, &cpus[0], None));
        let found = module.audit(&cpus[0], false).expect_err(expected);
        assert!(found.iter().any(|text| text.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn locked_entries_are_named() {
    let breaks: [(&str, Break); 3] = [
        ("pamt_2m entry", |cx| cx.store16(Object::Pamt2m, 0, Half { word: 0, half: 0 }, 4)),
        ("pamt_4k entry", |cx| {
            cx.store16(Object::Pamt4k, layout::entry(30), Half { word: 0, half: 0 }, 1);
        }),
        ("Secure EPT entry is locked", |cx| {
            let word = lowest_entry(cx) + SEPT_ENTRIES - 1;
            assert!(!cx.bts(Object::Sept, word, TDEL));
        }),
    ];
    for (expected, break_it) in breaks {
        let (module, cpus) = module();
        break_it(&Cx::new(&module, &cpus[0], None));
        let found = module.audit(&cpus[0], false).expect_err(expected);
        assert!(found.iter().any(|text| text.contains(expected)), "{expected}: {found:?}");
    }
}
