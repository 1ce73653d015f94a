//! Runs bodies on CPUs of each world, with a module that all of them share.

use std::sync::{Arc, Mutex, PoisonError};

use pamt_strategies::measure::{Measurement, Observation, Violation};
use pamt_strategies::platform::explore::{
    self, ExploreBuild, ExploreCpu, Explorer, Loom, Observer,
};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeOptions};
use pamt_strategies::platform::{Actor, ActorBody, Platform};
use pamt_strategies::units::CpuId;

use crate::machine::{self, Profile, Sim, SimBuild, SimOptions};
use crate::tdx::{CostTable, Module, ModuleConfig};

/// What a CPU does with the module.
pub(super) type Body<P> = Box<dyn FnOnce(&Module<P>, &<P as Platform>::Cpu) + Send>;

/// A module, and what is done with it.
pub(super) struct Plan<P: Platform> {
    pub(super) config: ModuleConfig,
    pub(super) prepare: Body<P>,
    /// One a CPU.
    pub(super) bodies: Vec<Body<P>>,
}

impl<P: Platform> Plan<P>
where
    Module<P>: Send + Sync,
    P::Words<u64>: Send + Sync,
{
    /// The module, and an actor for each body.
    fn set_up(self, build: &mut P::Build) -> (Arc<Module<P>>, Vec<Actor<P>>) {
        let module = Module::new(build, &self.config, &CostTable::default());
        let module = Arc::new(module.expect("a valid configuration"));
        let bound = |body: Body<P>| -> ActorBody<P> {
            let module = Arc::clone(&module);
            Box::new(move |cpu| body(&module, cpu))
        };
        P::prepare(build, bound(self.prepare));
        let actors = self.bodies.into_iter().enumerate().map(|(n, body)| Actor {
            cpu: CpuId(n as u16),
            name: format!("cpu{n}"),
            body: bound(body),
        });
        let actors = actors.collect();
        (module, actors)
    }
}

/// Details of the violations of a run.
fn details(measurement: &Measurement) -> Vec<String> {
    measurement.violations.iter().map(|found| found.violation.detail.clone()).collect()
}

/// On threads of this host. Returns what broke.
pub(super) fn on_native(plan: Plan<Native>) -> Vec<String> {
    let mut build = NativeBuild::new(NativeOptions::new(plan.bodies.len(), 1)).expect("CPUs");
    let (_, actors) = plan.set_up(&mut build);
    details(&native::run(build, actors).expect("a run").measurement)
}

/// On the simulated machine. Returns what broke.
pub(super) fn on_sim(plan: Plan<Sim>, seed: u64) -> Vec<String> {
    let profile = Profile::builtin("spr-2s").expect("built in");
    let options = SimOptions { seed, ..SimOptions::default() };
    let mut build = SimBuild::new(&profile, options).expect("complete");
    let (_, actors) = plan.set_up(&mut build);
    details(&machine::run(build, actors).measurement)
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn observe(&self, _cpu: CpuId, observation: Observation) {
        if let Observation::Violation(Violation { detail, .. }) = observation {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(detail);
        }
    }
}

/// One execution, from inside an explorer. Returns what broke, the module, and a CPU to look at it.
pub(super) fn in_explorer<P: Explorer>(
    plan: Plan<P>,
) -> (Vec<String>, Arc<Module<P>>, ExploreCpu<P>) {
    let heard = Arc::new(Heard::default());
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let mut build = ExploreBuild::<P>::new(plan.bodies.len(), 1, observer);
    let (module, actors) = plan.set_up(&mut build);
    let cpu = explore::run(build, actors);
    let broken = heard.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (broken, module, cpu)
}

/// Every execution under loom with at most so many preemptions.
pub(super) fn in_loom(preemptions: usize, execution: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 50_000;
    builder.check(execution);
}

/// The world that loom explores, by the name that tests use.
pub(super) type LoomWorld = Loom;
