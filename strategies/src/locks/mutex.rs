//! Linux' mutex (`kernel/locking/mutex.c`), whose waiters spin while the holder runs.
//!
//! The first try is a CAS of the owner from 0. Who fails lines up in the optimistic spin queue; its head
//! watches the owner and tries again when there is none. A waiter sleeps only when the holder does, or
//! when the scheduler wants its CPU. Holders here stay on their CPU, so that path is not modelled.
//! Unlike a spin lock, a mutex leaves preemption on.

use super::Held;
use super::osq::Osq;
use super::plan::{LockPlan, LockShared, Slots};
use super::spin::{Algorithm, Attempt};
use crate::measure::{LockClass, LockClassId, LockKind, LockStep};
use crate::platform::{Ordering, Platform, Until, Words};
use crate::units::Region;

/// A class of mutexes.
pub struct Mutex<P: Platform> {
    owner: Slots<P, u32>,
    queue: Osq<P>,
    class: LockClassId,
}

impl<P: Platform> Mutex<P> {
    /// Allocates and registers the class that `plan` describes; its section does not apply.
    pub fn new(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self {
        let queue = LockPlan { name: format!("{}.osq", plan.name), ..plan.clone() };
        let (name, instances) = (plan.name.clone(), plan.instances);
        let class = P::lock_class(build, LockClass { name, kind: LockKind::Mutex, instances });
        Self { owner: plan.slots(build, 1), queue: Osq::new(build, &queue, shared), class }
    }

    fn try_own(&self, cpu: &P::Cpu, i: usize) -> bool {
        let me = u32::from(P::cpu(cpu).0) + 1;
        let (at, order) = (self.owner.at(i), (Ordering::Acquire, Ordering::Relaxed));
        self.owner.words.compare_exchange(cpu, at, 0, me, order.0, order.1).is_ok()
    }

    fn spin(&self, cpu: &P::Cpu, i: usize) {
        let node = self.queue.lock(cpu, i, &Attempt::uncounted(cpu));
        loop {
            let free = Until::eq(0);
            self.owner.words.spin_until(cpu, self.owner.at(i), free, Ordering::Relaxed);
            if self.try_own(cpu, i) {
                break;
            }
        }
        self.queue.unlock(cpu, i, node);
    }

    /// Takes instance `i` for work on `region`.
    pub fn acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held {
        let attempt = Attempt::<P>::new(cpu, self.class, i, false, region);
        attempt.report(LockStep::Request);
        if !self.try_own(cpu, i) {
            attempt.contended(true);
            self.spin(cpu, i);
        }
        attempt.report(LockStep::Acquired);
        Held { instance: i as u32, region, node: 0 }
    }

    /// Releases what `held` stands for.
    pub fn release(&self, cpu: &P::Cpu, held: Held) {
        let i = held.instance();
        Attempt::<P>::new(cpu, self.class, i, false, held.region).report(LockStep::Released);
        self.owner.words.swap(cpu, self.owner.at(i), 0, Ordering::Release);
    }
}
