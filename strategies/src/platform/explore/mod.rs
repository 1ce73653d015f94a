//! The two explored worlds: loom (every execution of a small case, weak memory included) and shuttle
//! (random and PCT schedules of larger ones, sequentially consistent).
//!
//! Both run one thread at a time and choose who goes on at each operation on a word. Time means
//! nothing here: clocks count observations, work takes none, a timed wait may end at once. Waiting for
//! a word yields, so that the explorer looks at others before it looks at the waiter again.
//!
//! A bulk operation is one step under shuttle. Under loom, arrays of up to 256 words (locks, refcounts,
//! the 2M entries of a small module) have an atomic a word and so weak memory; a longer one (the 4K
//! entries of the module) is one object whose every access is a step, so that clearing 512 entries
//! does not multiply the executions. While one CPU is alone, before the others start and after they have
//! ended, loom's words are plain values: there is nothing to explore, and most of an execution is set-up.

mod loom_array;
mod loom_words;
mod shuttle_words;

use core::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use loom_words::{Loom, LoomWords};
pub use shuttle_words::{Shuttle, ShuttleWords};

use super::{Actor, ActorBody, Ordering, Place, Platform, Words};
use crate::measure::{LockClass, LockClassId, Observation};
use crate::units::CpuId;

/// Who hears what happens during an execution, in the order in which it happens.
pub trait Observer: Send + Sync {
    /// `cpu` reports something.
    fn observe(&self, cpu: CpuId, observation: Observation);
}

/// A world whose schedules are explored.
pub trait Explorer: Platform<Cpu = ExploreCpu<Self>, Build = ExploreBuild<Self>> {
    /// Handle of a started thread.
    type Thread;
    /// Starts a thread of the explorer.
    fn spawn(body: Box<dyn FnOnce() + Send>) -> Self::Thread;
    /// Waits for its end.
    fn join(thread: Self::Thread);
    /// Lets others go on first.
    fn yield_now();
}

/// What set-up code of an explored world allocates from; made anew for each execution.
pub struct ExploreBuild<P: Platform> {
    cpus: usize,
    nodes: usize,
    classes: Vec<LockClass>,
    observer: Arc<dyn Observer>,
    preparations: Vec<ActorBody<P>>,
    /// Whether several CPUs run.
    racing: Arc<AtomicBool>,
    /// What words do just before.
    before_race: Vec<Box<dyn FnOnce()>>,
}

impl<P: Platform> ExploreBuild<P> {
    /// A world of `cpus` CPUs, dealt out to `nodes` nodes in turn.
    #[must_use]
    pub fn new(cpus: usize, nodes: usize, observer: Arc<dyn Observer>) -> Self {
        Self {
            cpus,
            nodes,
            classes: Vec::new(),
            observer,
            preparations: Vec::new(),
            racing: Arc::new(AtomicBool::new(false)),
            before_race: Vec::new(),
        }
    }

    /// Registered lock classes, in the order of their ids.
    #[must_use]
    pub fn classes(&self) -> &[LockClass] {
        &self.classes
    }

    fn add_class(&mut self, class: LockClass) -> LockClassId {
        self.classes.push(class);
        LockClassId((self.classes.len() - 1) as u16)
    }
}

/// Context of a CPU of an explored world.
pub struct ExploreCpu<P: Platform> {
    id: CpuId,
    nodes: usize,
    kicks: P::Words<u32>,
    observer: Arc<dyn Observer>,
    /// Observations and clock readings so far: a clock that never stands still.
    ticks: Cell<u64>,
    random: Cell<u64>,
}

impl<P: Explorer> ExploreCpu<P> {
    fn tick(&self) -> u64 {
        self.ticks.set(self.ticks.get() + 1);
        self.ticks.get()
    }

    /// A fixed sequence for each CPU: an explorer must be able to replay an execution.
    fn next_random(&self) -> u64 {
        let next = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random.set(next);
        next >> 32
    }

    /// Whether a kick has arrived; takes it.
    fn take_kick(&self) -> bool {
        self.kicks.swap(self, usize::from(self.id.0), 0, Ordering::AcqRel) != 0
    }

    fn kick(&self, target: CpuId) {
        self.kicks.store(self, usize::from(target.0), 1, Ordering::Release);
    }
}

/// Runs all actors under the explorer, from inside its model: the first on the calling thread, each
/// other one on a thread of its own. Returns the context of CPU 0, for a look at the final state.
///
/// A panic of an actor unwinds into the explorer, which reports the schedule that led to it.
pub fn run<P: Explorer>(build: ExploreBuild<P>, actors: Vec<Actor<P>>) -> ExploreCpu<P> {
    let mut build = build;
    let place = Place::packed("kicks", build.cpus);
    let kicks = P::words::<u32>(&mut build, place);
    let (nodes, observer) = (build.nodes, build.observer);
    let context = |id: CpuId| ExploreCpu {
        id,
        nodes,
        kicks: kicks.clone(),
        observer: Arc::clone(&observer),
        ticks: Cell::new(0),
        random: Cell::new(u64::from(id.0)),
    };
    let boot = context(CpuId(0));
    for body in build.preparations {
        body(&boot);
    }
    build.before_race.into_iter().for_each(|ready| ready());
    build.racing.store(true, Ordering::SeqCst);
    let mut actors = actors.into_iter();
    let first = actors.next();
    let threads: Vec<_> = actors
        .map(|actor| {
            let cpu = context(actor.cpu);
            P::spawn(Box::new(move || (actor.body)(&cpu)))
        })
        .collect();
    if let Some(actor) = first {
        (actor.body)(&context(actor.cpu));
    }
    threads.into_iter().for_each(P::join);
    build.racing.store(false, Ordering::SeqCst);
    boot
}

/// The parts of [`Platform`] that do not differ between the explorers.
macro_rules! explored_platform {
    ($world:ident, $words:ident) => {
        impl Platform for $world {
            type Cpu = ExploreCpu<Self>;
            type Build = ExploreBuild<Self>;
            type Words<W: Word> = $words<W>;

            fn words<W: Word>(build: &mut Self::Build, place: Place) -> $words<W> {
                $words::new(build, place.len)
            }

            fn lock_class(build: &mut Self::Build, class: LockClass) -> LockClassId {
                build.add_class(class)
            }

            fn cpu_count(build: &Self::Build) -> usize {
                build.cpus
            }

            fn node_count(build: &Self::Build) -> usize {
                build.nodes
            }

            fn node_of(build: &Self::Build, cpu: CpuId) -> NodeId {
                NodeId((usize::from(cpu.0) % build.nodes) as u8)
            }

            fn clock(_build: &Self::Build) -> Clock {
                Clock::new(1.0)
            }

            fn prepare(build: &mut Self::Build, body: ActorBody<Self>) {
                build.preparations.push(body);
            }

            fn cpu(cpu: &Self::Cpu) -> CpuId {
                cpu.id
            }

            fn node(cpu: &Self::Cpu) -> NodeId {
                NodeId((usize::from(cpu.id.0) % cpu.nodes) as u8)
            }

            fn now(cpu: &Self::Cpu) -> Cycles {
                Cycles(cpu.tick())
            }

            fn random(cpu: &Self::Cpu, _stream: Stream) -> u64 {
                cpu.next_random()
            }

            fn pause(_cpu: &Self::Cpu) {
                Self::yield_now();
            }

            fn work(_cpu: &Self::Cpu, _length: Cycles) {}

            fn bulk(_cpu: &Self::Cpu, _kind: BulkKind, _bytes: u64, _home: NodeId) {}

            fn sleep_until(cpu: &Self::Cpu, _deadline: Cycles) -> Wake {
                Self::yield_now();
                if cpu.take_kick() { Wake::Kicked } else { Wake::Deadline }
            }

            fn kick(cpu: &Self::Cpu, target: CpuId) {
                cpu.kick(target);
            }

            fn observe(cpu: &Self::Cpu, observation: Observation) {
                cpu.observer.observe(cpu.id, observation);
            }
        }
    };
}
use explored_platform;

/// Reads of a bounded spin: any number is a legal timing, and few keep executions short.
const BOUNDED_READS: u32 = 2;
