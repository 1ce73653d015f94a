//! Everything of a run that is the same in every world: strategy, module, host and actors.

use std::sync::Arc;

use pamt_sim::machine::Profile;
use pamt_sim::tdx::{BackingLock, CostTable, Locking, Module, ModuleConfig, TargetLock};
use pamt_strategies::locks::LockShared;
use pamt_strategies::pamt::Strategy;
use pamt_strategies::platform::{Actor, Home, Platform};
use pamt_strategies::registry::{self, StrategyParams};
use pamt_strategies::units::{CpuId, NodeId};

use super::{Prepared, RunError};
use crate::books::Depth;
use crate::host::{Host, HostCosts, HostPlan, PageAllocator, Parts, Seam, Td};
use crate::params::Settings;
use crate::workloads::Progress;

/// A world that is ready to run.
pub(crate) struct World<P: Platform> {
    pub(crate) host: Arc<Host<P>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) actors: Vec<Actor<P>>,
}

/// How to build the strategy: from the registry, or a test's own.
pub(crate) type Make<'a, P> =
    &'a dyn Fn(&mut <P as Platform>::Build, &StrategyParams<'_, P>) -> Box<dyn Strategy<P>>;

/// What the host talks to, made of the module model.
pub(super) type Wrap<'a, P> = &'a dyn Fn(Module<P>) -> Arc<dyn Seam<P>>;

/// Builds the world of an experiment with the strategy that it names.
pub(super) fn assemble<P: Platform>(
    build: &mut P::Build,
    prepared: &Prepared,
    depth: Depth,
) -> Result<World<P>, RunError> {
    let make = |build: &mut P::Build, params: &StrategyParams<'_, P>| {
        registry::build(&prepared.spec, build, params)
    };
    assemble_with(build, prepared, depth, &make)
}

/// The same with another strategy in its place.
pub(crate) fn assemble_with<P: Platform>(
    build: &mut P::Build,
    prepared: &Prepared,
    depth: Depth,
    make: Make<'_, P>,
) -> Result<World<P>, RunError> {
    let seam = Wrapped { dynamic: prepared.dynamic(), wrap: &|module| Arc::new(module) };
    assemble_on(build, prepared, depth, make, &seam)
}

/// A module model in Dynamic PAMT or static mode, and what is made of it.
pub(super) struct Wrapped<'a, P: Platform> {
    pub(super) dynamic: bool,
    pub(super) wrap: Wrap<'a, P>,
}

/// The same on another module.
pub(super) fn assemble_on<P: Platform>(
    build: &mut P::Build,
    prepared: &Prepared,
    depth: Depth,
    make: Make<'_, P>,
    seam: &Wrapped<'_, P>,
) -> Result<World<P>, RunError> {
    let nodes = P::node_count(build);
    let plan = prepared.plan(nodes)?;
    let costs = HostCosts::load(P::clock(build), |key| host_value(&prepared.profile, key))?;
    let locks = LockShared::new(build).debugged(P::clock(build).cycles(lock_debug_ns(prepared)));
    let params = StrategyParams {
        regions: plan.map.regions() as usize,
        // vzalloc() by the CPU that initialises the subsystem: node 0.
        home: Home::Node(NodeId(0)),
        locks: &locks,
    };
    let strategy = make(build, &params);
    let config = ModuleConfig { dynamic: seam.dynamic, ..module_config(&plan, prepared) };
    let model = Module::new(build, &config, &CostTable::load(&prepared.profile)?)?;
    let module = (seam.wrap)(model);
    let node_of: Vec<_> =
        (0..P::cpu_count(build)).map(|cpu| P::node_of(build, CpuId(cpu as u16))).collect();
    let tds = tds(&plan, plan.pin(&prepared.experiment.machine, &node_of)?);
    let pages = PageAllocator::new(build, &plan, &costs, &locks);
    let parts = Parts { costs, strategy, module, locks, pages, tds, depth };
    let host = Host::new(build, plan, parts);
    let progress = Arc::new(Progress::new(host.plan.tds));
    let actors = prepared.workload.actors(build, &host, &progress, &prepared.settings);
    Ok(World { host, progress, actors })
}

/// What lock debugging costs: nothing, unless the kernel is one that debugs its locks.
fn lock_debug_ns(prepared: &Prepared) -> f64 {
    prepared.profile.value("host.lock_debug_ns").map_or(0.0, |value| value.v)
}

/// A cost of the host kernel. Few machines have their own: the rest take those of `spr-2s`.
fn host_value(profile: &Profile, key: &str) -> Result<f64, RunError> {
    if let Ok(value) = profile.value(key) {
        return Ok(value.v);
    }
    Ok(Profile::builtin("spr-2s")?.value(key)?.v)
}

fn tds(plan: &HostPlan, pinned: Vec<(NodeId, Vec<CpuId>)>) -> Vec<Td> {
    let mut slots = vec![0_u64; usize::from(u8::MAX) + 1];
    pinned
        .into_iter()
        .enumerate()
        .map(|(id, place)| {
            let slot = &mut slots[usize::from(place.0.0)];
            *slot += 1;
            let memory = (plan.pages_per_td, plan.page_sizes.of(id));
            Td::new(id as u32, *slot - 1, place, memory)
        })
        .collect()
}

/// The module's own locking: as shipped, or a what-if.
fn module_locking(settings: &Settings) -> Locking {
    let target = match settings.choice("module_target") {
        "shared" => TargetLock::Shared,
        _ => TargetLock::Exclusive,
    };
    let backing = match settings.choice("module_backing") {
        "none" => BackingLock::None,
        _ => BackingLock::Shared,
    };
    Locking { target, backing }
}

/// What a reader must know of a module that is not the one that ships.
pub(super) fn what_if(prepared: &Prepared) -> Option<String> {
    (module_locking(&prepared.settings) != Locking::default()).then(|| {
        "what if: the module's own locking is not as shipped (module_target, module_backing)".into()
    })
}

fn module_config(plan: &HostPlan, prepared: &Prepared) -> ModuleConfig {
    // Tables of each level that a TD of this size can have, and its root.
    let tables: u64 = (1..=3).map(|level| plan.pages_per_td.div_ceil(1 << (9 * level))).sum();
    ModuleConfig {
        locking: module_locking(&prepared.settings),
        sept_pages: plan.tds * (tables as u32 + 1),
        // Threads of a host with fewer nodes than the profile cannot act for all its packages.
        packages: u32::from(prepared.profile.topology().sockets).min(plan.map.nodes) as u8,
        ..ModuleConfig::dynamic(plan.map.regions(), plan.tds, plan.vcpus)
    }
}
