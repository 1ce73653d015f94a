//! The reference engine: the same machine, written to be read and not to be fast.
//!
//! It runs the same actors on the same costs, and the engine proper must give the same bytes: every
//! clock, every value, every counter. What it does without is what makes the engine fast, and so what
//! could make it wrong:
//!
//! | engine | reference |
//! |---|---|
//! | a CPU runs ahead while nothing earlier is pending | every operation is an event in a sorted set |
//! | packed line words, records, bit sets of sharers | one struct a line, in maps and sets |
//! | tables of distances | the topology asked each time |
//! | lists of waiters | a look at every CPU |
//! | counters, folded on the fly | a log of all accesses, counted at the end |
//!
//! Shared are the costs, the names and homes of arrays, the seeds, the stacks and the recorder of
//! observations. Bulk work and the retirement of cold records (from 65,536 lines on) have tests of
//! their own and are not in it.

mod lines;
mod machine;
mod programs;
mod report;
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use pamt_strategies::measure::{LockClass, LockClassId, Measurement, Observation, Recorder};
use pamt_strategies::platform::{
    Actor, ActorBody, BulkKind, Place, Platform, Section, Stream, Until, Wake, Word,
};
use pamt_strategies::units::{Clock, CpuId, Cycles, NodeId};

use super::bulk::FillRange;
use super::coherence::Want;
use super::costs::Costs;
use super::cpu::At;
use super::fiber::{Fibers, Suspend, Switch};
use super::line_book::{LineRow, ObjectRow};
use super::memory::Memory;
use super::profile::Profile;
use super::topology::Topology;
use super::words::{Issue, SimWords, World};
use lines::Lines;
use machine::Machine;

/// The reference's world.
#[derive(Clone, Copy, Debug)]
struct Reference;

struct Build {
    costs: Costs,
    topology: Topology,
    seed: u64,
    memory: Memory,
    classes: Vec<LockClass>,
    prepare: Vec<ActorBody<Reference>>,
}

struct RefCpu {
    machine: Rc<RefCell<Machine>>,
    suspend: Suspend,
    id: CpuId,
}

/// What the engine must give too.
struct Outcome {
    elapsed: u64,
    operations: u64,
    finished: bool,
    measurement: Measurement,
    objects: Vec<ObjectRow>,
    lines: Vec<LineRow>,
}

impl Build {
    fn new(profile: &Profile, seed: u64) -> Self {
        Self {
            costs: Costs::new(profile).expect("complete profile"),
            topology: profile.topology().clone(),
            seed,
            memory: Memory::default(),
            classes: Vec::new(),
            prepare: Vec::new(),
        }
    }
}

fn run(build: Build, actors: Vec<Actor<Reference>>, line_rows: usize) -> Outcome {
    let cpus: Vec<CpuId> = actors.iter().map(|actor| actor.cpu).collect();
    let core = |cpu: &CpuId| build.topology.core_of(*cpu);
    let active: std::collections::BTreeSet<u16> = cpus.iter().map(core).collect();
    let recorder = Recorder::new(super::build::places(&build.topology), &build.classes, None);
    let lines = Lines::new(build.costs, build.topology, active.len());
    let machine = Machine::new(lines, build.memory, recorder, build.seed);
    let machine = Rc::new(RefCell::new(machine));
    for body in build.prepare {
        let suspend = Suspend::Never;
        body(&RefCpu { machine: machine.clone(), suspend, id: CpuId(0) });
    }
    let mut fibers = Fibers::new(Switch::ByLoop, machine.borrow().lines.topology.cpus());
    for actor in actors {
        let (machine, id, body) = (machine.clone(), actor.cpu, actor.body);
        fibers.add(id.0, Box::new(move |suspend| body(&RefCpu { machine, suspend, id })));
    }
    machine.borrow_mut().start(&cpus);
    loop {
        let Some(next) = machine.borrow_mut().next() else { break };
        match fibers.resume(next.0) {
            None => {}
            Some(Ok(())) => machine.borrow_mut().finish(next),
            Some(Err(payload)) => std::panic::resume_unwind(payload),
        }
    }
    outcome(&machine, line_rows)
}

fn outcome(machine: &RefCell<Machine>, line_rows: usize) -> Outcome {
    let empty = Recorder::new(Vec::new(), &[], None);
    let recorder = std::mem::replace(&mut machine.borrow_mut().recorder, empty);
    let machine = machine.borrow();
    let (objects, lines) = report::of(&machine.lines, &machine.memory, line_rows);
    Outcome {
        elapsed: machine.end(),
        operations: machine.operations,
        finished: machine.all_done(),
        measurement: recorder.finish(Cycles(machine.end())),
        objects,
        lines,
    }
}

impl RefCpu {
    fn with<R>(&self, f: impl FnOnce(&mut Machine, CpuId) -> R) -> R {
        f(&mut self.machine.borrow_mut(), self.id)
    }

    /// Waits for the turn to issue an operation; false for set-up code, which has none.
    fn turn(&self, want: Want) -> bool {
        let preparing = self.preparing();
        if !preparing {
            self.with(|m, cpu| m.turn(cpu, want));
            self.suspend.suspend(None);
        }
        !preparing
    }

    fn pass(&self) {
        self.with(|m, cpu| m.pass(cpu));
        self.suspend.suspend(None);
    }

    fn wait(&self, must: bool) {
        if must {
            self.suspend.suspend(None);
        }
    }

    /// An access to a word of the CPU's own.
    fn private(&self, at: At, want: Want) {
        if !self.preparing() {
            self.with(|m, cpu| m.private(cpu, at, want));
        }
    }
}

impl Issue for RefCpu {
    fn id(&self) -> CpuId {
        self.id
    }

    fn preparing(&self) -> bool {
        self.with(|m, _| m.preparing)
    }

    fn object_name(&self, object: u32) -> String {
        self.with(|m, _| m.memory.object(object).name.clone())
    }

    fn peek(&self, at: At) -> u64 {
        self.with(|m, _| m.settled(at))
    }

    fn load(&self, at: At) -> u64 {
        if at.private {
            self.private(at, Want::Load);
        } else if self.turn(Want::Load) {
            if self.with(|m, cpu| m.issue_load(cpu, at)) {
                self.pass();
            }
            return self.with(|m, cpu| m.finish_load(cpu, at));
        }
        self.with(|m, _| m.read(at))
    }

    fn store(&self, at: At, value: u64) {
        if at.private {
            self.private(at, Want::Store);
        } else if self.turn(Want::Store) {
            return self.with(|m, cpu| m.store(cpu, at, value));
        }
        self.with(|m, _| m.write(at, value));
    }

    fn locked(&self, at: At, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        let shared = !at.private && self.turn(Want::Locked);
        if shared && self.with(|m, cpu| m.issue_locked(cpu, at)) {
            self.pass();
        }
        let old = self.with(|m, _| m.read(at));
        let new = change(old);
        if shared {
            self.with(|m, cpu| m.finish_locked(cpu, at, new));
            return old;
        }
        if at.private {
            self.private(at, Want::Locked);
        }
        if let Some(new) = new {
            self.with(|m, _| m.write(at, new));
        }
        old
    }

    fn prefetchw(&self, at: At) {
        if !at.private && self.turn(Want::Load) {
            self.with(|m, cpu| m.prefetchw(cpu, at));
        }
    }

    fn spin(&self, at: At, until: Until, reads: Option<u32>) -> Result<u64, u64> {
        if !self.turn(Want::Load) {
            let value = self.with(|m, _| m.read(at));
            return if until.holds(value) { Ok(value) } else { Err(value) };
        }
        self.wait(self.with(|m, cpu| m.spin(cpu, at, until, reads)));
        self.with(|m, cpu| m.spun(cpu))
    }

    fn fill(&self, _range: FillRange, _value: u64, _kind: BulkKind) {
        panic!("the reference has no bulk work");
    }

    fn scan(&self, _range: FillRange, _step: u64, _until: Until) -> Option<u64> {
        panic!("the reference has no bulk work");
    }
}

impl World for Reference {
    fn memory(build: &mut Build) -> &mut Memory {
        &mut build.memory
    }
}

impl Platform for Reference {
    type Cpu = RefCpu;
    type Build = Build;
    type Words<W: Word> = SimWords<W, Self>;

    fn words<W: Word>(build: &mut Build, place: Place) -> SimWords<W, Self> {
        SimWords::place_in(&mut build.memory, &place)
    }

    fn lock_class(build: &mut Build, class: LockClass) -> LockClassId {
        build.classes.push(class);
        LockClassId(build.classes.len() as u16 - 1)
    }

    fn cpu_count(build: &Build) -> usize {
        build.topology.cpus()
    }

    fn node_count(build: &Build) -> usize {
        build.topology.nodes()
    }

    fn node_of(build: &Build, cpu: CpuId) -> NodeId {
        build.topology.node_of(build.topology.core_of(cpu))
    }

    fn clock(build: &Build) -> Clock {
        build.costs.clock
    }

    fn prepare(build: &mut Build, body: ActorBody<Self>) {
        build.prepare.push(body);
    }

    fn cpu(cpu: &RefCpu) -> CpuId {
        cpu.id
    }

    fn node(cpu: &RefCpu) -> NodeId {
        cpu.with(|m, id| m.lines.topology.node_of(m.lines.topology.core_of(id)))
    }

    fn now(cpu: &RefCpu) -> Cycles {
        Cycles(cpu.with(Machine::now))
    }

    fn random(cpu: &RefCpu, stream: Stream) -> u64 {
        cpu.with(|m, id| m.random(id, stream))
    }

    fn pause(cpu: &RefCpu) {
        if !cpu.preparing() {
            cpu.with(Machine::pause);
        }
    }

    fn work(cpu: &RefCpu, length: Cycles) {
        if !cpu.preparing() {
            cpu.with(|m, id| m.work(id, length.0));
        }
    }

    fn bulk(_cpu: &RefCpu, _kind: BulkKind, _bytes: u64, _home: NodeId) {
        panic!("the reference has no bulk work");
    }

    fn sleep_until(cpu: &RefCpu, deadline: Cycles) -> Wake {
        if !cpu.preparing() {
            cpu.wait(cpu.with(|m, id| m.sleep(id, deadline.0)));
        }
        cpu.with(Machine::woken)
    }

    fn kick(cpu: &RefCpu, target: CpuId) {
        if cpu.turn(Want::Locked) {
            cpu.with(|m, id| m.kick(id, target));
        }
    }

    fn enter(cpu: &RefCpu, section: Section) {
        if !cpu.preparing() {
            cpu.with(|m, id| m.enter(id, section));
        }
    }

    fn leave(cpu: &RefCpu, section: Section) {
        if !cpu.preparing() {
            cpu.with(|m, id| m.leave(id, section));
        }
    }

    fn observe(cpu: &RefCpu, observation: Observation) {
        let outlasts = matches!(observation, Observation::Pair { .. } | Observation::Violation(_));
        if !cpu.preparing() || outlasts {
            cpu.with(|m, id| m.observe(id, observation));
        }
    }
}
