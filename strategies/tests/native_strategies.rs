//! Every strategy on real threads against a small module: books balance, no page without its pair.

mod common;

use std::sync::Arc;

use common::{ToyHost, ToyModule};
use pamt_strategies::locks::LockShared;
use pamt_strategies::module::StatusName;
use pamt_strategies::pamt::{Env, Strategy};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeOptions, NativeOutcome};
use pamt_strategies::platform::{Actor, Home, Platform};
use pamt_strategies::registry::{
    ModuleMode, STRATEGIES, StrategyInfo, StrategyParams, StrategySpec, build,
};
use pamt_strategies::units::{CpuId, NodeId, PAGES_PER_REGION, Pfn, Region};

const REGIONS: usize = 8;
const ROUNDS: u64 = 300;

struct World {
    strategy: Box<dyn Strategy<Native>>,
    module: ToyModule<Native>,
    host: ToyHost,
}

/// All threads map and unmap pages of the same few regions; pairs come from two regions that nobody
/// maps.
fn churn(spec: &str, threads: usize) -> (NativeOutcome, Arc<World>) {
    let spec = StrategySpec::parse(spec).expect("a spec of the registry");
    let mut setup = NativeBuild::new(NativeOptions::new(threads, 1)).expect("no pinning asked for");
    let locks = LockShared::<Native>::new(&mut setup);
    let home = Home::Node(NodeId(0));
    let params = StrategyParams { regions: REGIONS, home, locks: &locks };
    let world = Arc::new(World {
        strategy: build::<Native>(&spec, &mut setup, &params),
        module: ToyModule::new(&mut setup, REGIONS),
        host: ToyHost::new(vec![Region(6), Region(7)]),
    });
    let actors = (0..threads)
        .map(|n| {
            let world = Arc::clone(&world);
            Actor {
                cpu: CpuId(n as u16),
                name: format!("thread{n}"),
                body: Box::new(move |cpu: &<Native as Platform>::Cpu| {
                    let env = Env { ops: &world.module, host: &world.host };
                    world.strategy.td_create(cpu, &env).expect("a TD can be created");
                    for round in 0..ROUNDS {
                        let pfn = Pfn(round % 4 * PAGES_PER_REGION + n as u64);
                        map_and_unmap(&world, cpu, pfn);
                    }
                    world.strategy.td_destroy(cpu, &env).expect("a TD can be destroyed");
                }),
            }
        })
        .collect();
    let outcome = native::run(setup, actors).expect("no thread panics");
    (outcome, world)
}

fn map_and_unmap(world: &World, cpu: &<Native as Platform>::Cpu, pfn: Pfn) {
    let World { strategy, module, host } = world;
    let env = Env { ops: module, host };
    strategy.memfd_populate(cpu, &env, pfn).expect("guest_memfd finds memory");
    loop {
        let regs = strategy
            .with_page(cpu, &env, pfn, None, &mut |cpu| module.aug(cpu, pfn))
            .expect("a get does not fail");
        if regs.status().is(StatusName::OperandBusy) {
            continue;
        }
        assert!(!regs.status().is_error(), "AUG of a page: {}", regs.status());
        break;
    }
    strategy
        .after_page(cpu, &env, pfn, &mut |cpu| module.page_remove(cpu, pfn))
        .expect("a put does not fail");
    strategy.memfd_release(cpu, &env, pfn).expect("guest_memfd gives back what it took");
}

fn quiesced(outcome: &NativeOutcome, world: &Arc<World>, spec: &str) {
    assert_eq!(outcome.measurement.violation_count, 0, "{spec}");
    let (world, spec) = (Arc::clone(world), spec.to_owned());
    let setup = NativeBuild::new(NativeOptions::new(1, 1)).expect("no pinning asked for");
    let body = move |cpu: &<Native as Platform>::Cpu| {
        let env = Env { ops: &world.module, host: &world.host };
        world.strategy.quiesce(cpu, &env).expect("nothing is in use");
        assert_eq!(world.module.present(cpu), 0, "{spec}: a pair is left");
        assert_eq!(world.host.pairs_out(), 0, "{spec}: a pair is lost");
        for region in 0..REGIONS {
            let region = Region(region as u32);
            let count = world.strategy.peek_refcount(cpu, region);
            assert!(count.is_none_or(|count| count == 0), "{spec}: region {region} at {count:?}");
        }
    };
    let actor = Actor { cpu: CpuId(0), name: "check".into(), body: Box::new(body) };
    native::run(setup, vec![actor]).expect("the books balance");
}

/// Strategies that real threads will break sooner or later, whatever the placement.
fn racy(info: &StrategyInfo) -> bool {
    ["rfc", "v2", "v4", "v3-07", "kick-lock"].contains(&info.name)
}

/// Every other dynamic strategy, with every value of each of its parameters that is a word.
fn specs() -> Vec<String> {
    let mut specs = Vec::new();
    for info in STRATEGIES.iter().filter(|info| info.module == ModuleMode::Dynamic && !racy(info)) {
        specs.push(info.name.to_owned());
        for param in info.params {
            if let pamt_strategies::spec::ParamKind::Choice(words) = param.kind {
                let with = |word| format!("{}[{}={word}]", info.name, param.name);
                specs.extend(words.iter().map(with));
            }
        }
    }
    specs
}

#[test]
fn every_strategy_balances_its_books_when_backing_pages_are_apart() {
    let threads = native::host_cpus().len().min(4);
    for spec in specs() {
        let (outcome, world) = churn(&spec, threads);
        let pairs = outcome.measurement.pairs;
        assert!(pairs.added > 0 && pairs.added == pairs.removed, "{spec}: {pairs:?}");
        quiesced(&outcome, &world, &spec);
    }
}

#[test]
fn every_lock_serves_the_global_strategy() {
    for lock in pamt_strategies::locks::LOCKS.iter().filter(|lock| lock.exclusive) {
        let spec = format!("global[lock={}]", lock.name);
        let (outcome, world) = churn(&spec, 2);
        quiesced(&outcome, &world, &spec);
    }
}
