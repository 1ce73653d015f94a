//! The simulated world as a [`Platform`], and the context of a simulated CPU.

use core::ptr::NonNull;

use pamt_strategies::measure::{LockClass, LockClassId, Observation};
use pamt_strategies::platform::{
    ActorBody, BulkKind, Place, Platform, Section, Stream, Until, Wake, Word,
};
use pamt_strategies::units::{Clock, CpuId, Cycles, NodeId};

use super::build::SimBuild;
use super::bulk::FillRange;
use super::coherence::Want;
use super::cpu::At;
use super::engine::Machine;
use super::fiber::Suspend;
use super::memory::Memory;
use super::words::{Issue, SimWords, World};

/// The simulated world.
#[derive(Clone, Copy, Debug)]
pub struct Sim;

/// Context of a simulated CPU.
pub struct SimCpu {
    machine: NonNull<Machine>,
    suspend: Suspend,
    id: CpuId,
}

impl SimCpu {
    /// A context on `machine`, which must outlive it and be used by one host thread only.
    pub(super) fn new(machine: NonNull<Machine>, suspend: Suspend, id: CpuId) -> Self {
        Self { machine, suspend, id }
    }

    /// The only way to the machine: `f` runs engine code, which never calls back into a body, so that
    /// no two references to the machine exist at a time.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Machine, CpuId) -> R) -> R {
        // SAFETY: `run` keeps the machine alive until the last body has ended or is forgotten, all
        // bodies of a run share one host thread, and no reference survives a call (see above).
        let machine = unsafe { &mut *self.machine.as_ptr() };
        f(machine, self.id)
    }

    /// Leaves the host thread to the CPU that the engine has chosen.
    #[inline]
    fn suspends(&self) {
        self.suspend.suspend(self.with(|m, _| m.next));
    }

    /// Waits until it is this CPU's turn to issue an operation on shared memory.
    #[inline]
    fn turn(&self, want: Want) {
        if self.with(|m, cpu| m.yields(cpu, want)) {
            self.suspends();
        }
    }
}

impl World for Sim {
    fn memory(build: &mut SimBuild) -> &mut Memory {
        &mut build.machine.coherence.memory
    }
}

impl Issue for SimCpu {
    fn id(&self) -> CpuId {
        self.id
    }

    fn preparing(&self) -> bool {
        self.with(|m, _| m.preparing)
    }

    fn object_name(&self, object: u32) -> String {
        self.with(|m, _| m.coherence.memory.object(object).name.clone())
    }

    fn peek(&self, at: At) -> u64 {
        self.with(|m, _| m.settled(&at))
    }

    #[inline]
    fn load(&self, at: At) -> u64 {
        if at.private {
            return self.with(|m, cpu| m.load_private(cpu, &at));
        }
        if self.with(|m, cpu| m.issues_load(cpu, &at)) {
            self.suspends();
        }
        self.with(|m, cpu| m.finish_load(cpu, &at))
    }

    #[inline]
    fn store(&self, at: At, value: u64) {
        if at.private {
            return self.with(|m, cpu| m.store_private(cpu, &at, value));
        }
        self.turn(Want::Store);
        self.with(|m, cpu| m.store(cpu, &at, value));
    }

    #[inline]
    fn locked(&self, at: At, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        if self.with(|m, cpu| m.issues_locked(cpu, &at)) {
            self.suspends();
        }
        self.with(|m, cpu| m.finish_locked(cpu, &at, change))
    }

    fn spin(&self, at: At, until: Until, reads: Option<u32>) -> Result<u64, u64> {
        if self.with(|m, cpu| m.spin(cpu, at, until, reads)) {
            self.suspends();
        }
        self.with(|m, cpu| m.spun(cpu))
    }

    fn prefetchw(&self, at: At) {
        if !at.private {
            self.turn(Want::Load);
        }
        self.with(|m, cpu| m.prefetchw(cpu, &at));
    }

    fn fill(&self, range: FillRange, value: u64, kind: BulkKind) {
        self.turn(Want::Locked);
        self.with(|m, cpu| m.fill(cpu, range, value, kind));
    }

    fn scan(&self, range: FillRange, step: u64, until: Until) -> Option<u64> {
        self.turn(Want::Load);
        self.with(|m, cpu| m.scan(cpu, range, step, until))
    }
}

impl Platform for Sim {
    type Cpu = SimCpu;
    type Build = SimBuild;
    type Words<W: Word> = SimWords<W>;

    fn words<W: Word>(build: &mut SimBuild, place: Place) -> SimWords<W> {
        let coherence = &mut build.machine.coherence;
        coherence.cold.push(Default::default());
        coherence.handed.push(Default::default());
        SimWords::place_in(&mut coherence.memory, &place)
    }

    fn lock_class(build: &mut SimBuild, class: LockClass) -> LockClassId {
        build.classes.push(class);
        LockClassId(build.classes.len() as u16 - 1)
    }

    fn cpu_count(build: &SimBuild) -> usize {
        build.machine.coherence.topology().cpus()
    }

    fn node_count(build: &SimBuild) -> usize {
        build.machine.coherence.topology().nodes()
    }

    fn node_of(build: &SimBuild, cpu: CpuId) -> NodeId {
        let topology = build.machine.coherence.topology();
        topology.node_of(topology.core_of(cpu))
    }

    fn clock(build: &SimBuild) -> Clock {
        build.machine.coherence.costs.clock
    }

    fn prepare(build: &mut SimBuild, body: ActorBody<Self>) {
        build.prepare.push(body);
    }

    fn cpu(cpu: &SimCpu) -> CpuId {
        cpu.id
    }

    fn node(cpu: &SimCpu) -> NodeId {
        cpu.with(|m, cpu| m.node(cpu))
    }

    fn now(cpu: &SimCpu) -> Cycles {
        Cycles(cpu.with(|m, cpu| m.now(cpu)))
    }

    fn random(cpu: &SimCpu, stream: Stream) -> u64 {
        cpu.with(|m, cpu| m.random(cpu, stream))
    }

    fn pause(cpu: &SimCpu) {
        cpu.with(|m, cpu| m.pause(cpu));
    }

    fn work(cpu: &SimCpu, length: Cycles) {
        cpu.with(|m, cpu| m.work(cpu, length));
    }

    fn bulk(cpu: &SimCpu, kind: BulkKind, bytes: u64, home: NodeId) {
        cpu.turn(Want::Locked);
        cpu.with(|m, cpu| m.bulk(cpu, kind, bytes, home));
    }

    fn sleep_until(cpu: &SimCpu, deadline: Cycles) -> Wake {
        if cpu.with(|m, cpu| m.sleep(cpu, deadline.0)) {
            cpu.suspends();
        }
        cpu.with(|m, cpu| m.woken(cpu))
    }

    fn kick(cpu: &SimCpu, target: CpuId) {
        cpu.turn(Want::Locked);
        cpu.with(|m, cpu| m.kick(cpu, target));
    }

    fn enter(cpu: &SimCpu, section: Section) {
        cpu.with(|m, cpu| m.enter(cpu, section));
    }

    fn leave(cpu: &SimCpu, section: Section) {
        cpu.with(|m, cpu| m.leave(cpu, section));
    }

    #[inline(always)]
    fn observe(cpu: &SimCpu, observation: Observation) {
        cpu.with(|m, cpu| m.observe(cpu, observation));
    }
}
