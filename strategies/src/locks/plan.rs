//! What a class of locks is made from.

use crate::platform::{Home, Place, Platform, Section, Word};
use crate::units::{Cycles, LINE_BYTES, NodeId};

use super::qspinlock::qnodes;

/// How the instances of a class lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One behind the other, as an array of `spinlock_t` lies: 16 share a line.
    Packed,
    /// A line each (`____cacheline_aligned_in_smp`).
    Padded,
}

/// Name, number and placement of a class of locks.
#[derive(Clone, Debug)]
pub struct LockPlan {
    /// Name of the class, as lock_stat shows it.
    pub name: String,
    /// Number of instances.
    pub instances: usize,
    /// How they lie in memory.
    pub layout: Layout,
    /// Which node's memory they lie in.
    pub home: Home,
    /// What a holder may not be interrupted by: `spin_lock` or `spin_lock_irqsave`.
    pub section: Section,
}

impl LockPlan {
    /// `instances` locks with a line each on node 0, taken with preemption off.
    #[must_use]
    pub fn new(name: impl Into<String>, instances: usize) -> Self {
        Self {
            name: name.into(),
            instances,
            layout: Layout::Padded,
            home: Home::Node(NodeId(0)),
            section: Section::PreemptOff,
        }
    }

    /// Sets the layout.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets the home.
    #[must_use]
    pub fn home(mut self, home: Home) -> Self {
        self.home = home;
        self
    }

    /// Sets the section that a holder is in.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.section = section;
        self
    }

    /// Allocates `per_instance` words for each instance.
    pub(super) fn slots<P: Platform, W: Word>(
        &self,
        build: &mut P::Build,
        per_instance: usize,
    ) -> Slots<P, W> {
        let line_words = LINE_BYTES as usize / W::BYTES as usize;
        let stride = match self.layout {
            Layout::Packed => per_instance,
            Layout::Padded => per_instance.next_multiple_of(line_words),
        };
        let place = Place::packed(self.name.clone(), stride * self.instances)
            .record(stride as u32 * W::BYTES, &[])
            .home(self.home);
        Slots { words: P::words(build, place), stride }
    }
}

/// The words of all instances of a class.
pub(super) struct Slots<P: Platform, W: Word> {
    pub(super) words: P::Words<W>,
    stride: usize,
}

impl<P: Platform, W: Word> Slots<P, W> {
    /// Index of the first word of instance `i`.
    pub(super) fn at(&self, i: usize) -> usize {
        i * self.stride
    }

    /// Bytes of the whole array.
    pub(super) fn bytes(&self) -> u64 {
        use crate::platform::Words;
        self.words.len() as u64 * u64::from(W::BYTES)
    }
}

/// What all locks of a machine share: the per-CPU queue nodes of the kernel's spin locks.
pub struct LockShared<P: Platform> {
    pub(super) qnodes: P::Words<u32>,
    pub(super) debug: DebugCost,
}

/// What a kernel with lock debugging adds to each spin or read-write lock: lockdep's bookkeeping,
/// half of it before the lock is tried and half before it is released, while it is still held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DebugCost(Cycles);

impl DebugCost {
    pub(super) fn half<P: Platform>(self, cpu: &P::Cpu) {
        if self.0.0 > 0 {
            P::work(cpu, Cycles(self.0.0 / 2));
        }
    }
}

impl<P: Platform> LockShared<P> {
    /// Allocates them; once a world.
    pub fn new(build: &mut P::Build) -> Self {
        Self { qnodes: qnodes::<P>(build), debug: DebugCost::default() }
    }

    /// The locks of a kernel that debugs them, at this cost an acquisition and release.
    #[must_use]
    pub fn debugged(self, cost: Cycles) -> Self {
        Self { debug: DebugCost(cost), ..self }
    }
}

impl<P: Platform> Clone for LockShared<P> {
    fn clone(&self) -> Self {
        Self { qnodes: self.qnodes.clone(), debug: self.debug }
    }
}
