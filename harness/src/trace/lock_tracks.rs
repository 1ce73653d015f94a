//! Locks in a trace: what a CPU does to get one, who holds it, who waits, and to whom it goes next.

use std::collections::BTreeMap;
use std::io::Write;

use pamt_reports::perfetto::{FlowId, Slice, TrackId, Value};
use pamt_strategies::measure::{LockClass, LockClassId, LockStep};
use pamt_strategies::units::{CpuId, Cycles, Region};

use super::writer::Writer;

/// Class and instance.
pub(super) type LockKey = (LockClassId, u32);

/// What an acquisition is of.
pub(super) struct Taking {
    pub(super) key: LockKey,
    pub(super) shared: bool,
    pub(super) region: Region,
}

/// Who, where and when.
pub(super) struct Place<'a> {
    pub(super) cpu: CpuId,
    /// What runs on it.
    pub(super) actor: &'a str,
    /// The CPU's track.
    pub(super) track: TrackId,
    /// The track above all locks.
    pub(super) group: TrackId,
    pub(super) now: Cycles,
}

/// How far an acquisition has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The first try.
    Take,
    /// It failed; no queue is involved.
    Spin,
    /// It waits in a queue.
    Queue,
}

struct Request {
    key: LockKey,
    phase: Phase,
}

struct LockTrack {
    holds: TrackId,
    /// Holders in shared mode overlap, so each CPU has a track of its own.
    shared: BTreeMap<CpuId, TrackId>,
    /// Flow that leads on from the present hold.
    flow: Option<FlowId>,
    /// Waiters coming (1) and going (-1).
    changes: Vec<(Cycles, i64)>,
}

/// The tracks of all locks, and what each CPU is taking.
#[derive(Default)]
pub(super) struct LockTracks {
    classes: Vec<LockClass>,
    locks: BTreeMap<LockKey, LockTrack>,
    requests: BTreeMap<CpuId, Vec<Request>>,
    flows: u64,
}

impl LockTracks {
    pub(super) fn start(&mut self, classes: &[LockClass]) {
        self.classes = classes.to_vec();
    }

    /// The instance's name; its number only where there are several.
    fn name(&self, (class, instance): LockKey) -> String {
        match self.classes.get(usize::from(class.0)) {
            Some(class) if class.instances > 1 => format!("{}[{instance}]", class.name),
            Some(class) => class.name.clone(),
            None => format!("lock class {}[{instance}]", class.0),
        }
    }

    /// Takes in one step of an acquisition.
    pub(super) fn step<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        on: &Place<'_>,
        taking: &Taking,
        step: LockStep,
    ) {
        self.ensure(writer, on.group, taking.key);
        match step {
            LockStep::Request => {
                let request = Request { key: taking.key, phase: Phase::Take };
                self.requests.entry(on.cpu).or_default().push(request);
                self.begin(writer, on, taking, Phase::Take);
            }
            LockStep::Contended { queued: true } => self.wait(writer, on, taking, Phase::Queue),
            LockStep::Contended { queued: false } => self.wait(writer, on, taking, Phase::Spin),
            LockStep::Acquired => {
                let waited = self.decided(writer, on, taking.key);
                self.hold(writer, on, taking, waited);
            }
            LockStep::Abandoned => {
                self.decided(writer, on, taking.key);
            }
            LockStep::Released => {
                let track = self.hold_track(writer, on.cpu, taking);
                writer.end(track, on.now);
            }
        }
    }

    /// The slice of a CPU that takes, spins on or queues for the lock.
    fn begin<W: Write>(&self, writer: &mut Writer<W>, on: &Place<'_>, of: &Taking, phase: Phase) {
        let verb = match phase {
            Phase::Take => "take",
            Phase::Spin => "spin on",
            Phase::Queue => "queue for",
        };
        let name = format!("{verb} {}", self.name(of.key));
        let args = [("region", Value::Uint(u64::from(of.region.0)))];
        let slice = Slice { name: &name, category: "lock", args: &args, ..Slice::default() };
        writer.begin(on.track, on.now, &slice);
    }

    /// A failed first try, or the way into the queue; a lock that queues may report both.
    fn wait<W: Write>(&mut self, writer: &mut Writer<W>, on: &Place<'_>, of: &Taking, to: Phase) {
        let Some(request) = self.request(on.cpu, of.key).filter(|r| r.phase < to) else { return };
        let first = request.phase == Phase::Take;
        request.phase = to;
        writer.end(on.track, on.now);
        self.begin(writer, on, of, to);
        if first {
            self.waiters(of.key, on.now, 1);
        }
    }

    /// The try or the wait is over; whether there was a wait.
    fn decided<W: Write>(&mut self, writer: &mut Writer<W>, on: &Place<'_>, key: LockKey) -> bool {
        let requests = self.requests.entry(on.cpu).or_default();
        let Some(at) = requests.iter().rposition(|request| request.key == key) else {
            return false;
        };
        let waited = requests.remove(at).phase != Phase::Take;
        writer.end(on.track, on.now);
        if waited {
            self.waiters(key, on.now, -1);
        }
        waited
    }

    fn request(&mut self, cpu: CpuId, key: LockKey) -> Option<&mut Request> {
        self.requests.get_mut(&cpu)?.iter_mut().rev().find(|request| request.key == key)
    }

    fn waiters(&mut self, key: LockKey, at: Cycles, change: i64) {
        if let Some(lock) = self.locks.get_mut(&key) {
            lock.changes.push((at, change));
        }
    }

    /// The slice of the lock while it is held, with the arrow from its last holder if this one waited.
    fn hold<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        on: &Place<'_>,
        taking: &Taking,
        waited: bool,
    ) {
        let track = self.hold_track(writer, on.cpu, taking);
        let args = [("region", Value::Uint(u64::from(taking.region.0)))];
        let mut slice = Slice { name: on.actor, category: "hold", args: &args, ..Slice::default() };
        if let Some(lock) = self.locks.get_mut(&taking.key) {
            slice.flow_end = lock.flow.filter(|_| waited);
            if !taking.shared {
                self.flows += 1;
                slice.flow = Some(FlowId(self.flows));
                lock.flow = slice.flow;
            }
        }
        writer.begin(track, on.now, &slice);
    }

    fn ensure<W: Write>(&mut self, writer: &mut Writer<W>, parent: TrackId, key: LockKey) {
        if !self.locks.contains_key(&key) {
            let rank = u64::from(key.0.0) << 32 | u64::from(key.1);
            let holds = writer.track(&self.name(key), Some(parent), rank);
            let track =
                LockTrack { holds, shared: BTreeMap::new(), flow: None, changes: Vec::new() };
            self.locks.insert(key, track);
        }
    }

    fn hold_track<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        cpu: CpuId,
        taking: &Taking,
    ) -> TrackId {
        let lock = self.locks.get_mut(&taking.key).expect("made by ensure");
        if !taking.shared {
            return lock.holds;
        }
        let (holds, rank) = (lock.holds, u64::from(cpu.0));
        *lock.shared.entry(cpu).or_insert_with(|| writer.track("shared", Some(holds), rank))
    }

    /// Writes the number of waiters of each lock that was waited for.
    pub(super) fn finish<W: Write>(&mut self, writer: &mut Writer<W>) {
        for lock in self.locks.values_mut().filter(|lock| !lock.changes.is_empty()) {
            let track = writer.counter_track("waiters", lock.holds, "CPUs");
            lock.changes.sort_by_key(|(at, _)| *at);
            let mut waiting = 0_i64;
            let mut changes = lock.changes.iter().peekable();
            while let Some((at, change)) = changes.next() {
                waiting += change;
                // One value a time: the sum of all changes at it.
                if changes.peek().is_none_or(|(next, _)| next != at) {
                    writer.count(track, *at, waiting.max(0) as u64);
                }
            }
        }
    }
}
