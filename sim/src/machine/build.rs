//! Setting up a simulated run, running it, and what comes out.

use core::ptr::NonNull;
use std::panic::resume_unwind;

use pamt_strategies::measure::{CpuPlace, LockClass, Measurement, Recorder, TraceSink};
use pamt_strategies::platform::{Actor, ActorBody, Until};
use pamt_strategies::units::{CpuId, Cycles};

use super::coherence::Coherence;
use super::costs::Costs;
use super::engine::{EngineCounts, Machine, Waits};
use super::fiber::{Fibers, Suspend, Switch};
use super::interrupts::Interrupts;
use super::line_book::{LineBook, word_name};
use super::profile::{Profile, ProfileError};
use super::topology::Topology;
use super::world::{Sim, SimCpu};

/// Parameters of a run beside profile and actors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimOptions {
    /// Seed of every random draw and of the CPUs' order at equal times.
    pub seed: u64,
    /// Lines with a row of their own in the [`LineBook`].
    pub line_rows: usize,
    /// Streams of interrupts; none by default.
    pub interrupts: Option<Interrupts>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self { seed: 1, line_rows: 32, interrupts: None }
    }
}

/// A machine that set-up code allocates from, before [`run`].
pub struct SimBuild {
    pub(super) machine: Box<Machine>,
    pub(super) classes: Vec<LockClass>,
    pub(super) prepare: Vec<ActorBody<Sim>>,
    options: SimOptions,
    trace: Option<Box<dyn TraceSink + Send>>,
    switch: Switch,
}

impl SimBuild {
    /// An empty machine of this profile.
    ///
    /// # Errors
    /// The profile lacks a value.
    pub fn new(profile: &Profile, options: SimOptions) -> Result<Self, ProfileError> {
        let coherence = Coherence::new(Costs::new(profile)?, profile.topology().clone());
        let machine = Box::new(Machine::new(coherence, options.seed, options.interrupts));
        let (classes, prepare, switch) = (Vec::new(), Vec::new(), Switch::default());
        Ok(Self { machine, classes, prepare, options, trace: None, switch })
    }

    /// Chooses how the host switches stacks, which no result depends on.
    pub fn switch_by(&mut self, switch: Switch) {
        self.switch = switch;
    }

    /// Hands every event of the run to `sink` as well: observations, and moves of lines between cores.
    pub fn trace_to(&mut self, sink: Box<dyn TraceSink + Send>) {
        self.trace = Some(sink);
    }
}

/// What came out of a run. Modelled: a pure function of profile, actors and seed.
#[derive(Clone, Debug)]
pub struct SimOutcome {
    /// From the start to the end of the last actor.
    pub elapsed: Cycles,
    /// Operations, locks, statuses.
    pub measurement: Measurement,
    /// Cache lines.
    pub lines: LineBook,
    /// What the engine did.
    pub engine: EngineCounts,
    /// Whether all actors ended.
    pub end: End,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All actors ended.
    Finished,
    /// The rest wait for what nobody will do.
    Deadlock(Vec<Stuck>),
}

/// A CPU in a deadlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Which.
    pub cpu: CpuId,
    /// Its actor.
    pub name: String,
    /// The wait, unless it sleeps until kicked.
    pub wait: Option<StuckWait>,
}

/// What a CPU in a deadlock spins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckWait {
    /// `object[record].field`.
    pub word: String,
    /// What the word holds.
    pub value: u64,
    /// What it waits for.
    pub until: Until,
    /// Since when.
    pub since: Cycles,
}

impl core::fmt::Display for Stuck {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CPU {} ({})", self.cpu, self.name)?;
        match &self.wait {
            Some(wait) => write!(
                f,
                " has waited since cycle {} for {} on {}, which is {:#x}",
                wait.since, wait.until, wait.word, wait.value
            ),
            None => write!(f, " sleeps and nobody kicks it"),
        }
    }
}

/// Runs the actors to their end.
///
/// # Panics
/// When an actor panics (with its payload), when two actors are on one CPU, or when an actor's CPU is
/// not there.
#[must_use]
pub fn run(build: SimBuild, actors: Vec<Actor<Sim>>) -> SimOutcome {
    let SimBuild { mut machine, classes, prepare, options, trace, switch } = build;
    let mut names = vec![None; machine.coherence.topology().cpus()];
    for actor in &actors {
        let slot = names.get_mut(usize::from(actor.cpu.0));
        let slot = slot.unwrap_or_else(|| panic!("{}: there is no CPU {}", actor.name, actor.cpu));
        if let Some(other) = slot.replace(actor.name.clone()) {
            panic!("{} and {other} are both on CPU {}", actor.name, actor.cpu);
        }
    }
    let mut recorder = Recorder::new(places(machine.coherence.topology()), &classes, None);
    if let Some(sink) = trace {
        recorder.trace_to(sink);
        machine.coherence.moves = Some(Vec::new());
    }
    machine.recorder = Some(recorder);
    let target = NonNull::from(&mut *machine);
    // From here on the machine is reached through `target` only, until all bodies are gone.
    run_prepare(target, prepare);
    let finished = run_actors(target, actors, switch);
    let end = if finished { End::Finished } else { End::Deadlock(stuck(&machine, &names)) };
    let elapsed = Cycles(machine.end());
    let mut recorder = machine.recorder.take().expect("set above and taken once");
    machine.coherence.report_moves(&mut recorder);
    SimOutcome {
        elapsed,
        measurement: recorder.finish(elapsed),
        lines: LineBook::new(&machine.coherence, options.line_rows),
        engine: machine.counts,
        end,
    }
}

/// Where the CPUs sit, for a recorder.
pub(super) fn places(topology: &Topology) -> Vec<CpuPlace> {
    let place = |cpu: usize| {
        let core = topology.core_of(CpuId(cpu as u16));
        CpuPlace { core, llc: topology.llc_of(core), node: topology.node_of(core).0 }
    };
    (0..topology.cpus()).map(place).collect()
}

fn run_prepare(machine: NonNull<Machine>, bodies: Vec<ActorBody<Sim>>) {
    let set = |preparing| {
        // SAFETY: no body runs now, so this is the only reference to the machine.
        unsafe { (*machine.as_ptr()).preparing = preparing };
    };
    set(true);
    for body in bodies {
        body(&SimCpu::new(machine, Suspend::Never, CpuId(0)));
    }
    set(false);
}

/// Runs bodies in the engine's order; false when some wait forever.
fn run_actors(machine: NonNull<Machine>, actors: Vec<Actor<Sim>>, switch: Switch) -> bool {
    // SAFETY: used between two resumptions only, when no body runs.
    let engine = || unsafe { &mut *machine.as_ptr() };
    let cpus: Vec<CpuId> = actors.iter().map(|actor| actor.cpu).collect();
    let count = engine().coherence.topology().cpus();
    let mut fibers = Fibers::new(switch, count);
    for actor in actors {
        let (cpu, body) = (actor.cpu, actor.body);
        fibers.add(cpu.0, Box::new(move |suspend| body(&SimCpu::new(machine, suspend, cpu))));
    }
    engine().start(&cpus);
    let mut running = engine().dispatch();
    let mut left = cpus.len();
    while let Some(id) = running {
        running = match fibers.resume(id) {
            None => engine().next,
            Some(Ok(())) => {
                left -= 1;
                let ended = engine().next.expect("a body that ends was chosen to run");
                engine().finish(CpuId(ended));
                engine().dispatch()
            }
            Some(Err(payload)) => {
                drop(fibers);
                resume_unwind(payload);
            }
        };
    }
    left == 0
}

fn stuck(machine: &Machine, names: &[Option<String>]) -> Vec<Stuck> {
    let memory = &machine.coherence.memory;
    let report = |(cpu, wait): (CpuId, Option<Waits>)| Stuck {
        cpu,
        name: names[usize::from(cpu.0)].clone().unwrap_or_default(),
        wait: wait.map(|Waits { at, until, since }| StuckWait {
            word: word_name(memory.object(at.object), at.addr),
            value: memory.read(at.addr, at.bytes.into()),
            until,
            since: Cycles(since),
        }),
    };
    machine.stuck().into_iter().map(report).collect()
}
