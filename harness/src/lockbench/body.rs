//! The benchmark's loop, in any world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pamt_strategies::locks::Lock;
use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Platform, Stream};
use pamt_strategies::units::{Cycles, Region};

use super::LockBench;
use super::draw::exponential;

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// This many ns, every time.
    Constant(f64),
    /// Exponentially distributed with this mean, in ns.
    Exponential(f64),
}

/// When a thread stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After this many acquisitions.
    Acquires(u64),
    /// When this many ns have passed.
    After(u64),
}

/// A [`Length`] in the cycles of a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) cycles: f64,
    pub(super) random: bool,
}

impl Span {
    fn draw<P: Platform>(self, cpu: &P::Cpu) -> Cycles {
        let factor = if self.random { exponential(P::random(cpu, Stream::Load)) } else { 1.0 };
        Cycles((self.cycles * factor).round() as u64)
    }
}

/// What every thread does.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) critical: Span,
    pub(super) parallel: Span,
    pub(super) stop: Stop,
    /// `Stop::After`, in cycles.
    pub(super) deadline: u64,
    /// Threads start within this many cycles.
    pub(super) skew: u64,
    /// A run by time notes its count each time that so many cycles have passed; never if 0.
    pub(super) window: u64,
    /// The user wants an end.
    pub(super) interrupted: Option<Arc<AtomicBool>>,
}

/// What the loop costs beside the work that it is told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct LoopCost {
    /// While the lock is held.
    pub(super) hold_ns: f64,
    /// Between release and acquire.
    pub(super) loop_ns: f64,
    /// Threads start within this time, at random: in a world that could start all in one cycle, a lock
    /// that serves in order of arrival would serve siblings one after the other for ever.
    pub(super) skew_ns: f64,
}

impl Length {
    /// Its mean, in ns.
    #[must_use]
    pub const fn mean_ns(self) -> f64 {
        match self {
            Self::Constant(ns) | Self::Exponential(ns) => ns,
        }
    }
}

impl Plan {
    /// The plan of `bench` in a world whose clock runs at `ghz`, and whose loop has to be given a cost.
    pub(super) fn new(bench: &LockBench, ghz: f64, cost: LoopCost) -> Self {
        let span = |length: Length, more: f64| match length {
            Length::Constant(ns) => Span { cycles: (ns + more) * ghz, random: false },
            Length::Exponential(ns) => Span { cycles: (ns + more) * ghz, random: true },
        };
        let deadline = match bench.stop {
            Stop::Acquires(_) => 0,
            Stop::After(ns) => (ns as f64 * ghz) as u64,
        };
        Self {
            critical: span(bench.critical, cost.hold_ns),
            parallel: span(bench.parallel, cost.loop_ns),
            stop: bench.stop,
            deadline,
            skew: (cost.skew_ns * ghz) as u64,
            window: 0,
            interrupted: None,
        }
    }

    /// The same, by time in this many windows of equal length.
    pub(super) fn in_windows(self, windows: usize) -> Self {
        Self { window: (self.deadline / windows as u64).max(1), ..self }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Something that is held while work is done.
pub(super) trait Guarded<P: Platform>: Send + Sync {
    /// Acquires it, runs `hold`, releases it.
    fn guarded(&self, cpu: &P::Cpu, hold: impl FnOnce());
}

/// A lock of ours.
pub(super) struct Own<L>(pub(super) L);

impl<P: Platform, L: Lock<P>> Guarded<P> for Own<L> {
    fn guarded(&self, cpu: &P::Cpu, hold: impl FnOnce()) {
        let held = self.0.acquire(cpu, 0, Region(0));
        hold();
        self.0.release(cpu, held);
    }
}

/// What one thread did.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) thread: usize,
    pub(super) acquires: u64,
    pub(super) start: Cycles,
    pub(super) end: Cycles,
    /// Acquisitions at the end of each window that it reached.
    pub(super) marks: Vec<u64>,
}

/// Runs the loop to its end.
pub(super) fn hammer<P: Platform, G: Guarded<P>>(
    cpu: &P::Cpu,
    lock: &G,
    plan: &Plan,
    thread: usize,
) -> Done {
    if plan.skew > 0 {
        P::work(cpu, Cycles(P::random(cpu, Stream::Load) % plan.skew));
    }
    let start = P::now(cpu);
    let (mut acquires, mut marks, mut mark) = (0, Vec::new(), plan.window);
    loop {
        let go_on = match plan.stop {
            Stop::Acquires(n) => acquires < n,
            Stop::After(_) => {
                let passed = P::now(cpu).0 - start.0;
                while plan.window > 0 && passed >= mark {
                    marks.push(acquires);
                    mark += plan.window;
                }
                passed < plan.deadline
            }
        };
        if !go_on || plan.is_interrupted() {
            return Done { thread, acquires, start, end: P::now(cpu), marks };
        }
        P::observe(cpu, Observation::Begin(Op::LockAcquire));
        lock.guarded(cpu, || work::<P>(cpu, plan.critical));
        P::observe(cpu, Observation::End(Op::LockAcquire));
        work::<P>(cpu, plan.parallel);
        acquires += 1;
    }
}

fn work<P: Platform>(cpu: &P::Cpu, span: Span) {
    if span.cycles > 0.0 {
        P::work(cpu, span.draw::<P>(cpu));
    }
}
