//! lock_stat's table, kept as locks change hands.
//!
//! Contention is counted in two ways: *queued* (what the kernel's contention tracepoint sees) and any
//! failed first attempt (what lock_stat counts). It is *true* when the holder that a waiter meets at
//! arrival works on the same 2 MiB region, else *false*; the time waited is split by the region of
//! each successive holder. That split needs all holders in one place: a simulated run has them, native
//! threads share only the present holder ([`HolderBoard`]) and split by that one. *Contention points* are the
//! operations in which CPUs wait and, simulated, those in which the lock is held meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;

use super::observation::{LockClass, LockClassId, LockStep};
use super::op::Op;
use super::recorder::CpuPlace;
use super::span_tree::PathId;
use crate::units::{CpuId, Cycles, Region};

/// A [`LockStep`] with its circumstances.
pub(super) struct LockEvent {
    pub(super) cpu: CpuId,
    pub(super) now: Cycles,
    pub(super) class: LockClassId,
    pub(super) instance: u32,
    pub(super) shared: bool,
    pub(super) region: Region,
    /// The operation that takes the lock.
    pub(super) path: PathId,
}

/// Distribution of a time, in cycles.
#[derive(Clone, Debug)]
pub struct LockWait {
    /// Sum.
    pub total: u64,
    /// Distribution, three significant digits.
    pub histogram: Histogram<u64>,
}

impl LockWait {
    fn new() -> Self {
        Self { total: 0, histogram: Histogram::new(3).expect("3 significant digits are supported") }
    }

    fn record(&mut self, length: Cycles) {
        self.total += length.0;
        self.histogram.record(length.0).expect("an auto-resizing histogram takes any value");
    }

    fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.histogram.add(&other.histogram).expect("equal precision");
    }
}

/// What is known of one class of locks at the end of a run; times in cycles.
#[derive(Clone, Debug)]
pub struct LockClassStats {
    /// The class.
    pub class: LockClass,
    /// Acquisitions.
    pub acquisitions: u64,
    /// Acquisitions whose previous holder was another CPU.
    pub acq_bounces: u64,
    /// Failed first attempts.
    pub contentions: u64,
    /// Those of them whose previous holder was another CPU.
    pub con_bounces: u64,
    /// Those of them that went through a queue.
    pub queued_contentions: u64,
    /// The holder at arrival worked on the same region.
    pub true_contentions: u64,
    /// It worked on another one.
    pub false_contentions: u64,
    /// Tries that gave up.
    pub abandoned: u64,
    /// From the failed first attempt to the acquisition.
    pub wait: LockWait,
    /// Part of the wait during which the holder worked on the waiter's region.
    pub true_wait: u64,
    /// From acquisition to release.
    pub hold: LockWait,
    /// Hand-offs by distance: same CPU, same core, same last-level cache, same node, other node.
    pub handoffs: [u64; 5],
    /// Most waiters at once. (Their average is `wait.total` over the run's length: Little's law.)
    pub queue_max: u64,
    /// Acquisitions by CPU, for fairness.
    pub by_cpu: Vec<u64>,
    /// Acquisitions in shared mode.
    pub shared_acquisitions: u64,
    /// Contentions by the operations in which they arose, outermost first.
    pub waiting_in: BTreeMap<Vec<Op>, u64>,
    /// The same by what the holder did then, where it is known.
    pub held_in: BTreeMap<Vec<Op>, u64>,
}

impl LockClassStats {
    fn new(class: LockClass, cpus: usize) -> Self {
        Self {
            class,
            acquisitions: 0,
            acq_bounces: 0,
            contentions: 0,
            con_bounces: 0,
            queued_contentions: 0,
            true_contentions: 0,
            false_contentions: 0,
            abandoned: 0,
            wait: LockWait::new(),
            true_wait: 0,
            hold: LockWait::new(),
            handoffs: [0; 5],
            queue_max: 0,
            by_cpu: vec![0; cpus],
            shared_acquisitions: 0,
            waiting_in: BTreeMap::new(),
            held_in: BTreeMap::new(),
        }
    }

    /// Jain's index over the CPUs that took the lock at all: 1 is fair, 1/n is one CPU alone.
    #[must_use]
    pub fn fairness_jain(&self) -> Option<f64> {
        let counts: Vec<f64> = self.by_cpu.iter().filter(|n| **n > 0).map(|n| *n as f64).collect();
        let sum: f64 = counts.iter().sum();
        let squares: f64 = counts.iter().map(|n| n * n).sum();
        (sum > 0.0).then(|| sum * sum / (counts.len() as f64 * squares))
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.acquisitions += other.acquisitions;
        self.acq_bounces += other.acq_bounces;
        self.contentions += other.contentions;
        self.con_bounces += other.con_bounces;
        self.queued_contentions += other.queued_contentions;
        self.true_contentions += other.true_contentions;
        self.false_contentions += other.false_contentions;
        self.abandoned += other.abandoned;
        self.wait.merge(&other.wait);
        self.true_wait += other.true_wait;
        self.hold.merge(&other.hold);
        for (mine, theirs) in self.handoffs.iter_mut().zip(other.handoffs) {
            *mine += theirs;
        }
        self.queue_max = self.queue_max.max(other.queue_max);
        for (mine, theirs) in self.by_cpu.iter_mut().zip(&other.by_cpu) {
            *mine += theirs;
        }
        self.shared_acquisitions += other.shared_acquisitions;
        let points =
            [(&mut self.waiting_in, &other.waiting_in), (&mut self.held_in, &other.held_in)];
        for (mine, theirs) in points {
            for (path, count) in theirs {
                *mine.entry(path.clone()).or_default() += count;
            }
        }
    }
}

/// Contention points of a class, by path.
#[derive(Clone, Debug, Default)]
struct Points {
    waiting: FxHashMap<PathId, u64>,
    held: FxHashMap<PathId, u64>,
}

/// The present holder of each lock, shared by the recorders of native threads.
///
/// A relaxed store an acquisition, on a line of the board's own: the price of telling true from false
/// contention natively.
#[derive(Debug)]
pub struct HolderBoard {
    first: Vec<usize>,
    holders: Vec<AtomicU64>,
}

impl HolderBoard {
    /// A board for these classes.
    #[must_use]
    pub fn new(classes: &[LockClass]) -> Self {
        let mut first = Vec::with_capacity(classes.len());
        let mut total = 0;
        for class in classes {
            first.push(total);
            total += class.instances;
        }
        Self { first, holders: (0..total).map(|_| AtomicU64::new(0)).collect() }
    }

    fn cell(&self, event: &LockEvent) -> &AtomicU64 {
        &self.holders[self.first[usize::from(event.class.0)] + event.instance as usize]
    }

    fn publish(&self, event: &LockEvent) {
        let holder = (u64::from(event.region.0) << 16 | u64::from(event.cpu.0)) + 1;
        self.cell(event).store(holder, Ordering::Relaxed);
    }

    /// What it does is not published.
    fn holder(&self, event: &LockEvent) -> Option<Holder> {
        let packed = self.cell(event).load(Ordering::Relaxed).checked_sub(1)?;
        let (cpu, region) = (CpuId(packed as u16), Region((packed >> 16) as u32));
        Some(Holder { cpu, region, path: None })
    }
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    cpu: CpuId,
    region: Region,
    path: Option<PathId>,
}

/// The ground truth of one lock instance.
#[derive(Clone, Debug, Default)]
struct Instance {
    last: Option<Holder>,
    held_since: Option<Cycles>,
    /// End of the latest hold. A simulated CPU that runs ahead reports its release before others
    /// report what they did meanwhile, so this may lie in the future of the asker.
    held_until: Cycles,
    /// Time held so far, by the region it was held for.
    held: FxHashMap<Region, u64>,
    waiters: u64,
}

impl Instance {
    /// Cycles for which the lock was held for `region` until `now`.
    fn held_for(&self, region: Region, now: Cycles) -> u64 {
        let ended = self.held.get(&region).copied().unwrap_or(0);
        match (self.last, self.held_since) {
            (Some(last), Some(since)) if last.region == region => {
                ended + now.0.saturating_sub(since.0)
            }
            (Some(last), None) if last.region == region => {
                ended - self.held_until.0.saturating_sub(now.0).min(ended)
            }
            _ => ended,
        }
    }
}

#[derive(Clone, Debug)]
struct Open {
    class: LockClassId,
    instance: u32,
    contended: Option<Contended>,
    acquired: Cycles,
}

#[derive(Clone, Copy, Debug)]
struct Contended {
    at: Cycles,
    is_true: bool,
    held_for_region: u64,
}

/// All classes of a run.
pub(super) struct LockBook {
    cpus: Vec<CpuPlace>,
    stats: Vec<LockClassStats>,
    instances: Vec<FxHashMap<u32, Instance>>,
    open: Vec<Vec<Open>>,
    points: Vec<Points>,
    board: Option<Arc<HolderBoard>>,
}

impl LockBook {
    pub(super) fn new(
        cpus: Vec<CpuPlace>,
        classes: &[LockClass],
        board: Option<Arc<HolderBoard>>,
    ) -> Self {
        let stats: Vec<_> =
            classes.iter().map(|c| LockClassStats::new(c.clone(), cpus.len())).collect();
        Self {
            open: vec![Vec::new(); cpus.len()],
            instances: vec![FxHashMap::default(); stats.len()],
            points: vec![Points::default(); stats.len()],
            cpus,
            stats,
            board,
        }
    }

    pub(super) fn step(&mut self, event: &LockEvent, step: LockStep) {
        match step {
            LockStep::Request => self.open[usize::from(event.cpu.0)].push(Open {
                class: event.class,
                instance: event.instance,
                contended: None,
                acquired: Cycles(0),
            }),
            LockStep::Contended { queued } => self.contended(event, queued),
            LockStep::Acquired => self.acquired(event),
            LockStep::Abandoned => self.abandoned(event),
            LockStep::Released => self.released(event),
        }
    }

    fn open_of(&mut self, event: &LockEvent) -> Option<(usize, &mut Open)> {
        let open = &mut self.open[usize::from(event.cpu.0)];
        open.iter_mut()
            .enumerate()
            .rev()
            .find(|(_, o)| o.class == event.class && o.instance == event.instance)
    }

    fn instance(&mut self, event: &LockEvent) -> &mut Instance {
        self.instances[usize::from(event.class.0)].entry(event.instance).or_default()
    }

    fn contended(&mut self, event: &LockEvent, queued: bool) {
        let board_holder = self.board.as_ref().map(|board| board.holder(event));
        let instance = self.instance(event);
        let holder = board_holder.unwrap_or(instance.last);
        let is_true = holder.is_some_and(|h| h.region == event.region);
        let held_for_region = instance.held_for(event.region, event.now);
        let Some((_, open)) = self.open_of(event) else {
            return;
        };
        // A lock may report its queue path after its failed first try: the first report counts.
        let first = open.contended.is_none();
        if first {
            open.contended = Some(Contended { at: event.now, is_true, held_for_region });
        }
        let stats = &mut self.stats[usize::from(event.class.0)];
        stats.queued_contentions += u64::from(queued);
        if !first {
            return;
        }
        stats.contentions += 1;
        stats.con_bounces += u64::from(holder.is_some_and(|h| h.cpu != event.cpu));
        if is_true {
            stats.true_contentions += 1;
        } else {
            stats.false_contentions += 1;
        }
        let points = &mut self.points[usize::from(event.class.0)];
        *points.waiting.entry(event.path).or_default() += 1;
        if let Some(path) = holder.and_then(|holder| holder.path) {
            *points.held.entry(path).or_default() += 1;
        }
        self.waiters(event, 1);
    }

    fn waiters(&mut self, event: &LockEvent, change: i64) {
        let instance = self.instance(event);
        instance.waiters = instance.waiters.saturating_add_signed(change);
        let waiters = instance.waiters;
        let stats = &mut self.stats[usize::from(event.class.0)];
        stats.queue_max = stats.queue_max.max(waiters);
    }

    fn acquired(&mut self, event: &LockEvent) {
        let Some((_, open)) = self.open_of(event) else {
            return;
        };
        open.acquired = event.now;
        let contended = open.contended;
        if contended.is_some() {
            self.waiters(event, -1);
        }
        let own = self.board.is_none();
        let board_last = self.board.as_ref().and_then(|board| board.holder(event));
        let instance = self.instance(event);
        let last = if own { instance.last } else { board_last };
        let held_for = instance.held_for(event.region, event.now);
        if !event.shared {
            let (cpu, region, path) = (event.cpu, event.region, Some(event.path));
            instance.last = Some(Holder { cpu, region, path });
            instance.held_since = Some(event.now);
        }
        if let Some(board) = self.board.as_ref().filter(|_| !event.shared) {
            board.publish(event);
        }
        let distance = last.map(|last| self.distance(last.cpu, event.cpu));
        let stats = &mut self.stats[usize::from(event.class.0)];
        stats.acquisitions += 1;
        stats.shared_acquisitions += u64::from(event.shared);
        stats.by_cpu[usize::from(event.cpu.0)] += 1;
        if let Some(distance) = distance {
            stats.acq_bounces += u64::from(distance != 0);
            stats.handoffs[distance] += 1;
        }
        if let Some(contended) = contended {
            let wait = event.now - contended.at;
            stats.wait.record(wait);
            stats.true_wait += if own {
                held_for.saturating_sub(contended.held_for_region).min(wait.0)
            } else if contended.is_true {
                wait.0
            } else {
                0
            };
        }
    }

    fn abandoned(&mut self, event: &LockEvent) {
        if let Some((index, _)) = self.open_of(event) {
            self.open[usize::from(event.cpu.0)].remove(index);
            self.stats[usize::from(event.class.0)].abandoned += 1;
        }
    }

    fn released(&mut self, event: &LockEvent) {
        let Some((index, open)) = self.open_of(event) else {
            return;
        };
        let hold = event.now - open.acquired;
        self.open[usize::from(event.cpu.0)].remove(index);
        self.stats[usize::from(event.class.0)].hold.record(hold);
        if self.board.is_some() || event.shared {
            return;
        }
        let instance = self.instance(event);
        if let (Some(last), Some(since)) = (instance.last, instance.held_since.take()) {
            *instance.held.entry(last.region).or_default() += event.now.0.saturating_sub(since.0);
            instance.held_until = event.now;
        }
    }

    fn distance(&self, from: CpuId, to: CpuId) -> usize {
        let (a, b) = (self.cpus[usize::from(from.0)], self.cpus[usize::from(to.0)]);
        if from == to {
            0
        } else if a.node != b.node {
            4
        } else if a.llc != b.llc {
            3
        } else if a.core != b.core {
            2
        } else {
            1
        }
    }

    pub(super) fn classes(&self) -> Vec<LockClass> {
        self.stats.iter().map(|stats| stats.class.clone()).collect()
    }

    /// The stats; `ops` spells a path out.
    pub(super) fn finish(self, ops: impl Fn(PathId) -> Vec<Op>) -> Vec<LockClassStats> {
        let spelt = |counts: FxHashMap<PathId, u64>| {
            counts.into_iter().map(|(path, count)| (ops(path), count)).collect()
        };
        let with_points = |(stats, points): (LockClassStats, Points)| LockClassStats {
            waiting_in: spelt(points.waiting),
            held_in: spelt(points.held),
            ..stats
        };
        self.stats.into_iter().zip(self.points).map(with_points).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::LockKind;

    fn book() -> LockBook {
        let class = LockClass { name: "l".into(), kind: LockKind::Spinlock, instances: 1 };
        let cpus = (0..4).map(|i| CpuPlace { core: i, llc: 0, node: (i / 2) as u8 }).collect();
        LockBook::new(cpus, &[class], None)
    }

    fn event(cpu: u16, now: u64, region: u32) -> LockEvent {
        LockEvent {
            cpu: CpuId(cpu),
            now: Cycles(now),
            class: LockClassId(0),
            instance: 0,
            shared: false,
            region: Region(region),
            path: PathId::default(),
        }
    }

    #[test]
    fn wait_is_split_by_the_region_of_each_successive_holder() {
        let mut book = book();
        let queued = LockStep::Contended { queued: true };
        book.step(&event(0, 0, 7), LockStep::Request);
        book.step(&event(0, 0, 7), LockStep::Acquired);
        // CPU 1 waits for region 9: first behind CPU 0 (region 7), then behind CPU 2 (region 9).
        book.step(&event(2, 10, 9), LockStep::Request);
        book.step(&event(2, 10, 9), queued);
        book.step(&event(1, 20, 9), LockStep::Request);
        book.step(&event(1, 20, 9), queued);
        book.step(&event(0, 100, 7), LockStep::Released);
        book.step(&event(2, 100, 9), LockStep::Acquired);
        book.step(&event(2, 150, 9), LockStep::Released);
        book.step(&event(1, 150, 9), LockStep::Acquired);
        book.step(&event(1, 160, 9), LockStep::Released);
        let stats = &book.finish(|_| Vec::new())[0];
        assert_eq!((stats.contentions, stats.true_contentions, stats.false_contentions), (2, 0, 2));
        assert_eq!(stats.wait.total, 90 + 130);
        assert_eq!(stats.true_wait, 50);
        assert_eq!(stats.hold.total, 100 + 50 + 10);
        assert_eq!(stats.queue_max, 2);
        assert_eq!(stats.handoffs, [0, 0, 0, 0, 2], "0 -> 2 and 2 -> 1 cross a node");
    }

    #[test]
    fn a_release_reported_ahead_of_a_waiter_still_counts_as_its_wait() {
        let mut book = book();
        book.step(&event(0, 0, 7), LockStep::Request);
        book.step(&event(0, 0, 7), LockStep::Acquired);
        book.step(&event(0, 100, 7), LockStep::Released);
        book.step(&event(1, 40, 7), LockStep::Request);
        book.step(&event(1, 40, 7), LockStep::Contended { queued: false });
        book.step(&event(1, 110, 7), LockStep::Acquired);
        let stats = &book.finish(|_| Vec::new())[0];
        assert_eq!((stats.wait.total, stats.true_wait), (70, 60));
    }

    #[test]
    fn a_try_that_fails_is_abandoned_and_holds_nothing() {
        let mut book = book();
        book.step(&event(0, 0, 1), LockStep::Request);
        book.step(&event(0, 5, 1), LockStep::Abandoned);
        let stats = &book.finish(|_| Vec::new())[0];
        assert_eq!((stats.abandoned, stats.acquisitions, stats.contentions), (1, 0, 0));
    }
}
