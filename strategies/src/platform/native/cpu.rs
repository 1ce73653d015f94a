//! The context of a thread, and the Platform over it.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use super::favours::HUGE_PAGES_REMEDY;
use super::host_clock::HostClock;
use super::run::{BulkCosts, NativeBuild};
use super::words::NativeWords;
use crate::measure::{LockClass, LockClassId, Observation, Op, Recorder};
use crate::platform::{ActorBody, BulkKind, Draws, Place, Platform, Stream, Wake, Word};
use crate::units::{Clock, CpuId, Cycles, LINE_BYTES, NodeId, Ns};

/// A wait longer than this sleeps in the kernel until so much is left.
const SPIN_WAIT: Ns = Ns(100_000);

/// The native world.
pub enum Native {}

/// What all threads of a run share.
pub(super) struct Shared {
    pub(super) clock: HostClock,
    pub(super) rate: Clock,
    /// Raw clock value of time 0, set when the last thread is ready.
    pub(super) origin: OnceLock<u64>,
    /// A thread has panicked: nobody may wait for it.
    pub(super) aborted: AtomicBool,
    pub(super) oversubscribed: bool,
    pub(super) mailboxes: Vec<Mailbox>,
    pub(super) bulk: BulkCosts,
    /// Somebody wants an end.
    pub(super) cut: Option<Arc<AtomicBool>>,
}

/// Where a CPU's kicks arrive.
#[derive(Default)]
pub(super) struct Mailbox {
    kicked: AtomicBool,
    pub(super) thread: OnceLock<Thread>,
}

/// What a thread unwinds with when another one has panicked.
pub(super) struct Aborted;

/// What a thread unwinds with when somebody wants an end.
pub(super) struct Cut;

/// Context of a thread that stands for a CPU.
pub struct NativeCpu {
    pub(super) id: CpuId,
    pub(super) node: NodeId,
    pub(super) shared: Arc<Shared>,
    pub(super) random: RefCell<Draws>,
    pub(super) recorder: Option<RefCell<Recorder>>,
    /// Time 0, copied from `shared` once it is known.
    pub(super) origin: Cell<u64>,
    /// Before the run proper: nothing takes time, and little is recorded.
    pub(super) preparing: bool,
}

impl NativeCpu {
    /// Unwinds if somebody wants an end. What locks it holds stays held: everyone who waits for them
    /// ends, too.
    fn check_cut(&self) {
        let cut = self.shared.cut.as_ref().is_some_and(|cut| cut.load(Ordering::Relaxed));
        if cut && !self.preparing && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new(Cut));
        }
    }

    /// Unwinds if another thread has panicked; lets another thread run if there are too many.
    pub(super) fn check_others(&self) {
        self.check_cut();
        if self.shared.aborted.load(Ordering::Relaxed) && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new(Aborted));
        }
        if self.shared.oversubscribed {
            std::thread::yield_now();
        }
    }

    pub(super) fn bulk_cost(&self, kind: BulkKind, bytes: u64) -> Cycles {
        let lines = bytes.div_ceil(LINE_BYTES) as f64;
        self.shared.rate.cycles(lines * self.shared.bulk.ns_per_line(kind))
    }

    /// Spins on the clock, as a CPU does that executes a SEAMCALL.
    pub(super) fn until(&self, end: Cycles) {
        while !self.preparing && Native::now(self) < end {
            core::hint::spin_loop();
        }
    }

    /// An end of a span: most of what is recorded, so as short as it can be.
    fn span(&self, end: fn(&mut Recorder, CpuId, Cycles, Op), op: Op) {
        if let (Some(recorder), false) = (&self.recorder, self.preparing) {
            end(&mut recorder.borrow_mut(), self.id, Native::now(self), op);
        }
    }

    fn observe(&self, observation: Observation) {
        let wanted = match observation {
            // Threads have no common order to tell a history in, and it would cost time.
            Observation::Chronicle(..) => false,
            Observation::Pair { .. } | Observation::Violation(_) => true,
            _ => !self.preparing,
        };
        if let (Some(recorder), true) = (&self.recorder, wanted) {
            recorder.borrow_mut().observe(self.id, Native::now(self), observation);
        }
    }

    fn mailbox(&self, cpu: CpuId) -> &Mailbox {
        &self.shared.mailboxes[usize::from(cpu.0)]
    }
}

impl Platform for Native {
    type Cpu = NativeCpu;
    type Build = NativeBuild;
    type Words<W: Word> = NativeWords<W>;

    fn words<W: Word>(build: &mut NativeBuild, place: Place) -> NativeWords<W> {
        let words = NativeWords::new(&place);
        if build.huge_pages()
            && let Err(why) = words.ask_for_huge_pages()
        {
            build.note_refusal(format!("huge pages were refused ({why}): {HUGE_PAGES_REMEDY}"));
        }
        words
    }

    fn lock_class(build: &mut NativeBuild, class: LockClass) -> LockClassId {
        build.add_class(class)
    }

    fn cpu_count(build: &NativeBuild) -> usize {
        build.cpus()
    }

    fn node_count(build: &NativeBuild) -> usize {
        build.nodes()
    }

    fn node_of(build: &NativeBuild, cpu: CpuId) -> NodeId {
        NodeId(build.host_cpu(cpu).place.node)
    }

    fn clock(build: &NativeBuild) -> Clock {
        build.clock()
    }

    fn prepare(build: &mut NativeBuild, body: ActorBody<Self>) {
        build.add_preparation(body);
    }

    fn cpu(cpu: &NativeCpu) -> CpuId {
        cpu.id
    }

    fn node(cpu: &NativeCpu) -> NodeId {
        cpu.node
    }

    fn now(cpu: &NativeCpu) -> Cycles {
        // Threads on other sockets may read a time stamp that is a few ticks behind.
        Cycles(cpu.shared.clock.raw().saturating_sub(cpu.origin.get()))
    }

    fn random(cpu: &NativeCpu, stream: Stream) -> u64 {
        cpu.random.borrow_mut().next(stream)
    }

    fn pause(cpu: &NativeCpu) {
        core::hint::spin_loop();
        cpu.check_others();
    }

    fn work(cpu: &NativeCpu, length: Cycles) {
        cpu.check_cut();
        cpu.until(Self::now(cpu) + length);
    }

    fn bulk(cpu: &NativeCpu, kind: BulkKind, bytes: u64, _home: NodeId) {
        Self::work(cpu, cpu.bulk_cost(kind, bytes));
    }

    fn sleep_until(cpu: &NativeCpu, deadline: Cycles) -> Wake {
        let mailbox = cpu.mailbox(cpu.id);
        loop {
            if mailbox.kicked.swap(false, Ordering::AcqRel) {
                return Wake::Kicked;
            }
            let now = Self::now(cpu);
            if now >= deadline || cpu.preparing {
                return Wake::Deadline;
            }
            let left = cpu.shared.rate.ns(deadline - now);
            if left > SPIN_WAIT {
                std::thread::park_timeout(Duration::from_nanos(left.0 - SPIN_WAIT.0));
            } else {
                core::hint::spin_loop();
            }
            cpu.check_others();
        }
    }

    fn kick(cpu: &NativeCpu, target: CpuId) {
        let mailbox = cpu.mailbox(target);
        mailbox.kicked.store(true, Ordering::Release);
        if let Some(thread) = mailbox.thread.get() {
            thread.unpark();
        }
    }

    /// Always inlined: which observation it is, is known where it is said, and the ends of a span take
    /// the short way of [`NativeCpu::span`].
    #[inline(always)]
    fn observe(cpu: &NativeCpu, observation: Observation) {
        match observation {
            Observation::Begin(op) => cpu.span(Recorder::begin, op),
            Observation::End(op) => cpu.span(Recorder::end, op),
            other => cpu.observe(other),
        }
    }
}
