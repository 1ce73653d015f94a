//! Coroutines: one stack for each simulated CPU.
//!
//! A body that must wait leaves the host thread to the CPU that the engine has chosen. How it gets there
//! is a [`Switch`]: *by the loop* of the run, which resumes one coroutine after the other (corosensei, any
//! host), or *directly* from stack to stack, which is half the work (x86-64).
//!
//! A panic in a body is carried to the caller of the run. Bodies that have not ended then, or at a
//! deadlock, are forgotten without unwinding: unwinding would run their code against a dead engine. What
//! they own leaks, and nothing outside them points into them, since bodies are `'static` and the machine
//! stores plain data only.

mod by_loop;
#[cfg(target_arch = "x86_64")]
mod direct;
mod stack;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How the host thread gets from one simulated CPU's stack to another's. Results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Back to the run's loop, which resumes the next one.
    ByLoop,
    /// From stack to stack.
    #[cfg(target_arch = "x86_64")]
    Direct,
}

impl Default for Switch {
    /// The fastest one of this host.
    fn default() -> Self {
        #[cfg(target_arch = "x86_64")]
        let fastest = Self::Direct;
        #[cfg(not(target_arch = "x86_64"))]
        let fastest = Self::ByLoop;
        fastest
    }
}

/// How a body ended, if by panic: with its payload.
pub(super) type Outcome = Result<(), Box<dyn Any + Send>>;

/// The program of a CPU.
pub(super) type Body = Box<dyn FnOnce(Suspend)>;

/// What a body suspends through. Only valid on its own stack.
pub(super) enum Suspend {
    /// For bodies that never suspend: set-up code.
    Never,
    /// See [`Switch::ByLoop`].
    ByLoop(by_loop::Suspend),
    /// See [`Switch::Direct`].
    #[cfg(target_arch = "x86_64")]
    Direct(direct::Suspend),
}

impl Suspend {
    /// Leaves the host thread to the body of CPU `next`, or to the run's loop when there is none to run.
    /// Returns when somebody leaves it to this one.
    #[inline]
    pub(super) fn suspend(&self, next: Option<u16>) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Direct(suspend) => suspend.suspend(next),
            Self::ByLoop(suspend) => suspend.suspend(),
            Self::Never => panic!("set-up code must not wait"),
        }
    }
}

/// The bodies of a run.
pub(super) enum Fibers {
    /// See [`Switch::ByLoop`].
    ByLoop(by_loop::Fibers),
    /// See [`Switch::Direct`].
    #[cfg(target_arch = "x86_64")]
    Direct(direct::Fibers),
}

impl Fibers {
    /// Room for the bodies of `cpus` CPUs.
    pub(super) fn new(switch: Switch, cpus: usize) -> Self {
        match switch {
            Switch::ByLoop => Self::ByLoop(by_loop::Fibers::new(cpus)),
            #[cfg(target_arch = "x86_64")]
            Switch::Direct => Self::Direct(direct::Fibers::new(cpus)),
        }
    }

    /// Adds a body that begins when its CPU first runs.
    pub(super) fn add(&mut self, cpu: u16, body: Body) {
        match self {
            Self::ByLoop(fibers) => fibers.add(cpu, body),
            #[cfg(target_arch = "x86_64")]
            Self::Direct(fibers) => fibers.add(cpu, body),
        }
    }

    /// Runs bodies from that of `cpu` on, until one ends: then its outcome; or until control comes back
    /// for another reason. The CPU that ran last is the engine's `next`.
    pub(super) fn resume(&mut self, cpu: u16) -> Option<Outcome> {
        match self {
            Self::ByLoop(fibers) => fibers.resume(cpu),
            #[cfg(target_arch = "x86_64")]
            Self::Direct(fibers) => fibers.resume(cpu),
        }
    }
}

/// Runs a body; a panic ends here.
fn outcome_of(body: Body, suspend: Suspend) -> Outcome {
    catch_unwind(AssertUnwindSafe(move || body(suspend)))
}
