//! A run as a Perfetto trace: what `--trace FILE.pftrace` writes.
//!
//! | track | slices | arrows, counters |
//! |---|---|---|
//! | CPUs / one a CPU | operations and SEAMCALLs, nested; taking, spinning on and queueing for a lock | instants: retries, failed statuses, violations |
//! | locks / one an instance | who holds it | arrow from holder to next holder where that one waited; waiters |
//! | regions / one a 2 MiB region | while its page pair is in the module | refcount; instants: gets, puts, returned leaves |
//! | lines / one a cache line | a move to a CPU, queueing included | |
//!
//! Events are written as they come. Waiters are counted at the end: simulated CPUs run ahead of each
//! other, so their events are in order of time for each CPU only.

mod lock_tracks;
mod record;
mod window;
mod writer;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use pamt_reports::perfetto::{Slice, TrackId, Value};
use pamt_strategies::measure::{
    Chronicle, LockClass, LockStep, Observation, Op, TraceSink, Transfer, Violation,
};
use pamt_strategies::module::{Leaf, Status};
use pamt_strategies::units::{Clock, CpuId, Cycles, Region};

use lock_tracks::{LockTracks, Place, Taking};
pub(crate) use record::record;
pub(crate) use window::Window;
use writer::Writer;

/// A trace being written. Its clones write to the same trace: one goes to the recorder as its sink,
/// one stays to [`finish`](Trace::finish) it.
pub struct Trace<W> {
    tracer: Arc<Mutex<Tracer<W>>>,
}

impl<W> Clone for Trace<W> {
    fn clone(&self) -> Self {
        Self { tracer: Arc::clone(&self.tracer) }
    }
}

impl<W: Write> Trace<W> {
    /// A trace into `out`, which should be buffered. `actors` names what runs on each CPU.
    pub fn new(out: W, clock: Clock, actors: impl IntoIterator<Item = (CpuId, String)>) -> Self {
        let tracer = Tracer::new(Writer::new(out, clock), actors.into_iter().collect());
        Self { tracer: Arc::new(Mutex::new(tracer)) }
    }

    /// Flushes and gives the output back, once the run is over and its recorder gone.
    ///
    /// # Errors
    /// The first error of the output, and [`io::ErrorKind::ResourceBusy`] while a clone still writes.
    pub fn finish(self) -> io::Result<W> {
        let tracer = Arc::try_unwrap(self.tracer).map_err(|_| {
            io::Error::new(io::ErrorKind::ResourceBusy, "the run that is traced goes on")
        })?;
        tracer.into_inner().unwrap_or_else(PoisonError::into_inner).writer.finish()
    }

    fn with(&self, act: impl FnOnce(&mut Tracer<W>)) {
        act(&mut self.tracer.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<W: Write> TraceSink for Trace<W> {
    fn start(&mut self, classes: &[LockClass]) {
        self.with(|tracer| tracer.locks.start(classes));
    }

    fn observed(&mut self, cpu: CpuId, now: Cycles, observation: &Observation) {
        self.with(|tracer| tracer.observed(cpu, now, observation));
    }

    fn transferred(&mut self, cpu: CpuId, now: Cycles, transfer: &Transfer<'_>) {
        self.with(|tracer| tracer.transferred(cpu, now, transfer));
    }

    fn finish(&mut self, end: Cycles) {
        self.with(|tracer| tracer.end(end));
    }
}

struct Tracer<W> {
    writer: Writer<W>,
    actors: BTreeMap<CpuId, String>,
    groups: [Option<TrackId>; 4],
    cpus: BTreeMap<CpuId, TrackId>,
    locks: LockTracks,
    regions: BTreeMap<Region, RegionTrack>,
    lines: BTreeMap<(String, u64, CpuId), TrackId>,
}

struct RegionTrack {
    slices: TrackId,
    refcount: Option<TrackId>,
}

/// The top-level tracks, in their order.
#[derive(Clone, Copy)]
enum Group {
    Cpus,
    Locks,
    Regions,
    Lines,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Cpus => "CPUs",
            Self::Locks => "locks",
            Self::Regions => "regions",
            Self::Lines => "lines",
        }
    }
}

impl<W: Write> Tracer<W> {
    fn new(writer: Writer<W>, actors: BTreeMap<CpuId, String>) -> Self {
        Self {
            writer,
            actors,
            groups: [None; 4],
            cpus: BTreeMap::new(),
            locks: LockTracks::default(),
            regions: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }

    fn actor(&self, cpu: CpuId) -> String {
        self.actors.get(&cpu).cloned().unwrap_or_else(|| format!("CPU {cpu}"))
    }

    fn group(&mut self, group: Group) -> TrackId {
        let at = group as usize;
        let track =
            self.groups[at].unwrap_or_else(|| self.writer.track(group.name(), None, at as u64));
        self.groups[at] = Some(track);
        track
    }

    fn cpu(&mut self, cpu: CpuId) -> TrackId {
        if let Some(track) = self.cpus.get(&cpu) {
            return *track;
        }
        let parent = self.group(Group::Cpus);
        let name = match self.actors.get(&cpu) {
            Some(actor) => format!("CPU {cpu}: {actor}"),
            None => format!("CPU {cpu}"),
        };
        let track = self.writer.track(&name, Some(parent), u64::from(cpu.0));
        self.cpus.insert(cpu, track);
        track
    }

    fn observed(&mut self, cpu: CpuId, now: Cycles, observation: &Observation) {
        match observation {
            Observation::Begin(op) => self.begin(cpu, now, *op),
            Observation::End(_) => {
                let track = self.cpu(cpu);
                self.writer.end(track, now);
            }
            Observation::Lock { class, instance, shared, region, step } => {
                let taking = Taking { key: (*class, *instance), shared: *shared, region: *region };
                self.lock(cpu, now, &taking, *step);
            }
            Observation::Status { leaf, status } => self.status(cpu, now, *leaf, *status),
            Observation::Took(..) => {}
            Observation::Retry(op) => {
                self.instant(cpu, now, &format!("retry {}", op.name()), "retry", &[]);
            }
            Observation::Pair { region, added } => self.pair(now, *region, *added),
            Observation::Chronicle(region, what) => self.chronicle(cpu, now, *region, what),
            Observation::Violation(violation) => self.violation(cpu, now, violation),
        }
    }

    fn begin(&mut self, cpu: CpuId, now: Cycles, op: Op) {
        let track = self.cpu(cpu);
        let category = if matches!(op, Op::Leaf(_)) { "seamcall" } else { "operation" };
        self.writer.begin(track, now, &Slice { name: op.name(), category, ..Slice::default() });
    }

    fn instant(
        &mut self,
        cpu: CpuId,
        now: Cycles,
        name: &str,
        category: &'static str,
        args: &[(&'static str, Value)],
    ) {
        let track = self.cpu(cpu);
        self.writer.instant(track, now, &Slice { name, category, args, ..Slice::default() });
    }

    fn status(&mut self, cpu: CpuId, now: Cycles, leaf: Leaf, status: Status) {
        if status != Status::SUCCESS {
            let args = [("leaf", Value::Text(leaf.name().into()))];
            self.instant(cpu, now, &status.to_string(), "status", &args);
        }
    }

    fn violation(&mut self, cpu: CpuId, now: Cycles, violation: &Violation) {
        let args = [("detail", Value::Text(violation.detail.clone()))];
        self.instant(cpu, now, violation.kind.name(), "violation", &args);
    }

    fn lock(&mut self, cpu: CpuId, now: Cycles, taking: &Taking, step: LockStep) {
        let (track, group) = (self.cpu(cpu), self.group(Group::Locks));
        let place = Place { cpu, actor: &self.actor(cpu), track, group, now };
        self.locks.step(&mut self.writer, &place, taking, step);
    }

    fn region(&mut self, region: Region) -> &mut RegionTrack {
        if !self.regions.contains_key(&region) {
            let parent = self.group(Group::Regions);
            let name = format!("region {:#x}", region.0);
            let slices = self.writer.track(&name, Some(parent), u64::from(region.0));
            self.regions.insert(region, RegionTrack { slices, refcount: None });
        }
        self.regions.get_mut(&region).expect("inserted above if it was not there")
    }

    fn pair(&mut self, now: Cycles, region: Region, added: bool) {
        let track = self.region(region).slices;
        if added {
            let slice = Slice { name: "page pair", category: "pair", ..Slice::default() };
            self.writer.begin(track, now, &slice);
        } else {
            self.writer.end(track, now);
        }
    }

    fn chronicle(&mut self, cpu: CpuId, now: Cycles, region: Region, what: &Chronicle) {
        let slices = self.region(region).slices;
        if let Chronicle::Refcount(_, to) = what {
            let track = self.refcount(region, slices);
            return self.writer.count(track, now, u64::from(*to));
        }
        let args = [("cpu", Value::Text(self.actor(cpu)))];
        let (name, category) = (&what.to_string(), "region");
        self.writer.instant(
            slices,
            now,
            &Slice { name, category, args: &args, ..Slice::default() },
        );
    }

    fn refcount(&mut self, region: Region, parent: TrackId) -> TrackId {
        let known = self.region(region).refcount;
        let track = known.unwrap_or_else(|| self.writer.counter_track("refcount", parent, "pages"));
        self.region(region).refcount = Some(track);
        track
    }

    /// A track a line and receiver: moves of one line may overlap, those to one CPU do not. The viewer
    /// draws tracks of equal name as one.
    fn transferred(&mut self, cpu: CpuId, now: Cycles, transfer: &Transfer<'_>) {
        let key = (transfer.object.to_owned(), transfer.line, cpu);
        let track = match self.lines.get(&key) {
            Some(track) => *track,
            None => {
                let parent = self.group(Group::Lines);
                let name = format!("{} line {}", transfer.object, transfer.line);
                let track = self.writer.track(&name, Some(parent), self.lines.len() as u64);
                self.lines.insert(key, track);
                track
            }
        };
        let from = transfer.from.map_or_else(|| "nobody".to_owned(), |from| self.actor(from));
        let name = format!("to {}", self.actor(cpu));
        let wants = if transfer.owned { "ownership" } else { "a copy" };
        let args = [("from", Value::Text(from)), ("for", Value::Text(wants.into()))];
        let slice = Slice { name: &name, category: "transfer", args: &args, ..Slice::default() };
        self.writer.begin(track, now, &slice);
        self.writer.end(track, now + transfer.length);
    }

    fn end(&mut self, end: Cycles) {
        self.locks.finish(&mut self.writer);
        self.writer.close_open(end);
    }
}

#[cfg(test)]
mod tests;
