//! Coroutines of corosensei, resumed by the run's loop.

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::stack::{ColouredStack, recycle, stack};
use super::{Body, Outcome, outcome_of};

type Fiber = Coroutine<(), (), Outcome, ColouredStack>;

/// The bodies of a run, by CPU.
pub(in super::super) struct Fibers {
    fibers: Vec<Option<Fiber>>,
}

/// What a body suspends through.
pub(in super::super) struct Suspend {
    yielder: *const Yielder<(), ()>,
}

impl Suspend {
    pub(super) fn suspend(&self) {
        // SAFETY: made by `Fibers::add` for the coroutine that executes now; the yielder lives at the
        // bottom of its stack for as long as the body runs.
        unsafe { (*self.yielder).suspend(()) };
    }
}

impl Fibers {
    pub(super) fn new(cpus: usize) -> Self {
        Self { fibers: (0..cpus).map(|_| None).collect() }
    }

    pub(super) fn add(&mut self, cpu: u16, body: Body) {
        let run = move |yielder: &Yielder<(), ()>, ()| {
            outcome_of(body, super::Suspend::ByLoop(Suspend { yielder }))
        };
        let fiber = Coroutine::with_stack(stack(usize::from(cpu)), run);
        self.fibers[usize::from(cpu)] = Some(fiber);
    }

    pub(super) fn resume(&mut self, cpu: u16) -> Option<Outcome> {
        let slot = &mut self.fibers[usize::from(cpu)];
        let fiber = slot.as_mut().expect("only CPUs with bodies run, and none after its end");
        match fiber.resume(()) {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(outcome) => {
                recycle(slot.take().expect("it has just run").into_stack());
                Some(outcome)
            }
        }
    }
}

impl Drop for Fibers {
    fn drop(&mut self) {
        for mut fiber in self.fibers.drain(..).flatten() {
            if fiber.started() {
                // SAFETY: the body's frames are abandoned without running destructors, and nothing
                // outside them points into them (see the module above).
                unsafe { fiber.force_reset() };
            }
        }
    }
}
