//! What surrounds every spin lock: preemption (or interrupts) off, and the steps that are counted.

use super::plan::{DebugCost, LockPlan, LockShared};
use super::{Held, Lock};
use crate::measure::{LockClass, LockClassId, LockKind, LockStep, Observation};
use crate::platform::{Platform, Section};
use crate::units::Region;

/// A mutual-exclusion algorithm over an array of instances.
pub trait Algorithm<P: Platform>: Send + Sync + Sized {
    /// Allocates all instances of a class.
    fn new(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self;
    /// Takes instance `i` and returns the queue node that [`Algorithm::unlock`] wants back. Reports
    /// to `attempt` once the first try has failed.
    fn lock(&self, cpu: &P::Cpu, i: usize, attempt: &Attempt<'_, P>) -> u32;
    /// Takes instance `i` in one try or not at all.
    fn try_lock(&self, cpu: &P::Cpu, i: usize) -> Option<u32>;
    /// Releases instance `i`.
    fn unlock(&self, cpu: &P::Cpu, i: usize, node: u32);
    /// Bytes of all instances and of nodes that belong to this class alone.
    fn memory_bytes(&self) -> u64;
}

/// An acquisition under way.
pub struct Attempt<'a, P: Platform> {
    cpu: &'a P::Cpu,
    class: Option<LockClassId>,
    instance: u32,
    shared: bool,
    region: Region,
}

impl<'a, P: Platform> Attempt<'a, P> {
    pub(crate) fn new(
        cpu: &'a P::Cpu,
        class: LockClassId,
        i: usize,
        shared: bool,
        region: Region,
    ) -> Self {
        Self { cpu, class: Some(class), instance: i as u32, shared, region }
    }

    /// An attempt that nobody counts: on a lock inside another lock.
    pub(super) fn uncounted(cpu: &'a P::Cpu) -> Self {
        Self { cpu, class: None, instance: 0, shared: false, region: Region(0) }
    }

    /// The first try failed. `queued` when the waiter enters the path that the kernel's contention
    /// tracepoint counts; may be called again with it later.
    pub fn contended(&self, queued: bool) {
        self.report(LockStep::Contended { queued });
    }

    pub(crate) fn report(&self, step: LockStep) {
        if let Some(class) = self.class {
            let Self { instance, shared, region, .. } = *self;
            P::observe(self.cpu, Observation::Lock { class, instance, shared, region, step });
        }
    }
}

/// A class of spin locks with a given algorithm.
pub struct SpinLock<A> {
    algorithm: A,
    class: LockClassId,
    instances: usize,
    section: Section,
    debug: DebugCost,
}

impl<A> SpinLock<A> {
    /// Allocates and registers the class that `plan` describes.
    pub fn new<P: Platform>(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self
    where
        A: Algorithm<P>,
    {
        let algorithm = A::new(build, plan, shared);
        Self::wrap::<P>(build, plan, algorithm, shared.debug)
    }

    /// Registers a class whose words are there already.
    pub(super) fn wrap<P: Platform>(
        build: &mut P::Build,
        plan: &LockPlan,
        algorithm: A,
        debug: DebugCost,
    ) -> Self {
        let class = P::lock_class(
            build,
            LockClass {
                name: plan.name.clone(),
                kind: LockKind::Spinlock,
                instances: plan.instances,
            },
        );
        Self { algorithm, class, instances: plan.instances, section: plan.section, debug }
    }
}

impl<P: Platform, A: Algorithm<P>> Lock<P> for SpinLock<A> {
    fn acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held {
        P::enter(cpu, self.section);
        let attempt = Attempt::<P>::new(cpu, self.class, i, false, region);
        attempt.report(LockStep::Request);
        self.debug.half::<P>(cpu);
        let node = self.algorithm.lock(cpu, i, &attempt);
        attempt.report(LockStep::Acquired);
        Held { instance: i as u32, region, node }
    }

    fn try_acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Option<Held> {
        P::enter(cpu, self.section);
        let attempt = Attempt::<P>::new(cpu, self.class, i, false, region);
        attempt.report(LockStep::Request);
        self.debug.half::<P>(cpu);
        let Some(node) = self.algorithm.try_lock(cpu, i) else {
            attempt.report(LockStep::Abandoned);
            P::leave(cpu, self.section);
            return None;
        };
        attempt.report(LockStep::Acquired);
        Some(Held { instance: i as u32, region, node })
    }

    fn release(&self, cpu: &P::Cpu, held: Held) {
        let i = held.instance();
        self.debug.half::<P>(cpu);
        Attempt::<P>::new(cpu, self.class, i, false, held.region).report(LockStep::Released);
        self.algorithm.unlock(cpu, i, held.node);
        P::leave(cpu, self.section);
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memory_bytes(&self) -> u64 {
        self.algorithm.memory_bytes()
    }
}
