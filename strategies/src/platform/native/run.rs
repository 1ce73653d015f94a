//! Set-up of a native run, and the run itself.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use super::cpu::{Aborted, Cut, Mailbox, Native, NativeCpu, Shared};
use super::favours::{self, Favours};
use super::host::{HostCpu, host_cpus};
use super::host_clock::HostClock;
use crate::measure::{CpuPlace, HolderBoard, LockClass, LockClassId, Measurement, Recorder};
use crate::platform::{Actor, ActorBody, BulkKind, Draws, Platform};
use crate::units::{Clock, CpuId, Cycles, NodeId, Ns};

/// Nanoseconds a line of each bulk operation: delays that stand for what this host cannot do.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each field is the bulk kind of its name")]
pub struct BulkCosts {
    pub direct_store_ns: f64,
    pub store_ns: f64,
    pub scan_ns: f64,
    pub copy_ns: f64,
    pub flush_ns: f64,
}

impl BulkCosts {
    /// No delays at all: only what the operations themselves cost.
    pub const FREE: Self =
        Self { direct_store_ns: 0.0, store_ns: 0.0, scan_ns: 0.0, copy_ns: 0.0, flush_ns: 0.0 };

    /// Nanoseconds a line.
    #[must_use]
    pub fn ns_per_line(&self, kind: BulkKind) -> f64 {
        match kind {
            BulkKind::DirectStore => self.direct_store_ns,
            BulkKind::Store => self.store_ns,
            BulkKind::Scan => self.scan_ns,
            BulkKind::Copy => self.copy_ns,
            BulkKind::Flush => self.flush_ns,
        }
    }
}

/// Choices of a native run.
#[derive(Clone, Debug)]
pub struct NativeOptions {
    /// Number of CPU ids that actors may use; more than the host's CPUs oversubscribes.
    pub cpus: usize,
    /// Host CPU numbers in the order in which CPU ids are pinned to them, starting over when they
    /// run out. Empty: every CPU that the process may run on, in order of their number.
    pub pin: Vec<usize>,
    /// Seed of [`Platform::random`].
    pub seed: u64,
    /// Delays of bulk operations.
    pub bulk: BulkCosts,
    /// Whether observations are recorded. Recording costs tens of nanoseconds each; a lock
    /// microbenchmark that only wants the wall time goes without.
    pub record: bool,
    /// What to ask the host for.
    pub favours: Favours,
    /// When it is set, every thread ends at its next wait or piece of work; the outcome says so.
    pub cut: Option<Arc<AtomicBool>>,
}

impl NativeOptions {
    /// `cpus` CPU ids, pinned in order, recorded, without delays.
    #[must_use]
    pub fn new(cpus: usize, seed: u64) -> Self {
        Self {
            cpus,
            pin: Vec::new(),
            seed,
            bulk: BulkCosts::FREE,
            record: true,
            favours: Favours::default(),
            cut: None,
        }
    }
}

/// Why a native run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// A host CPU that the process may not run on.
    #[error("CPU {number} is not among the CPUs this process may run on ({allowed}); pin to those")]
    Pin {
        /// As asked for.
        number: usize,
        /// The CPUs that it may run on.
        allowed: String,
    },
    /// A thread could not be started.
    #[error("thread for {actor} could not be started: {source}; use fewer CPUs or raise the limit")]
    Spawn {
        /// Name of its actor.
        actor: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A thread panicked.
    #[error("{actor} panicked: {message}")]
    Panicked {
        /// Name of its actor.
        actor: String,
        /// What the panic said.
        message: String,
    },
}

/// What set-up code of the native world allocates from.
pub struct NativeBuild {
    setup: Setup,
    preparations: Vec<ActorBody<Native>>,
}

/// The part of it that threads look at.
struct Setup {
    options: NativeOptions,
    host: Vec<HostCpu>,
    allowed: usize,
    classes: Vec<LockClass>,
    clock: HostClock,
    rate: Clock,
    refused: BTreeSet<String>,
}

impl NativeBuild {
    /// Reads the host's topology and calibrates its clock (the time stamp counter where that is
    /// invariant, else the system's monotonic clock; some 10 to 200 ms once a process).
    ///
    /// # Errors
    /// A CPU to pin to that the process may not run on.
    pub fn new(options: NativeOptions) -> Result<Self, NativeError> {
        let allowed = host_cpus();
        let wanted = options.pin.iter().map(|number| {
            allowed.iter().find(|cpu| cpu.number == *number).copied().ok_or_else(|| {
                let list: Vec<_> = allowed.iter().map(|cpu| cpu.number.to_string()).collect();
                NativeError::Pin { number: *number, allowed: list.join(",") }
            })
        });
        let pinned: Vec<_> = wanted.collect::<Result<_, _>>()?;
        let host = if pinned.is_empty() { allowed.clone() } else { pinned };
        let clock = HostClock::new();
        // A long stretch of ticks, so that rounding to whole nanoseconds does not matter.
        let ticks = 1 << 40;
        let rate = Clock::new(ticks as f64 / clock.delta_as_nanos(0, ticks) as f64);
        let (classes, allowed) = (Vec::new(), allowed.len());
        let setup =
            Setup { options, host, allowed, classes, clock, rate, refused: BTreeSet::new() };
        Ok(Self { setup, preparations: Vec::new() })
    }

    /// Whether arrays should ask for huge pages.
    pub(super) fn huge_pages(&self) -> bool {
        self.setup.options.favours.huge_pages
    }

    pub(super) fn note_refusal(&mut self, refusal: String) {
        self.setup.refused.insert(refusal);
    }

    pub(super) fn add_class(&mut self, class: LockClass) -> LockClassId {
        self.setup.classes.push(class);
        LockClassId((self.setup.classes.len() - 1) as u16)
    }

    pub(super) fn add_preparation(&mut self, body: ActorBody<Native>) {
        self.preparations.push(body);
    }

    pub(super) fn cpus(&self) -> usize {
        self.setup.options.cpus
    }

    pub(super) fn nodes(&self) -> usize {
        let nodes = self.setup.host.iter().map(|cpu| usize::from(cpu.place.node) + 1);
        nodes.max().unwrap_or(1)
    }

    /// The host CPU that a CPU id is pinned to.
    #[must_use]
    pub fn host_cpu(&self, cpu: CpuId) -> HostCpu {
        self.setup.host_cpu(cpu)
    }

    pub(super) fn clock(&self) -> Clock {
        self.setup.rate
    }
}

impl Setup {
    fn host_cpu(&self, cpu: CpuId) -> HostCpu {
        self.host[usize::from(cpu.0) % self.host.len()]
    }

    /// Distinct host CPUs in use.
    fn host_cpus_used(&self) -> usize {
        let mut numbers: Vec<_> = self.host.iter().map(|cpu| cpu.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len().min(self.allowed)
    }
}

/// A finished native run.
#[derive(Debug)]
pub struct NativeOutcome {
    /// From the moment when all threads were ready until the last one ended.
    pub elapsed: Cycles,
    /// The same in nanoseconds.
    pub elapsed_ns: Ns,
    /// What was observed, all threads together; times in cycles of `clock`.
    pub measurement: Measurement,
    /// The clock.
    pub clock: Clock,
    /// More threads than host CPUs: waiting threads yielded, times include the scheduler's.
    pub oversubscribed: bool,
    /// What was asked for and not given, with the way to be allowed it.
    pub refused: BTreeSet<String>,
    /// [`NativeOptions::cut`] ended a thread before its work was done.
    pub cut: bool,
}

/// What a thread brings back.
struct Part {
    end: Cycles,
    measurement: Measurement,
    refused: Vec<String>,
    cut: bool,
}

/// Runs all actors at once, each on a thread pinned to its CPU, and waits for all of them.
///
/// # Errors
/// A thread that could not be started, or one that panicked: the others then end, too, at their next
/// wait.
pub fn run(build: NativeBuild, actors: Vec<Actor<Native>>) -> Result<NativeOutcome, NativeError> {
    let NativeBuild { setup: build, preparations } = build;
    let board = Arc::new(HolderBoard::new(&build.classes));
    let shared = Arc::new(Shared {
        clock: build.clock.clone(),
        rate: build.rate,
        origin: OnceLock::new(),
        aborted: AtomicBool::new(false),
        oversubscribed: actors.len() > build.host_cpus_used(),
        mailboxes: (0..build.options.cpus).map(|_| Mailbox::default()).collect(),
        bulk: build.options.bulk,
        cut: build.options.cut.clone(),
    });
    let gate = Gate { ready: AtomicUsize::new(0), threads: actors.len() };
    let mut outcome = NativeOutcome {
        elapsed: Cycles(0),
        elapsed_ns: Ns(0),
        measurement: Measurement::default(),
        clock: build.rate,
        oversubscribed: shared.oversubscribed,
        refused: build.refused.clone(),
        cut: false,
    };
    let mut failures = Vec::new();
    if !preparations.is_empty() {
        outcome.measurement = prepare(&build, &shared, &board, preparations)?;
    }
    std::thread::scope(|scope| {
        let (build, gate) = (&build, &gate);
        let mut threads = Vec::with_capacity(actors.len());
        for actor in actors {
            let (shared, board) = (Arc::clone(&shared), Arc::clone(&board));
            let name = actor.name.clone();
            let thread = std::thread::Builder::new()
                .name(name.clone())
                .spawn_scoped(scope, move || thread_main(build, gate, shared, board, actor));
            match thread {
                Ok(thread) => threads.push((name, thread)),
                Err(source) => {
                    failures.push(NativeError::Spawn { actor: name, source });
                    break;
                }
            }
        }
        if !failures.is_empty() {
            shared.aborted.store(true, Ordering::Release);
        }
        for (actor, thread) in threads {
            // A thread's own panic is caught inside it; joining fails only if the catching did.
            match thread.join().unwrap_or_else(|payload| Err(Some(message(&*payload)))) {
                Ok(part) => outcome.add(part),
                Err(Some(message)) => failures.push(NativeError::Panicked { actor, message }),
                Err(None) => {}
            }
        }
    });
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(outcome),
    }
}

impl NativeOutcome {
    fn add(&mut self, part: Part) {
        self.elapsed = self.elapsed.max(part.end);
        self.elapsed_ns = self.clock.ns(self.elapsed);
        self.measurement.merge(part.measurement);
        self.refused.extend(part.refused);
        self.cut |= part.cut;
    }
}

/// Holds all threads back until the last one is ready.
struct Gate {
    ready: AtomicUsize,
    threads: usize,
}

impl Gate {
    fn pass(&self, cpu: &NativeCpu) {
        if self.ready.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            let now = cpu.shared.clock.raw();
            cpu.shared.origin.get_or_init(|| now);
        }
        loop {
            if let Some(origin) = cpu.shared.origin.get() {
                cpu.origin.set(*origin);
                return;
            }
            core::hint::spin_loop();
            cpu.check_others();
        }
    }
}

/// Context of CPU `id`, its clock not started yet.
fn context(build: &Setup, shared: &Arc<Shared>, board: &Arc<HolderBoard>, id: CpuId) -> NativeCpu {
    let place = |cpu| build.host_cpu(CpuId(cpu as u16)).place;
    let recorder = build.options.record.then(|| {
        let places: Vec<CpuPlace> = (0..build.options.cpus).map(place).collect();
        RefCell::new(Recorder::new(places, &build.classes, Some(Arc::clone(board))))
    });
    NativeCpu {
        id,
        node: NodeId(build.host_cpu(id).place.node),
        shared: Arc::clone(shared),
        random: RefCell::new(Draws::new(build.options.seed, id)),
        recorder,
        origin: Cell::new(0),
        preparing: false,
    }
}

/// Runs what comes before the run, as CPU 0.
fn prepare(
    build: &Setup,
    shared: &Arc<Shared>,
    board: &Arc<HolderBoard>,
    preparations: Vec<ActorBody<Native>>,
) -> Result<Measurement, NativeError> {
    let cpu = NativeCpu { preparing: true, ..context(build, shared, board, CpuId(0)) };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        for body in preparations {
            body(&cpu);
        }
    }));
    match ran {
        Ok(()) => Ok(measured(cpu, Cycles(0))),
        Err(payload) => {
            let actor = "preparation".into();
            Err(NativeError::Panicked { actor, message: message(&*payload) })
        }
    }
}

fn measured(cpu: NativeCpu, end: Cycles) -> Measurement {
    cpu.recorder.map(|recorder| recorder.into_inner().finish(end)).unwrap_or_default()
}

/// Keeps the calling thread on a CPU; where the host refuses, it goes where the scheduler puts it.
fn pin(cpu: usize) -> Result<(), String> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).map_err(|why| {
        format!(
            "a thread could not be pinned to its CPU ({why}), and ran where the scheduler put it: allow the \
             process its CPUs (taskset, cpusets) and sched_setaffinity (seccomp)"
        )
    })
}

/// The error is the message of a panic, or none when the thread gave up because of another's.
fn thread_main(
    build: &Setup,
    gate: &Gate,
    shared: Arc<Shared>,
    board: Arc<HolderBoard>,
    actor: Actor<Native>,
) -> Result<Part, Option<String>> {
    let host = build.host_cpu(actor.cpu);
    let pinned = pin(host.number);
    let realtime = build.options.favours.realtime.then(favours::realtime).and_then(Result::err);
    let realtime = realtime
        .map(|why| format!("real-time priority was refused ({why}): {}", favours::REALTIME_REMEDY));
    let refused = pinned.err().into_iter().chain(realtime).collect();
    // The mailbox's thread is set once: two actors of one CPU would share it.
    let _ = shared.mailboxes[usize::from(actor.cpu.0)].thread.set(std::thread::current());
    let cpu = context(build, &shared, &board, actor.cpu);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        gate.pass(&cpu);
        (actor.body)(&cpu);
    }));
    let cut = ran.as_ref().is_err_and(|payload| payload.is::<Cut>());
    if let (Err(payload), false) = (ran, cut) {
        shared.aborted.store(true, Ordering::Release);
        return Err((!payload.is::<Aborted>()).then(|| message(&*payload)));
    }
    let end = Native::now(&cpu);
    Ok(Part { end, measurement: measured(cpu, end), refused, cut })
}

fn message(payload: &(dyn core::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_be_pinned_says_how_to_allow_it() {
        // The last CPU that a set can name; no host of these tests has so many.
        let refused = std::thread::spawn(|| pin(rustix::thread::CpuSet::MAX_CPU - 1)).join();
        let why = refused.expect("no panic").expect_err("there is no such CPU");
        assert!(why.contains("could not be pinned") && why.contains("cpusets"), "{why}");
    }
}
