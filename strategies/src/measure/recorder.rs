//! Folds observations into a [`Measurement`].

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;

use super::held::HeldOverTime;
use super::lock_book::{HolderBoard, LockBook, LockClassStats, LockEvent};
use super::observation::{Chronicle, LockClass, LockStep, Observation, Stamped, Violation};
use super::op::Op;
use super::span_tree::{PathId, SpanTree, Spans};
use super::trace::{TraceSink, Transfer};
use crate::module::{Leaf, Status};
use crate::platform::Section;
use crate::units::{CpuId, Cycles, Region};

/// Entries kept of a region's history.
const CHRONICLE_DEPTH: usize = 24;
/// Violations kept in full; the rest are counted.
const VIOLATIONS_KEPT: usize = 16;

/// Where a CPU sits, for hand-off distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuPlace {
    /// Physical core.
    pub core: u16,
    /// Last-level cache.
    pub llc: u16,
    /// NUMA node.
    pub node: u8,
}

/// Count, sum and distribution of one operation, in cycles.
#[derive(Clone, Debug)]
pub struct OpStats {
    /// Sum of all lengths.
    pub total: u64,
    /// Distribution, three significant digits.
    pub histogram: Histogram<u64>,
}

impl OpStats {
    fn new() -> Self {
        // Three digits and auto-resize are always valid arguments.
        let histogram = Histogram::new(3).expect("3 significant digits are supported");
        Self { total: 0, histogram }
    }

    fn record(&mut self, length: Cycles) {
        self.total += length.0;
        self.histogram.record(length.0).expect("an auto-resizing histogram takes any value");
    }

    fn merge(&mut self, other: &Self) {
        self.total += other.total;
        // Auto-resizing histograms of equal precision always add.
        self.histogram.add(&other.histogram).expect("equal precision");
    }
}

/// A violation with the history of its region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundViolation {
    /// When.
    pub at: Cycles,
    /// On which CPU.
    pub cpu: CpuId,
    /// What broke.
    pub violation: Violation,
    /// What happened to the region before, oldest first.
    pub history: Vec<Stamped>,
}

/// Everything that a run measured, in cycles of its world's clock.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// By operation.
    pub ops: BTreeMap<Op, OpStats>,
    /// By lock class.
    pub locks: Vec<LockClassStats>,
    /// Returned statuses, by leaf.
    pub statuses: BTreeMap<(Leaf, Status), u64>,
    /// Retries, by operation.
    pub retries: BTreeMap<Op, u64>,
    /// Self time by path of nested operations.
    pub spans: SpanTree,
    /// Page pairs that the module holds: now, and at most at any time.
    pub pairs: PairCount,
    /// Page pairs over time; empty where several recorders share a run.
    pub held: HeldOverTime,
    /// The first violations, in order of time.
    pub violations: Vec<FoundViolation>,
    /// How many there were.
    pub violation_count: u64,
    /// The longest time that a CPU had interrupts off, and that it could not be preempted.
    pub sections: LongestSections,
}

/// The longest [`Section`]s of a run; nothing where the world does not know its sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongestSections {
    /// Interrupts off.
    pub irq_off: Option<Cycles>,
    /// Preemption off, for whatever reason.
    pub preempt_off: Option<Cycles>,
}

/// Page pairs in the module's hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairCount {
    /// Given so far.
    pub added: u64,
    /// Taken back so far.
    pub removed: u64,
    /// Most at any time (of one recorder).
    pub peak: u64,
}

/// Folds the observations of a run, or of one native thread.
pub struct Recorder {
    ops: Vec<Option<Box<OpStats>>>,
    locks: LockBook,
    /// In which operation each CPU asked for its latest lock.
    lock_paths: Vec<PathId>,
    statuses: FxHashMap<(Leaf, Status), u64>,
    retries: BTreeMap<Op, u64>,
    spans: Spans,
    pairs: PairCount,
    held: HeldOverTime,
    chronicles: FxHashMap<Region, VecDeque<Stamped>>,
    violations: Vec<FoundViolation>,
    violation_count: u64,
    sections: LongestSections,
    trace: Option<Box<dyn TraceSink + Send>>,
}

impl Recorder {
    /// A recorder for `cpus`, whose index is the CPU id. `board` shares the holders of locks between
    /// the recorders of native threads; a simulated run has one recorder and needs none.
    #[must_use]
    pub fn new(
        cpus: Vec<CpuPlace>,
        classes: &[LockClass],
        board: Option<Arc<HolderBoard>>,
    ) -> Self {
        Self {
            ops: (0..Op::COUNT).map(|_| None).collect(),
            spans: Spans::new(cpus.len()),
            lock_paths: vec![PathId::default(); cpus.len()],
            locks: LockBook::new(cpus, classes, board),
            statuses: FxHashMap::default(),
            retries: BTreeMap::new(),
            pairs: PairCount::default(),
            held: HeldOverTime::default(),
            chronicles: FxHashMap::default(),
            violations: Vec::new(),
            violation_count: 0,
            sections: LongestSections::default(),
            trace: None,
        }
    }

    /// Hands every event from now on to `sink` as well.
    pub fn trace_to(&mut self, mut sink: Box<dyn TraceSink + Send>) {
        sink.start(&self.locks.classes());
        self.trace = Some(sink);
    }

    /// Whether [`Recorder::transferred`] has any effect: a world need not gather what nobody takes.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Takes in a line that came to `cpu`, which asked for it at `now`; for traces only.
    pub fn transferred(&mut self, cpu: CpuId, now: Cycles, transfer: &Transfer<'_>) {
        if let Some(sink) = &mut self.trace {
            sink.transferred(cpu, now, transfer);
        }
    }

    /// Takes in one observation of `cpu` at its local time `now`.
    ///
    /// Inlined, because what is observed is known where it is said: the ends of a span, which most
    /// observations are, then cost no more than what they change.
    #[inline(always)]
    pub fn observe(&mut self, cpu: CpuId, now: Cycles, observation: Observation) {
        match observation {
            Observation::Begin(op) => self.begin(cpu, now, op),
            Observation::End(op) => self.end(cpu, now, op),
            other => self.observe_other(cpu, now, other),
        }
    }

    /// `op` begins on `cpu`.
    pub(crate) fn begin(&mut self, cpu: CpuId, now: Cycles, op: Op) {
        if self.is_traced() {
            self.hand_on(cpu, now, &Observation::Begin(op));
        }
        self.spans.begin(cpu, now, op);
    }

    /// `op`, the innermost of `cpu`, ends.
    ///
    /// # Panics
    /// When another one is the innermost.
    pub(crate) fn end(&mut self, cpu: CpuId, now: Cycles, op: Op) {
        if self.is_traced() {
            self.hand_on(cpu, now, &Observation::End(op));
        }
        self.end_span(cpu, now, op);
    }

    /// To the sink. Out of the way of runs that are not traced.
    #[cold]
    fn hand_on(&mut self, cpu: CpuId, now: Cycles, observation: &Observation) {
        if let Some(sink) = &mut self.trace {
            sink.observed(cpu, now, observation);
        }
    }

    fn observe_other(&mut self, cpu: CpuId, now: Cycles, observation: Observation) {
        if self.is_traced() {
            self.hand_on(cpu, now, &observation);
        }
        match observation {
            Observation::Begin(_) | Observation::End(_) => {}
            Observation::Lock { class, instance, shared, region, step } => {
                // Where a lock is asked for is where its first try begins, before that is a span itself.
                if step == LockStep::Request {
                    self.lock_paths[usize::from(cpu.0)] = self.spans.here(cpu);
                }
                self.lock_span(cpu, now, step);
                let path = self.lock_paths[usize::from(cpu.0)];
                self.locks
                    .step(&LockEvent { cpu, now, class, instance, shared, region, path }, step);
            }
            Observation::Status { leaf, status } => {
                *self.statuses.entry((leaf, status)).or_default() += 1;
            }
            Observation::Took(op, length) => self.took(op, length),
            Observation::Retry(op) => *self.retries.entry(op).or_default() += 1,
            Observation::Pair { added, .. } => self.pair(now, added),
            Observation::Chronicle(region, what) => self.chronicle(cpu, now, region, what),
            Observation::Violation(violation) => self.violation(cpu, now, violation),
        }
    }

    /// Takes in a section that a CPU has left.
    pub fn section(&mut self, section: Section, length: Cycles) {
        let longest = match section {
            Section::IrqOff => &mut self.sections.irq_off,
            Section::PreemptOff => &mut self.sections.preempt_off,
        };
        *longest = (*longest).max(Some(length));
    }

    fn pair(&mut self, now: Cycles, added: bool) {
        *if added { &mut self.pairs.added } else { &mut self.pairs.removed } += 1;
        let held = self.pairs.added.saturating_sub(self.pairs.removed);
        self.pairs.peak = self.pairs.peak.max(held);
        self.held.sample(now, held);
    }

    fn end_span(&mut self, cpu: CpuId, now: Cycles, op: Op) {
        let length = self.spans.end(cpu, now, op);
        self.took(op, length);
    }

    fn took(&mut self, op: Op, length: Cycles) {
        self.ops[op.index()].get_or_insert_with(|| Box::new(OpStats::new())).record(length);
    }

    /// Taking and waiting are spans of their own, so that a get splits into its parts by itself.
    fn lock_span(&mut self, cpu: CpuId, now: Cycles, step: LockStep) {
        match step {
            LockStep::Request => self.spans.begin(cpu, now, Op::LockTake),
            LockStep::Contended { .. } => {
                if self.spans.top(cpu) == Some(Op::LockTake) {
                    self.end_span(cpu, now, Op::LockTake);
                    self.spans.begin(cpu, now, Op::LockWait);
                }
            }
            LockStep::Acquired | LockStep::Abandoned => {
                let op = match self.spans.top(cpu) {
                    Some(Op::LockWait) => Op::LockWait,
                    _ => Op::LockTake,
                };
                self.end_span(cpu, now, op);
            }
            LockStep::Released => {}
        }
    }

    fn chronicle(&mut self, cpu: CpuId, at: Cycles, region: Region, what: Chronicle) {
        let entries = self.chronicles.entry(region).or_default();
        if entries.len() == CHRONICLE_DEPTH {
            entries.pop_front();
        }
        entries.push_back(Stamped { at, cpu, what });
    }

    fn violation(&mut self, cpu: CpuId, at: Cycles, violation: Violation) {
        self.violation_count += 1;
        if self.violations.len() < VIOLATIONS_KEPT {
            let history = self.history(violation.region);
            self.violations.push(FoundViolation { at, cpu, violation, history });
        }
    }

    /// What is known of a region; of no region in particular, the latest of all.
    fn history(&self, region: Option<Region>) -> Vec<Stamped> {
        let of = |entries: &VecDeque<Stamped>| entries.iter().cloned().collect::<Vec<_>>();
        let mut history = match region {
            Some(region) => self.chronicles.get(&region).map(of).unwrap_or_default(),
            None => self.chronicles.values().flat_map(of).collect(),
        };
        // Under run-ahead entries arrive in host order, not in order of time.
        history.sort_by_key(|entry| (entry.at, entry.cpu));
        history.split_off(history.len().saturating_sub(CHRONICLE_DEPTH))
    }

    /// Ends the recording at time `end`.
    #[must_use]
    pub fn finish(mut self, end: Cycles) -> Measurement {
        if let Some(mut sink) = self.trace.take() {
            sink.finish(end);
        }
        let ops = self
            .ops
            .into_iter()
            .enumerate()
            .filter_map(|(index, stats)| Some((Op::from_index(index)?, *stats?)));
        Measurement {
            ops: ops.collect(),
            locks: self.locks.finish(|path| self.spans.ops(path)),
            statuses: self.statuses.into_iter().collect(),
            retries: self.retries,
            spans: self.spans.finish(),
            pairs: self.pairs,
            held: self.held,
            violations: self.violations,
            violation_count: self.violation_count,
            sections: self.sections,
        }
    }
}

impl Measurement {
    /// Adds what another thread of the same run measured.
    pub fn merge(&mut self, other: Self) {
        for (op, stats) in other.ops {
            self.ops.entry(op).or_insert_with(OpStats::new).merge(&stats);
        }
        if self.locks.is_empty() {
            self.locks = other.locks;
        } else {
            for (mine, theirs) in self.locks.iter_mut().zip(&other.locks) {
                mine.merge(theirs);
            }
        }
        for (key, count) in other.statuses {
            *self.statuses.entry(key).or_default() += count;
        }
        for (op, count) in other.retries {
            *self.retries.entry(op).or_default() += count;
        }
        self.spans.merge(&other.spans);
        self.pairs.added += other.pairs.added;
        self.pairs.removed += other.pairs.removed;
        self.pairs.peak += other.pairs.peak;
        self.held = HeldOverTime::default();
        self.violation_count += other.violation_count;
        let (mine, theirs) = (&mut self.sections, other.sections);
        mine.irq_off = mine.irq_off.max(theirs.irq_off);
        mine.preempt_off = mine.preempt_off.max(theirs.preempt_off);
        self.violations.extend(other.violations);
        self.violations.sort_by_key(|found| (found.at, found.cpu));
        self.violations.truncate(VIOLATIONS_KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{LockClassId, LockKind, ViolationKind};

    fn recorder() -> Recorder {
        let class = LockClass { name: "pamt_lock".into(), kind: LockKind::Spinlock, instances: 1 };
        Recorder::new(vec![CpuPlace::default(); 2], &[class], None)
    }

    fn lock(region: u32, step: LockStep) -> Observation {
        Observation::Lock {
            class: LockClassId(0),
            instance: 0,
            shared: false,
            region: Region(region),
            step,
        }
    }

    #[test]
    fn a_get_splits_into_lock_and_self_time() {
        let mut r = recorder();
        let cpu = CpuId(0);
        r.observe(cpu, Cycles(0), Observation::Begin(Op::PamtGet));
        r.observe(cpu, Cycles(10), lock(1, LockStep::Request));
        r.observe(cpu, Cycles(25), lock(1, LockStep::Acquired));
        r.observe(cpu, Cycles(30), lock(1, LockStep::Released));
        r.observe(cpu, Cycles(40), Observation::End(Op::PamtGet));
        let m = r.finish(Cycles(40));
        assert_eq!(m.ops[&Op::PamtGet].total, 40);
        assert_eq!(m.ops[&Op::LockTake].total, 15);
        let paths: Vec<_> = m.spans.paths().map(|p| (p.names(), p.self_cycles)).collect();
        assert_eq!(paths, [("pamt_get".to_owned(), 25), ("pamt_get;lock_take".to_owned(), 15),]);
    }

    #[test]
    fn contention_points_are_the_operations_of_waiter_and_holder() {
        let mut r = recorder();
        let (holder, waiter) = (CpuId(0), CpuId(1));
        r.observe(holder, Cycles(0), Observation::Begin(Op::PamtPut));
        r.observe(holder, Cycles(1), lock(1, LockStep::Request));
        r.observe(holder, Cycles(2), lock(1, LockStep::Acquired));
        r.observe(waiter, Cycles(2), Observation::Begin(Op::Fault));
        r.observe(waiter, Cycles(3), Observation::Begin(Op::PamtGet));
        r.observe(waiter, Cycles(4), lock(2, LockStep::Request));
        r.observe(waiter, Cycles(5), lock(2, LockStep::Contended { queued: false }));
        r.observe(waiter, Cycles(6), lock(2, LockStep::Contended { queued: true }));
        let m = r.finish(Cycles(9));
        let stats = &m.locks[0];
        assert_eq!(stats.waiting_in, [(vec![Op::Fault, Op::PamtGet], 1)].into());
        assert_eq!(stats.held_in, [(vec![Op::PamtPut], 1)].into());
    }

    #[test]
    fn a_sink_gets_what_the_recorder_gets_between_start_and_finish() {
        #[derive(Clone, Default)]
        struct Log(Arc<std::sync::Mutex<Vec<String>>>);
        impl Log {
            fn add(&self, line: String) {
                self.0.lock().expect("one thread").push(line);
            }
        }
        impl TraceSink for Log {
            fn start(&mut self, classes: &[LockClass]) {
                self.add(format!("start {}", classes[0].name));
            }
            fn observed(&mut self, cpu: CpuId, now: Cycles, observation: &Observation) {
                self.add(format!("{cpu} {now} {observation:?}"));
            }
            fn transferred(&mut self, cpu: CpuId, now: Cycles, transfer: &Transfer<'_>) {
                self.add(format!("{cpu} {now} {}[{}]", transfer.object, transfer.line));
            }
            fn finish(&mut self, end: Cycles) {
                self.add(format!("finish {end}"));
            }
        }
        let (mut r, log) = (recorder(), Log::default());
        assert!(!r.is_traced());
        r.trace_to(Box::new(log.clone()));
        r.observe(CpuId(1), Cycles(5), Observation::Retry(Op::PamtPut));
        let transfer =
            Transfer { object: "pamt_lock", line: 0, from: None, owned: true, length: Cycles(9) };
        r.transferred(CpuId(0), Cycles(6), &transfer);
        assert_eq!(r.finish(Cycles(7)).retries[&Op::PamtPut], 1);
        let expected = ["start pamt_lock", "1 5 Retry(PamtPut)", "0 6 pamt_lock[0]", "finish 7"];
        assert_eq!(*log.0.lock().expect("one thread"), expected);
    }

    #[test]
    fn percentiles_hold_for_lengths_of_any_size() {
        let mut r = recorder();
        for length in [10, 1_000_000, 40_000_000_000_000] {
            r.observe(CpuId(0), Cycles(0), Observation::Begin(Op::Fault));
            r.observe(CpuId(0), Cycles(length), Observation::End(Op::Fault));
        }
        let m = r.finish(Cycles(40_000_000_000_000));
        let histogram = &m.ops[&Op::Fault].histogram;
        assert!(histogram.value_at_quantile(0.5).abs_diff(1_000_000) < 1_000);
        assert!(histogram.max() >= 40_000_000_000_000);
    }

    #[test]
    fn a_violation_carries_the_history_of_its_region_in_order_of_time() {
        let mut r = recorder();
        let note = |from, to| Observation::Chronicle(Region(3), Chronicle::Refcount(from, to));
        r.observe(CpuId(1), Cycles(20), note(1, 0));
        r.observe(CpuId(0), Cycles(10), note(0, 1));
        r.observe(
            CpuId(0),
            Cycles(30),
            Observation::Violation(Violation {
                kind: ViolationKind::EarlyRelease,
                region: Some(Region(3)),
                detail: "planted".into(),
            }),
        );
        let m = r.finish(Cycles(30));
        assert_eq!(m.violation_count, 1);
        let times: Vec<_> = m.violations[0].history.iter().map(|e| e.at.0).collect();
        assert_eq!(times, [10, 20]);
    }
}
