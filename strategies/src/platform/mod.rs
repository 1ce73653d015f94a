//! The Platform: what a strategy, a lock and the module model may ask of the world they run in.
//!
//! A strategy is written once, as ordinary blocking Rust that is generic over [`Platform`], and runs
//! in four worlds: simulated (`pamt-sim`), [`native`], and under the loom and shuttle explorers.
//!
//! # Context is passed
//! Each operation takes the context of the CPU that executes it (`&P::Cpu`). There are no
//! thread-locals: simulated CPUs share one host thread.
//!
//! # Words
//! Shared memory is arrays of packed words ([`Words`]), made during set-up with a name and a
//! placement ([`Place`]). A word is *(array, index)*; its cache line follows from the array's base
//! alignment and stride, so that 16 `u32` refcounts or four 16-byte PAMT entries share a line exactly
//! as in the kernel. A handle is a plain id or an `Arc`, hence `Send + Sync`; neither `Platform` nor
//! `Cpu` has such a bound. That makes every strategy shareable where its parts are, and the native
//! executor needs no unsafe claim about it.
//!
//! # Waiting
//! Spinning is a primitive ([`Words::spin_until`]) with a predicate that is data ([`Until`]), so that
//! a simulated spinner costs nothing until its line changes. A wait that something else may end is
//! [`Platform::sleep_until`]; work that cannot be interrupted is [`Platform::work`], which only moves
//! the CPU's own clock.

mod draws;
#[cfg(feature = "check")]
pub mod explore;
pub mod native;
mod place;
mod until;

pub use core::sync::atomic::Ordering;
pub use draws::{Draws, Stream};
pub use place::{Field, Home, Place, Sharing};
pub use until::Until;

use crate::measure::{LockClass, LockClassId, Observation};
use crate::units::{Clock, CpuId, Cycles, NodeId};

/// What one CPU does in a run: its body is called once, on that CPU.
pub struct Actor<P: Platform> {
    /// The CPU it is pinned to. Two actors on one CPU need an executor that oversubscribes.
    pub cpu: CpuId,
    /// Name in traces and in deadlock reports, for example `td3/vcpu1`.
    pub name: String,
    /// The program.
    pub body: ActorBody<P>,
}

/// The program of an [`Actor`].
pub type ActorBody<P> = Box<dyn FnOnce(&<P as Platform>::Cpu) + Send>;

/// Width of a [`Words`] element: `u16`, `u32` or `u64`.
pub trait Word: Copy + Eq + Ord + core::fmt::Debug + Send + Sync + 'static {
    /// Bytes of the word.
    const BYTES: u32;
    /// Widens, zero-extended.
    fn to_u64(self) -> u64;
    /// Narrows, dropping the upper bits.
    fn from_u64(value: u64) -> Self;
}

macro_rules! word {
    ($($t:ty),*) => {$(
        impl Word for $t {
            const BYTES: u32 = <$t>::BITS / 8;
            fn to_u64(self) -> u64 {
                u64::from(self)
            }
            fn from_u64(value: u64) -> Self {
                value as Self
            }
        }
    )*};
}
word!(u16, u32, u64);

/// How a timed wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The deadline passed.
    Deadline,
    /// Another CPU called [`Platform::kick`].
    Kicked,
}

/// Kind of a bulk memory operation; the machine profile prices each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BulkKind {
    /// MOVDIR64B stores: they bypass the caches, the lines end in memory.
    DirectStore,
    /// Ordinary stores (`clear_page`): the lines end modified in the CPU's cache.
    Store,
    /// Loads over the range: lines that are not cached come from their home memory.
    Scan,
    /// 64-byte loads and MOVDIR64B stores of the same number of bytes.
    Copy,
    /// CLFLUSHOPT of each line, then a fence: dirty lines are written back.
    Flush,
}

/// A stretch of time in which the CPU cannot be interrupted or preempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// Preemption is off, interrupts are served (inside `spin_lock`).
    PreemptOff,
    /// Interrupts are off (inside `spin_lock_irqsave` and while a SEAMCALL runs).
    IrqOff,
}

/// A world: memory, CPUs, time, and a place to report what happens.
pub trait Platform: Sized + 'static {
    /// Context of an executing CPU.
    type Cpu;
    /// What set-up code allocates from, before any CPU runs.
    type Build;
    /// Handle of an array of words.
    type Words<W: Word>: Words<Self, W>;

    /// Allocates an array of words, all 0.
    fn words<W: Word>(build: &mut Self::Build, place: Place) -> Self::Words<W>;
    /// Registers a class of locks (lock_stat's word: all instances that share a name).
    fn lock_class(build: &mut Self::Build, class: LockClass) -> LockClassId;
    /// Number of CPU ids: the length of a per-CPU array.
    fn cpu_count(build: &Self::Build) -> usize;
    /// Number of NUMA nodes.
    fn node_count(build: &Self::Build) -> usize;
    /// The NUMA node of a CPU.
    fn node_of(build: &Self::Build, cpu: CpuId) -> NodeId;
    /// The world's clock.
    fn clock(build: &Self::Build) -> Clock;
    /// Adds a body that runs on CPU 0 before any [`Actor`] starts (in order of the calls), to bring
    /// strategies, module and host into their first state by their own code: its operations change
    /// values, but take no time, leave every line in memory, and are not measured, except for pairs
    /// and violations ([`Observation::Pair`], [`Observation::Violation`]).
    fn prepare(build: &mut Self::Build, body: ActorBody<Self>);

    /// The CPU that executes.
    fn cpu(cpu: &Self::Cpu) -> CpuId;
    /// Its NUMA node.
    fn node(cpu: &Self::Cpu) -> NodeId;
    /// Its local time.
    fn now(cpu: &Self::Cpu) -> Cycles;
    /// 64 random bits, from a generator seeded by (run, CPU, purpose).
    fn random(cpu: &Self::Cpu, stream: Stream) -> u64;

    /// One PAUSE instruction.
    fn pause(cpu: &Self::Cpu);
    /// Uninterruptible work of this length; touches no shared memory.
    fn work(cpu: &Self::Cpu, length: Cycles);
    /// A bulk operation on `bytes` of memory homed on `home` that no modelled word lies in
    /// (guest pages, control pages). Ranges of words have [`Words::fill`] and [`Words::scan`].
    fn bulk(cpu: &Self::Cpu, kind: BulkKind, bytes: u64, home: NodeId);
    /// Sleeps (in the guest, in a backoff, until an arrival) until `deadline` or until kicked.
    /// A kick that came before the call ends it at once.
    fn sleep_until(cpu: &Self::Cpu, deadline: Cycles) -> Wake;
    /// Interrupts `target`: ends its [`Platform::sleep_until`], or its next one.
    fn kick(cpu: &Self::Cpu, target: CpuId);

    /// Opens a [`Section`]; sections nest.
    fn enter(_cpu: &Self::Cpu, _section: Section) {}
    /// Closes the innermost section, which is of this kind.
    fn leave(_cpu: &Self::Cpu, _section: Section) {}
    /// Reports something to the run's measurement. Costs no modelled time.
    fn observe(_cpu: &Self::Cpu, _observation: Observation) {}
}

/// An array of packed words in shared memory.
///
/// Sub-word operations act on a naturally aligned part of one word (`byte` and `half` count from the
/// least significant end, as addresses do on x86). Natively they are the instruction of that width,
/// under the explorers a compare-and-swap of the whole word.
pub trait Words<P: Platform, W: Word>: Clone + Send + Sync + 'static {
    /// Number of words.
    fn len(&self) -> usize;
    /// True for an array of length 0.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Plain load.
    fn load(&self, cpu: &P::Cpu, i: usize, order: Ordering) -> W;
    /// Plain store.
    fn store(&self, cpu: &P::Cpu, i: usize, value: W, order: Ordering);
    /// XCHG; returns the old value.
    fn swap(&self, cpu: &P::Cpu, i: usize, value: W, order: Ordering) -> W;
    /// LOCK CMPXCHG.
    ///
    /// # Errors
    /// The value found, when it was not `current`.
    fn compare_exchange(
        &self,
        cpu: &P::Cpu,
        i: usize,
        current: W,
        new: W,
        success: Ordering,
        failure: Ordering,
    ) -> Result<W, W>;
    /// LOCK XADD, wrapping; returns the old value.
    fn fetch_add(&self, cpu: &P::Cpu, i: usize, value: W, order: Ordering) -> W;
    /// LOCK XADD of the negative, wrapping; returns the old value.
    fn fetch_sub(&self, cpu: &P::Cpu, i: usize, value: W, order: Ordering) -> W;
    /// Atomic OR; returns the old value.
    fn fetch_or(&self, cpu: &P::Cpu, i: usize, value: W, order: Ordering) -> W;
    /// Atomic AND; returns the old value.
    fn fetch_and(&self, cpu: &P::Cpu, i: usize, value: W, order: Ordering) -> W;

    /// Plain store of one byte.
    fn store_u8_at(&self, cpu: &P::Cpu, i: usize, byte: u32, value: u8, order: Ordering);
    /// Plain store of 16 bits.
    fn store_u16_at(&self, cpu: &P::Cpu, i: usize, half: u32, value: u16, order: Ordering);
    /// 16-bit XCHG.
    fn swap_u16_at(&self, cpu: &P::Cpu, i: usize, half: u32, value: u16, order: Ordering) -> u16;
    /// 16-bit LOCK CMPXCHG.
    ///
    /// # Errors
    /// The value found, when it was not `current`.
    fn compare_exchange_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        order: Ordering,
    ) -> Result<u16, u16>;
    /// 16-bit LOCK XADD, wrapping; returns the old value.
    fn fetch_add_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16;
    /// 16-bit atomic OR; returns the old value.
    fn fetch_or_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16;
    /// 16-bit atomic AND; returns the old value.
    fn fetch_and_u16_at(
        &self,
        cpu: &P::Cpu,
        i: usize,
        half: u32,
        value: u16,
        order: Ordering,
    ) -> u16;
    /// LOCK BTS; returns the old bit.
    fn bts(&self, cpu: &P::Cpu, i: usize, bit: u32, order: Ordering) -> bool;
    /// LOCK BTR; returns the old bit.
    fn btr(&self, cpu: &P::Cpu, i: usize, bit: u32, order: Ordering) -> bool;
    /// LOCK CMPXCHG16B that does not change the 16 bytes at word `i`: a write-intent access to the
    /// line, used where the module reads two words at once.
    fn touch_16b(&self, cpu: &P::Cpu, i: usize);
    /// PREFETCHW: asks for the line in an exclusive state without waiting for it.
    fn prefetchw(&self, cpu: &P::Cpu, i: usize);

    /// Reads the word until `until` holds, with a PAUSE between reads; returns the value that did.
    fn spin_until(&self, cpu: &P::Cpu, i: usize, until: Until, order: Ordering) -> W;
    /// The same, for at most `reads` reads.
    ///
    /// # Errors
    /// The last value read, when none satisfied `until`.
    fn spin_until_for(
        &self,
        cpu: &P::Cpu,
        i: usize,
        until: Until,
        reads: u32,
        order: Ordering,
    ) -> Result<W, W>;

    /// Writes `value` to every word of `range`, as one bulk operation of kind
    /// [`BulkKind::DirectStore`] or [`BulkKind::Store`]. `home` re-homes the range's lines (their
    /// memory was replaced: a new PAMT page pair).
    fn fill(
        &self,
        cpu: &P::Cpu,
        range: core::ops::Range<usize>,
        value: W,
        kind: BulkKind,
        home: Option<NodeId>,
    );
    /// Reads every `step`-th word of `range` as one bulk scan over all its lines; returns the first
    /// index whose word satisfies `until`. The whole range is charged up to the index found.
    fn scan(
        &self,
        cpu: &P::Cpu,
        range: core::ops::Range<usize>,
        step: usize,
        until: Until,
    ) -> Option<usize>;

    /// The value once all stores issued so far have taken effect, without cost and without effect: for checkers and
    /// set-up, never for a protocol.
    fn peek(&self, cpu: &P::Cpu, i: usize) -> W;
    /// Sets the value before any CPU runs: no cost, and no line leaves memory.
    fn poke(&self, build: &mut P::Build, i: usize, value: W);
}
