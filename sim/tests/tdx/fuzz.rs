//! Random calls with random registers, in any state: never a panic, never a hang; no fatal error or
//! broken invariant as long as one call follows the other, and none unreported when they do not.

use std::rc::Rc;

use pamt_sim::stepped::{Stepped, SteppedBody, SteppedBuild, SteppedCpu, interleave};
use pamt_sim::tdx::{
    BackingLock, CostTable, ExitCause, Locking, Module, ModuleConfig, SplitInterrupt, TargetLock,
    TdParams,
};
use pamt_strategies::module::{Leaf, Regs};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, PAGES_PER_REGION};
use proptest::collection::vec;
use proptest::prelude::*;

const CPUS: usize = 3;

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

/// Something that a CPU does, or that happens to it.
#[derive(Clone, Debug)]
enum Event {
    Call(Leaf, Regs),
    Exit(ExitCause),
    Interrupt,
    Entropy(bool),
    Params(TdParams),
}

type Events = Vec<(usize, Event)>;

fn td_params() -> impl Strategy<Value = TdParams> {
    (0..4_u64, 0..3_u64, 0..8_u64).prop_map(|(max_vcpus, attributes, xfam)| TdParams {
        max_vcpus,
        attributes,
        xfam,
        ..TdParams::default()
    })
}

fn event() -> impl Strategy<Value = (usize, Event)> {
    let cause = prop::sample::select(vec![ExitCause::Interrupt, ExitCause::MachineCheck]);
    let event = prop_oneof![
        60 => (prop::sample::select(Leaf::ALL), regs())
            .prop_map(|(leaf, regs)| Event::Call(leaf, regs)),
        3 => cause.prop_map(Event::Exit),
        1 => Just(Event::Interrupt),
        1 => any::<bool>().prop_map(Event::Entropy),
        1 => td_params().prop_map(Event::Params),
    ];
    (0..CPUS, event)
}

/// Calls that lead to a TD, so that random ones meet some state.
fn prefix() -> Events {
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
    calls.into_iter().map(|(leaf, regs)| (0, Event::Call(leaf, regs))).collect()
}

fn config() -> ModuleConfig {
    ModuleConfig { sept_pages: 200, vcpus: 64, tds: 64, ..ModuleConfig::dynamic(8, 1, 1) }
}

fn module(config: &ModuleConfig) -> (Module<Stepped>, Vec<Rc<SteppedCpu>>) {
    let mut build = SteppedBuild::new(CPUS, 1);
    let module = Module::<Stepped>::new(&mut build, config, &CostTable::default());
    (module.expect("valid"), build.start())
}

fn happen(module: &Module<Stepped>, cpu: &SteppedCpu, event: &Event) {
    match event {
        Event::Call(leaf, regs) => drop(module.execute(cpu, *leaf, *regs, None)),
        Event::Exit(cause) => drop(module.exit(cpu, *cause, None)),
        Event::Interrupt => module.interrupt(Stepped::cpu(cpu)),
        Event::Entropy(available) => module.set_entropy(*available),
        Event::Params(params) => module.write_td_params(0, *params),
    }
}

/// One after the other: nothing breaks.
fn run(config: &ModuleConfig, events: Events) -> Result<(), TestCaseError> {
    let (module, cpus) = module(config);
    for (cpu, event) in prefix().iter().chain(&events) {
        let cpu = &cpus[*cpu];
        happen(&module, cpu, event);
        let violations = cpu.take_violations();
        prop_assert!(violations.is_empty(), "{event:x?}: {violations:?}");
        let broken = module.audit(cpu, true).err();
        prop_assert!(broken.is_none(), "{event:x?}: {broken:?}");
    }
    Ok(())
}

/// At once, in an order given by `turns`: a host that does this may bring the module down, but every
/// call ends, and what breaks is reported.
fn run_at_once(events: Events, turns: &[usize]) -> Result<(), TestCaseError> {
    let (module, cpus) = module(&config());
    prefix().iter().for_each(|(cpu, event)| happen(&module, &cpus[*cpu], event));
    let module = Rc::new(module);
    let bodies = cpus.iter().enumerate().map(|(id, cpu)| {
        let mine: Vec<_> = events.iter().filter(|(at, _)| *at == id).cloned().collect();
        let module = Rc::clone(&module);
        let body: SteppedBody =
            Box::new(move |cpu| mine.iter().for_each(|(_, event)| happen(&module, cpu, event)));
        (Rc::clone(cpu), body)
    });
    let mut turn = turns.iter().cycle();
    interleave(bodies.collect(), |pending| {
        let alive = || (0..pending.len()).filter(|body| pending[*body].is_some());
        let nth = turn.next().map_or(0, |turn| turn % alive().count());
        alive().nth(nth).unwrap_or(0)
    });
    let broken = cpus.iter().any(|cpu| !cpu.take_violations().is_empty());
    let audit = module.audit(&cpus[0], true);
    prop_assert!(broken || audit.is_ok(), "{audit:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_neither_panic_nor_break_an_invariant(
        events in vec(event(), 1..150),
        dynamic in prop::bool::weighted(0.8),
    ) {
        run(&ModuleConfig { dynamic, split_interrupt: SplitInterrupt::Restartable, ..config() }, events)?;
    }

    #[test]
    fn what_if_locking_breaks_no_invariant_either(events in vec(event(), 1..150)) {
        let locking = Locking { target: TargetLock::Shared, backing: BackingLock::None };
        run(&ModuleConfig { locking, ..config() }, events)?;
    }

    #[test]
    fn random_calls_at_once_all_end_and_what_they_break_is_reported(
        events in vec(event(), 1..60),
        turns in vec(any::<usize>(), 1..200),
    ) {
        run_at_once(events, &turns)?;
    }
}
