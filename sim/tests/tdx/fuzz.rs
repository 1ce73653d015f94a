//! Random calls with random registers: never a panic, never a hang, and no fatal error or broken
//! invariant as long as one call follows the other.

use pamt_sim::stepped::{Stepped, SteppedBuild};
use pamt_sim::tdx::{CostTable, ExitCause, Locking, Module, ModuleConfig};
use pamt_strategies::module::{Leaf, Regs};
use pamt_strategies::units::{PAGE_BYTES, PAGES_PER_REGION};
use proptest::collection::vec;
use proptest::prelude::*;

/// Mostly near something that means something: pages of a few regions, addresses with a level.
fn value() -> impl Strategy<Value = u64> {
    let page = (0..6_u64, 0..24_u64)
        .prop_map(|(region, page)| (region * PAGES_PER_REGION + page) * PAGE_BYTES);
    let address = (0..4_u64, 0..4_u64).prop_map(|(index, level)| index << 21 | level);
    let region = (0..8_u64).prop_map(|region| region << 21 | 1);
    prop_oneof![
        8 => page,
        4 => address,
        4 => region,
        2 => 0..6_u64,
        1 => any::<u64>(),
    ]
}

fn regs() -> impl Strategy<Value = Regs> {
    (value(), value(), value(), value(), value(), value(), 0..3_u64).prop_map(
        |(rcx, rdx, r8, r9, r12, r13, version)| Regs {
            rax: version << 16,
            rcx,
            rdx,
            r8,
            r9,
            r12,
            r13,
            ..Regs::default()
        },
    )
}

/// A call, or a TD exit.
fn call() -> impl Strategy<Value = (usize, Option<Leaf>, Regs)> {
    let leaf = prop::option::weighted(0.95, prop::sample::select(Leaf::ALL));
    (0..3_usize, leaf, regs())
}

/// Calls that lead to a TD, so that random ones meet some state.
fn prefix() -> Vec<(usize, Option<Leaf>, Regs)> {
    let page = |region: u64, page: u64| (region * PAGES_PER_REGION + page) * PAGE_BYTES;
    let regs = |rcx, rdx| Regs { rcx, rdx, ..Regs::default() };
    let pair =
        |region: u64, at| Regs { r8: page(5, at + 1), ..regs(region << 21 | 1, page(5, at)) };
    let tdr = page(1, 0);
    let mut calls = vec![
        (Leaf::PhymemPamtAdd, pair(1, 20)),
        (Leaf::PhymemPamtAdd, pair(2, 22)),
        (Leaf::MngCreate, regs(tdr, 2)),
        (Leaf::MngKeyConfig, regs(tdr, 0)),
    ];
    calls.extend((1..=6).map(|at| (Leaf::MngAddcx, regs(page(1, at), tdr))));
    calls.push((Leaf::MngInit, regs(tdr, 0)));
    calls.push((Leaf::VpCreate, regs(page(1, 7), tdr)));
    calls.extend((8..=12).map(|at| (Leaf::VpAddcx, regs(page(1, at), page(1, 7)))));
    calls.push((Leaf::VpInit, regs(page(1, 7), 0)));
    for (level, at) in [(3, 0), (2, 1), (1, 2)] {
        calls.push((Leaf::MemSeptAdd, Regs { r8: page(2, at), ..regs(level, tdr) }));
    }
    calls.into_iter().map(|(leaf, regs)| (0, Some(leaf), regs)).collect()
}

fn run(config: &ModuleConfig, calls: &[(usize, Option<Leaf>, Regs)]) -> Result<(), TestCaseError> {
    let mut build = SteppedBuild::new(3, 1);
    let module = Module::<Stepped>::new(&mut build, config, &CostTable::default()).expect("valid");
    let cpus = build.start();
    for (cpu, leaf, regs) in calls {
        let cpu = &cpus[*cpu];
        match leaf {
            Some(leaf) => module.execute(cpu, *leaf, *regs, None),
            None => module.exit(cpu, ExitCause::Interrupt, None),
        };
        let violations = cpu.take_violations();
        prop_assert!(violations.is_empty(), "{leaf:?} {regs:x?}: {violations:?}");
        let broken = module.audit(cpu, true).err();
        prop_assert!(broken.is_none(), "{leaf:?} {regs:x?}: {broken:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_neither_panic_nor_break_an_invariant(
        calls in vec(call(), 1..150),
        dynamic in prop::bool::weighted(0.8),
    ) {
        let config = ModuleConfig {
            dynamic,
            sept_pages: 200,
            vcpus: 64,
            tds: 64,
            ..ModuleConfig::dynamic(8, 1, 1)
        };
        let mut all = prefix();
        all.extend(calls);
        run(&config, &all)?;
    }

    #[test]
    fn what_if_locking_breaks_no_invariant_either(calls in vec(call(), 1..150)) {
        let locking = Locking {
            target: pamt_sim::tdx::TargetLock::Shared,
            backing: pamt_sim::tdx::BackingLock::None,
        };
        let config = ModuleConfig {
            locking,
            sept_pages: 200,
            vcpus: 64,
            tds: 64,
            ..ModuleConfig::dynamic(8, 1, 1)
        };
        let mut all = prefix();
        all.extend(calls);
        run(&config, &all)?;
    }
}
