//! The stepped world: CPUs that advance one memory access at a time, in an order that is given.
//!
//! It answers "what if they interleave like this?" and, by [`Explorer`], "what can happen at all?".
//! Memory is sequentially consistent, an access is one step, and time passes only by
//! [`Platform::work`] on the CPU that spends it: nothing here is a measurement. Outside
//! [`interleave`] a CPU runs to its end at once.

mod explore;
mod words;

pub use explore::{Explorer, Point};
pub use words::SteppedWords;

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use corosensei::{Coroutine, CoroutineResult, Yielder};
use pamt_strategies::measure::{LockClass, LockClassId, Observation, Violation};
use pamt_strategies::platform::{ActorBody, BulkKind, Draws, Place, Platform, Stream, Wake, Word};
use pamt_strategies::units::{Clock, CpuId, Cycles, NodeId};

/// The stepped world.
pub struct Stepped;

/// One access to a word, about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepAccess {
    /// Which array, by the order in which they were made.
    pub array: u32,
    /// Which word of it; of a range, its first.
    pub word: usize,
    /// Number of words.
    pub words: usize,
    /// What it does to them.
    pub kind: StepKind,
}

/// Kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepKind {
    /// Loads, one or many.
    Load,
    /// Plain stores, one or many.
    Store,
    /// A locked instruction.
    Locked,
}

impl StepAccess {
    /// Whether the order of the two matters.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        let apart = self.word + self.words <= other.word || other.word + other.words <= self.word;
        let changed = self.kind != StepKind::Load || other.kind != StepKind::Load;
        self.array == other.array && !apart && changed
    }
}

/// What set-up code of the stepped world allocates from.
pub struct SteppedBuild {
    cpus: usize,
    nodes: usize,
    arrays: AtomicU32,
    classes: u16,
    kicks: Arc<[AtomicBool]>,
    preparations: Vec<ActorBody<Stepped>>,
}

impl SteppedBuild {
    /// A world of `cpus` CPUs at 1 GHz, in equal, contiguous parts on `nodes` nodes.
    #[must_use]
    pub fn new(cpus: usize, nodes: usize) -> Self {
        Self {
            cpus,
            nodes,
            arrays: AtomicU32::new(0),
            classes: 0,
            kicks: (0..cpus).map(|_| AtomicBool::new(false)).collect(),
            preparations: Vec::new(),
        }
    }

    /// Runs what was to be prepared, and hands out the CPUs.
    #[must_use]
    pub fn start(self) -> Vec<Rc<SteppedCpu>> {
        let cpu = |id| {
            let place = (id, Stepped::node_of(&self, id));
            Rc::new(SteppedCpu::new(place, Arc::clone(&self.kicks)))
        };
        let cpus: Vec<_> = (0..self.cpus).map(|id| cpu(CpuId(id as u16))).collect();
        if let Some(first) = cpus.first() {
            self.preparations.into_iter().for_each(|body| body(first));
        }
        cpus
    }
}

/// Where a CPU suspends before each access: a coroutine of [`interleave`].
type Suspender = Yielder<(), StepAccess>;

/// A CPU of the stepped world.
pub struct SteppedCpu {
    id: CpuId,
    node: NodeId,
    now: Cell<u64>,
    random: RefCell<Draws>,
    kicks: Arc<[AtomicBool]>,
    suspender: Cell<Option<NonNull<Suspender>>>,
    violations: RefCell<Vec<Violation>>,
    accesses: RefCell<Option<Vec<StepAccess>>>,
}

impl SteppedCpu {
    fn new((id, node): (CpuId, NodeId), kicks: Arc<[AtomicBool]>) -> Self {
        Self {
            id,
            node,
            now: Cell::new(0),
            random: RefCell::new(Draws::new(0, id)),
            kicks,
            suspender: Cell::new(None),
            violations: RefCell::default(),
            accesses: RefCell::default(),
        }
    }

    /// What broke on this CPU since the last call.
    pub fn take_violations(&self) -> Vec<Violation> {
        self.violations.take()
    }

    /// Runs `body` at once and returns its accesses in order.
    pub fn record(&self, body: impl FnOnce()) -> Vec<StepAccess> {
        self.accesses.replace(Some(Vec::new()));
        body();
        self.accesses.take().unwrap_or_default()
    }

    /// The point before an access.
    fn step(&self, access: StepAccess) {
        if let Some(accesses) = &mut *self.accesses.borrow_mut() {
            accesses.push(access);
        }
        if let Some(suspender) = self.suspender.get() {
            // SAFETY: set by `interleave` on entry to the coroutine that this call runs in, and
            // cleared before that coroutine ends; the yielder lives on its stack.
            unsafe { suspender.as_ref() }.suspend(access);
        }
    }
}

/// A body that [`interleave`] runs on a CPU.
pub type SteppedBody = Box<dyn FnOnce(&SteppedCpu)>;

/// Runs bodies, each on its CPU, one access at a time. Before each step `choose` gets the accesses
/// that are pending (`None` for a body that has ended) and returns the index of the body that may
/// make its own.
///
/// # Panics
/// When `choose` returns a body that has ended.
pub fn interleave(
    bodies: Vec<(Rc<SteppedCpu>, SteppedBody)>,
    mut choose: impl FnMut(&[Option<StepAccess>]) -> usize,
) {
    let mut running: Vec<_> = bodies.into_iter().map(|(cpu, body)| coroutine(cpu, body)).collect();
    // Up to the first access nothing can be seen by others.
    let mut pending: Vec<_> = running.iter_mut().map(advance).collect();
    while pending.iter().any(Option::is_some) {
        let chosen = choose(&pending);
        assert!(pending[chosen].is_some(), "body {chosen} was chosen but has ended");
        pending[chosen] = advance(&mut running[chosen]);
    }
}

fn coroutine(cpu: Rc<SteppedCpu>, body: SteppedBody) -> Coroutine<(), StepAccess, ()> {
    Coroutine::new(move |suspender: &Suspender, ()| {
        cpu.suspender.set(Some(NonNull::from(suspender)));
        body(&cpu);
        cpu.suspender.set(None);
    })
}

fn advance(coroutine: &mut Coroutine<(), StepAccess, ()>) -> Option<StepAccess> {
    match coroutine.resume(()) {
        CoroutineResult::Yield(access) => Some(access),
        CoroutineResult::Return(()) => None,
    }
}

impl Platform for Stepped {
    type Cpu = SteppedCpu;
    type Build = SteppedBuild;
    type Words<W: Word> = SteppedWords<W>;

    fn words<W: Word>(build: &mut SteppedBuild, place: Place) -> SteppedWords<W> {
        SteppedWords::new(build.arrays.fetch_add(1, Ordering::Relaxed), place.len)
    }

    fn lock_class(build: &mut SteppedBuild, _class: LockClass) -> LockClassId {
        build.classes += 1;
        LockClassId(build.classes - 1)
    }

    fn cpu_count(build: &SteppedBuild) -> usize {
        build.cpus
    }

    fn node_count(build: &SteppedBuild) -> usize {
        build.nodes
    }

    fn node_of(build: &SteppedBuild, cpu: CpuId) -> NodeId {
        NodeId((usize::from(cpu.0) * build.nodes / build.cpus) as u8)
    }

    fn clock(_build: &SteppedBuild) -> Clock {
        Clock::new(1.0)
    }

    fn prepare(build: &mut SteppedBuild, body: ActorBody<Self>) {
        build.preparations.push(body);
    }

    fn cpu(cpu: &SteppedCpu) -> CpuId {
        cpu.id
    }

    fn node(cpu: &SteppedCpu) -> NodeId {
        cpu.node
    }

    fn now(cpu: &SteppedCpu) -> Cycles {
        Cycles(cpu.now.get())
    }

    fn random(cpu: &SteppedCpu, stream: Stream) -> u64 {
        cpu.random.borrow_mut().next(stream)
    }

    fn pause(_cpu: &SteppedCpu) {}

    fn work(cpu: &SteppedCpu, length: Cycles) {
        cpu.now.set(cpu.now.get() + length.0);
    }

    fn bulk(_cpu: &SteppedCpu, _kind: BulkKind, _bytes: u64, _home: NodeId) {}

    fn sleep_until(cpu: &SteppedCpu, deadline: Cycles) -> Wake {
        if cpu.kicks[usize::from(cpu.id.0)].swap(false, Ordering::Relaxed) {
            return Wake::Kicked;
        }
        cpu.now.set(cpu.now.get().max(deadline.0));
        Wake::Deadline
    }

    fn kick(cpu: &SteppedCpu, target: CpuId) {
        cpu.kicks[usize::from(target.0)].store(true, Ordering::Relaxed);
    }

    fn observe(cpu: &SteppedCpu, observation: Observation) {
        if let Observation::Violation(violation) = observation {
            cpu.violations.borrow_mut().push(violation);
        }
    }
}

#[cfg(test)]
mod tests;
