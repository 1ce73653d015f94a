//! The simulated world as a [`Platform`]: handles of words, and the context of a simulated CPU.

use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::NonNull;

use pamt_strategies::measure::{LockClass, LockClassId, Observation};
use pamt_strategies::platform::{
    ActorBody, BulkKind, Ordering, Place, Platform, Section, Sharing, Until, Wake, Word, Words,
};
use pamt_strategies::units::{Clock, CpuId, Cycles, NodeId};

use super::build::SimBuild;
use super::bulk::FillRange;
use super::coherence::Want;
use super::engine::{At, Machine};
use super::fiber::Suspend;

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
    fn with<R>(&self, f: impl FnOnce(&mut Machine, CpuId) -> R) -> R {
        // SAFETY: `run` keeps the machine alive until the last body has ended or is forgotten, all
        // bodies of a run share one host thread, and no reference survives a call (see above).
        let machine = unsafe { &mut *self.machine.as_ptr() };
        f(machine, self.id)
    }

    /// Waits until it is this CPU's turn to issue an operation on shared memory.
    fn turn(&self, want: Want) {
        if self.with(|m, cpu| m.yields(cpu, want)) {
            self.suspend.suspend();
        }
    }

    /// Waits until everything before this CPU's local time has happened.
    fn pass(&self) {
        if self.with(|m, cpu| m.passes(cpu)) {
            self.suspend.suspend();
        }
    }

    fn load(&self, at: At) -> u64 {
        if !at.private {
            self.turn(Want::Load);
        }
        match self.with(|m, cpu| m.load(cpu, at)) {
            Some(value) => value,
            None => {
                self.pass();
                self.with(|m, cpu| m.finish_load(cpu, at))
            }
        }
    }

    fn store(&self, at: At, value: u64) {
        if !at.private {
            self.turn(Want::Store);
        }
        self.with(|m, cpu| m.store(cpu, at, value));
    }

    fn locked(&self, at: At, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        if !at.private {
            self.turn(Want::Locked);
            if self.with(|m, cpu| m.issue_locked(cpu, at)) {
                self.pass();
            }
        }
        self.with(|m, cpu| m.finish_locked(cpu, at, change))
    }

    fn spin(&self, at: At, until: Until, reads: Option<u32>) -> Result<u64, u64> {
        self.turn(Want::Load);
        if self.with(|m, cpu| m.spin(cpu, at, until, reads)) {
            self.suspend.suspend();
        }
        self.with(|m, cpu| m.spun(cpu))
    }
}

/// Handle of an array of words in simulated memory.
#[derive(Clone, Copy, Debug)]
pub struct SimWords<W> {
    base: u64,
    len: usize,
    stride: u32,
    object: u32,
    /// Words of a CPU's record when the array is private to CPUs, else 0.
    private: u32,
    word: PhantomData<fn() -> W>,
}

impl<W: Word> SimWords<W> {
    fn at(&self, cpu: &SimCpu, i: usize) -> At {
        assert!(i < self.len, "word {i} of an array of {}", self.len);
        let private = self.private != 0;
        if private && i / self.private as usize != usize::from(cpu.id.0) {
            self.stranger(cpu, i);
        }
        self.place(i, private)
    }

    fn place(&self, i: usize, private: bool) -> At {
        let addr = self.base + i as u64 * u64::from(self.stride);
        At { addr, bytes: W::BYTES, object: self.object, private }
    }

    /// A part of a word: `unit` bytes, the `n`-th.
    fn part(&self, cpu: &SimCpu, i: usize, unit: u32, n: u32) -> At {
        let at = self.at(cpu, i);
        assert!(unit * (n + 1) <= W::BYTES, "part {n} of {unit} bytes in a word of {}", W::BYTES);
        At { addr: at.addr + u64::from(unit * n), bytes: unit, ..at }
    }

    fn range(&self, cpu: &SimCpu, range: &Range<usize>, home: Option<NodeId>) -> FillRange {
        assert!(range.start < range.end && range.end <= self.len, "{range:?} of {}", self.len);
        FillRange {
            at: self.at(cpu, range.start),
            stride: u64::from(self.stride),
            words: range.len() as u64,
            home,
        }
    }

    #[cold]
    fn stranger(&self, cpu: &SimCpu, i: usize) {
        let preparing = cpu.with(|m, _| m.preparing);
        let name = cpu.with(|m, _| m.coherence.memory.object(self.object).name.clone());
        assert!(
            preparing,
            "CPU {} touched {name}[{i}], which is private to CPU {}; declare the array shared",
            cpu.id,
            i / self.private as usize
        );
    }
}

fn wide<W: Word>(change: impl FnOnce(W) -> W) -> impl FnOnce(u64) -> Option<u64> {
    move |old| Some(change(W::from_u64(old)).to_u64())
}

impl<W: Word> Words<Sim, W> for SimWords<W> {
    fn len(&self) -> usize {
        self.len
    }

    fn load(&self, cpu: &SimCpu, i: usize, _order: Ordering) -> W {
        W::from_u64(cpu.load(self.at(cpu, i)))
    }

    fn store(&self, cpu: &SimCpu, i: usize, value: W, _order: Ordering) {
        cpu.store(self.at(cpu, i), value.to_u64());
    }

    fn swap(&self, cpu: &SimCpu, i: usize, value: W, _order: Ordering) -> W {
        W::from_u64(cpu.locked(self.at(cpu, i), |_| Some(value.to_u64())))
    }

    fn compare_exchange(
        &self,
        cpu: &SimCpu,
        i: usize,
        current: W,
        new: W,
        _success: Ordering,
        _failure: Ordering,
    ) -> Result<W, W> {
        let change = |old| (old == current.to_u64()).then(|| new.to_u64());
        let old = W::from_u64(cpu.locked(self.at(cpu, i), change));
        if old == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add(&self, cpu: &SimCpu, i: usize, value: W, _order: Ordering) -> W {
        let add = wide(|old: W| W::from_u64(old.to_u64().wrapping_add(value.to_u64())));
        W::from_u64(cpu.locked(self.at(cpu, i), add))
    }

    fn fetch_sub(&self, cpu: &SimCpu, i: usize, value: W, _order: Ordering) -> W {
        let sub = wide(|old: W| W::from_u64(old.to_u64().wrapping_sub(value.to_u64())));
        W::from_u64(cpu.locked(self.at(cpu, i), sub))
    }

    fn fetch_or(&self, cpu: &SimCpu, i: usize, value: W, _order: Ordering) -> W {
        W::from_u64(cpu.locked(self.at(cpu, i), |old| Some(old | value.to_u64())))
    }

    fn fetch_and(&self, cpu: &SimCpu, i: usize, value: W, _order: Ordering) -> W {
        W::from_u64(cpu.locked(self.at(cpu, i), |old| Some(old & value.to_u64())))
    }

    fn store_u8_at(&self, cpu: &SimCpu, i: usize, byte: u32, value: u8, _order: Ordering) {
        cpu.store(self.part(cpu, i, 1, byte), value.into());
    }

    fn store_u16_at(&self, cpu: &SimCpu, i: usize, half: u32, value: u16, _order: Ordering) {
        cpu.store(self.part(cpu, i, 2, half), value.into());
    }

    fn swap_u16_at(&self, cpu: &SimCpu, i: usize, half: u32, value: u16, _order: Ordering) -> u16 {
        cpu.locked(self.part(cpu, i, 2, half), |_| Some(value.into())) as u16
    }

    fn compare_exchange_u16_at(
        &self,
        cpu: &SimCpu,
        i: usize,
        half: u32,
        current: u16,
        new: u16,
        _order: Ordering,
    ) -> Result<u16, u16> {
        let change = |old| (old == u64::from(current)).then_some(new.into());
        let old = cpu.locked(self.part(cpu, i, 2, half), change) as u16;
        if old == current { Ok(old) } else { Err(old) }
    }

    fn fetch_add_u16_at(
        &self,
        cpu: &SimCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        let add = wide(|old: u16| old.wrapping_add(value));
        cpu.locked(self.part(cpu, i, 2, half), add) as u16
    }

    fn fetch_or_u16_at(
        &self,
        cpu: &SimCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        cpu.locked(self.part(cpu, i, 2, half), |old| Some(old | u64::from(value))) as u16
    }

    fn fetch_and_u16_at(
        &self,
        cpu: &SimCpu,
        i: usize,
        half: u32,
        value: u16,
        _order: Ordering,
    ) -> u16 {
        cpu.locked(self.part(cpu, i, 2, half), |old| Some(old & u64::from(value))) as u16
    }

    fn bts(&self, cpu: &SimCpu, i: usize, bit: u32, _order: Ordering) -> bool {
        assert!(bit < W::BYTES * 8, "bit {bit} of a word of {} bytes", W::BYTES);
        cpu.locked(self.at(cpu, i), |old| Some(old | 1 << bit)) >> bit & 1 != 0
    }

    fn btr(&self, cpu: &SimCpu, i: usize, bit: u32, _order: Ordering) -> bool {
        assert!(bit < W::BYTES * 8, "bit {bit} of a word of {} bytes", W::BYTES);
        cpu.locked(self.at(cpu, i), |old| Some(old & !(1 << bit))) >> bit & 1 != 0
    }

    fn touch_16b(&self, cpu: &SimCpu, i: usize) {
        cpu.locked(self.at(cpu, i), |_| None);
    }

    fn prefetchw(&self, cpu: &SimCpu, i: usize) {
        let at = self.at(cpu, i);
        if !at.private {
            cpu.turn(Want::Load);
        }
        cpu.with(|m, cpu| m.prefetchw(cpu, at));
    }

    fn spin_until(&self, cpu: &SimCpu, i: usize, until: Until, _order: Ordering) -> W {
        match cpu.spin(self.at(cpu, i), until, None) {
            Ok(value) | Err(value) => W::from_u64(value),
        }
    }

    fn spin_until_for(
        &self,
        cpu: &SimCpu,
        i: usize,
        until: Until,
        reads: u32,
        _order: Ordering,
    ) -> Result<W, W> {
        let read = cpu.spin(self.at(cpu, i), until, Some(reads));
        read.map(W::from_u64).map_err(W::from_u64)
    }

    fn fill(
        &self,
        cpu: &SimCpu,
        range: Range<usize>,
        value: W,
        kind: BulkKind,
        home: Option<NodeId>,
    ) {
        let range = self.range(cpu, &range, home);
        cpu.turn(Want::Locked);
        cpu.with(|m, cpu| m.fill(cpu, range, value.to_u64(), kind));
    }

    fn scan(&self, cpu: &SimCpu, range: Range<usize>, step: usize, until: Until) -> Option<usize> {
        let first = range.start;
        let range = self.range(cpu, &range, None);
        cpu.turn(Want::Load);
        let found = cpu.with(|m, cpu| m.scan(cpu, range, step as u64, until));
        found.map(|i| first + i as usize)
    }

    fn peek(&self, cpu: &SimCpu, i: usize) -> W {
        assert!(i < self.len, "word {i} of an array of {}", self.len);
        let at = self.place(i, false);
        W::from_u64(cpu.with(|m, _| m.coherence.memory.read(at.addr, at.bytes)))
    }

    fn poke(&self, build: &mut SimBuild, i: usize, value: W) {
        assert!(i < self.len, "word {i} of an array of {}", self.len);
        let at = self.place(i, false);
        build.machine.coherence.memory.write(at.addr, at.bytes, value.to_u64());
    }
}

impl Platform for Sim {
    type Cpu = SimCpu;
    type Build = SimBuild;
    type Words<W: Word> = SimWords<W>;

    fn words<W: Word>(build: &mut SimBuild, place: Place) -> SimWords<W> {
        let coherence = &mut build.machine.coherence;
        let (object, base, stride) = coherence.memory.place(&place, W::BYTES);
        coherence.cold.push(Default::default());
        let record = if place.record_bytes == 0 { stride } else { place.record_bytes };
        let private = match place.sharing {
            Sharing::Shared => 0,
            Sharing::Private => (record / stride).max(1),
        };
        SimWords { base, len: place.len, stride, object, private, word: PhantomData }
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

    fn random(cpu: &SimCpu) -> u64 {
        cpu.with(|m, cpu| m.random(cpu))
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
            cpu.suspend.suspend();
        }
        cpu.with(|m, cpu| m.woken(cpu))
    }

    fn kick(cpu: &SimCpu, target: CpuId) {
        cpu.turn(Want::Locked);
        cpu.with(|m, cpu| m.kick(cpu, target));
    }

    fn enter(_cpu: &SimCpu, _section: Section) {}

    fn leave(_cpu: &SimCpu, _section: Section) {}

    fn observe(cpu: &SimCpu, observation: Observation) {
        cpu.with(|m, cpu| m.observe(cpu, observation));
    }
}
