//! From what a world measured to the result schema.

use std::collections::BTreeMap;

use pamt_reports::schema::{
    Comparability, ContentionPoint, Correctness, Experiment as Echo, Handoffs, HistoryRow, LockRow,
    Memory, MemorySample, ObjectRow, OpRow, Provenance, Run, RunResult, SpanRow, TdRow, Throughput,
    Verdict, ViolationRow, World,
};
use pamt_sim::machine::Profile;
use pamt_strategies::measure::{LockClassStats, LockKind, LockWait, Measurement, Op, OpStats};
use pamt_strategies::module::StatusName;
use pamt_strategies::units::{Clock, Cycles};
use serde_json::Value;

use super::Prepared;
use super::world::what_if;
use crate::books::Census;
use crate::workloads::Progress;

/// A run that has ended.
pub(super) struct Finished<'a> {
    pub(super) world: World,
    pub(super) clock: Clock,
    pub(super) elapsed: Cycles,
    pub(super) measurement: Measurement,
    pub(super) strategy_bytes: u64,
    pub(super) pamt_pages_end: u64,
    /// What pairs cost in memory, at times that the workload chose.
    pub(super) censuses: Vec<Census>,
    pub(super) progress: &'a Progress,
    /// Cache lines by object, where they are known.
    pub(super) lines: BTreeMap<String, ObjectRow>,
    pub(super) notes: Vec<String>,
}

/// The run as the result file holds it.
pub(super) fn to_run(prepared: &Prepared, finished: Finished<'_>) -> Run {
    Run {
        comparability: comparability(prepared, finished.world),
        experiment: echo(prepared),
        provenance: Some(Provenance {
            command: prepared.experiment.command(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Provenance::default()
        }),
        result: result(prepared, finished),
    }
}

fn echo(prepared: &Prepared) -> Echo {
    let asked = &prepared.experiment;
    let parameters = prepared.settings.iter().map(|(k, v)| (k.to_owned(), Value::from(v)));
    let of_machine = asked.set.iter().filter(|(key, _)| key.starts_with("machine."));
    let of_machine = of_machine.map(|(k, v)| (k.clone(), Value::from(v.as_str())));
    Echo {
        backend: asked.backend.name().to_owned(),
        machine: prepared.profile.name().to_owned(),
        memory_bytes: Some(asked.memory_bytes),
        page_size: Some(asked.page_size.clone()),
        pamt_pages: Some(asked.pamt_pages.clone()),
        parameters: parameters.chain(of_machine).collect(),
        placement: Some(asked.placement.clone()),
        run: u64::from(asked.run),
        seed: asked.seed,
        strategy: asked.strategy.clone(),
        tds: Some(u64::from(asked.tds)),
        vcpus: Some(u64::from(asked.vcpus)),
        workload: asked.workload.clone(),
    }
}

/// What must be equal for two runs to be compared: everything asked for but strategy, seed and
/// repetition.
fn comparability(prepared: &Prepared, world: World) -> Comparability {
    let asked = &prepared.experiment;
    let mut parts = BTreeMap::from([
        ("backend".to_owned(), asked.backend.name().to_owned()),
        ("machine".to_owned(), prepared.profile.name().to_owned()),
        ("machine_values".to_owned(), machine_values(&prepared.profile)),
        ("memory".to_owned(), asked.memory_bytes.to_string()),
        ("page_size".to_owned(), asked.page_size.clone()),
        ("pamt_pages".to_owned(), asked.pamt_pages.clone()),
        ("placement".to_owned(), asked.placement.clone()),
        ("tds".to_owned(), asked.tds.to_string()),
        ("vcpus".to_owned(), asked.vcpus.to_string()),
        ("workload".to_owned(), asked.workload.clone()),
        ("world".to_owned(), world.name().to_owned()),
    ]);
    let fingerprint = prepared.replay.iter().map(|replay| format!("{:016x}", replay.fingerprint));
    parts.extend(fingerprint.map(|print| ("trace".to_owned(), print)));
    parts.extend(prepared.settings.iter().map(|(k, v)| (format!("set.{k}"), v.to_owned())));
    Comparability::new(parts)
}

/// A hash of the machine's topology and values: a changed file is another machine, whatever its name.
fn machine_values(profile: &Profile) -> String {
    let values = profile.values().map(|(key, value)| (key.to_owned(), value.v.to_string()));
    let topology = ("topology".to_owned(), format!("{:?}", profile.topology()));
    Comparability::new(values.chain([topology]).collect()).key
}

fn result(prepared: &Prepared, finished: Finished<'_>) -> RunResult {
    let Finished { clock, elapsed, measurement: m, progress, lines, mut notes, .. } = finished;
    let failure = progress.failure();
    notes.extend(what_if(prepared));
    notes.extend(failure.iter().map(ToString::to_string));
    let elapsed_ns = clock.ns(elapsed).0;
    RunResult {
        busy: busy(&m),
        correctness: correctness(prepared, &m, clock),
        counters: BTreeMap::new(),
        lines,
        locks: m.locks.iter().map(|l| (l.class.name.clone(), lock(l, clock, elapsed))).collect(),
        memory: Memory {
            pamt_pages_end: Some(finished.pamt_pages_end),
            pamt_pages_peak: Some(2 * m.pairs.peak),
            samples: samples(&finished.censuses, &m, clock),
            strategy_bytes: Some(finished.strategy_bytes),
            unmappable_regions_peak: finished.censuses.iter().map(|c| c.unmappable_regions).max(),
            ..Memory::default()
        },
        irq_off_max_ns: m.sections.irq_off.map(|length| clock.ns(length).0),
        noise: None,
        notes,
        ops: m
            .ops
            .iter()
            .map(|(op, stats)| (op.name().to_owned(), operation(stats, clock)))
            .collect(),
        partial: failure.is_some(),
        preempt_off_max_ns: m.sections.preempt_off.map(|length| clock.ns(length).0),
        retries: m.retries.iter().map(|(op, count)| (op.name().to_owned(), *count)).collect(),
        spans: spans(&m, clock),
        statuses: statuses(&m),
        tds: tds(progress, clock),
        timeline: None,
        throughput: (elapsed_ns > 0).then(|| Throughput {
            count: progress.done(),
            per_second: progress.done() as f64 * 1e9 / elapsed_ns as f64,
            unit: prepared.workload.info().unit.to_owned(),
        }),
        virtual_time_ns: elapsed_ns,
        world: finished.world,
    }
}

/// What the module held as pairs came and went, and the censuses, which know more, in order of time.
fn samples(censuses: &[Census], m: &Measurement, clock: Clock) -> Vec<MemorySample> {
    let held = m.held.samples.iter().map(|(at, pairs)| MemorySample {
        at_ns: clock.ns(*at).0,
        pamt_pages: 2 * pairs,
        ..MemorySample::default()
    });
    let censuses = censuses.iter().map(|census| MemorySample {
        at_ns: clock.ns(census.at).0,
        pamt_pages: census.pamt_pages,
        pamt_pages_least: Some(census.pamt_pages_least),
        unmappable_regions: Some(census.unmappable_regions),
    });
    let mut samples: Vec<MemorySample> = held.chain(censuses).collect();
    samples.sort_by_key(|sample| sample.at_ns);
    samples
}

/// lock_stat shows so many contention points of waiters, and of holders.
const POINTS: usize = 4;

/// The commonest of `counts` by path of operations.
fn points(counts: &BTreeMap<Vec<Op>, u64>) -> Vec<ContentionPoint> {
    let name = |path: &[Op]| path.iter().map(|op| op.name()).collect::<Vec<_>>().join(" > ");
    let point =
        |(path, count): (&Vec<Op>, &u64)| ContentionPoint { count: *count, name: name(path) };
    let mut points: Vec<ContentionPoint> = counts.iter().map(point).collect();
    points.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    points.truncate(POINTS);
    points
}

fn operation(stats: &OpStats, clock: Clock) -> OpRow {
    let histogram = &stats.histogram;
    let ns = |cycles: u64| clock.ns(Cycles(cycles)).0;
    let at = |quantile: f64| ns(histogram.value_at_quantile(quantile));
    let count = histogram.len();
    let mut buckets: Vec<[u64; 2]> = Vec::new();
    for bucket in histogram.iter_recorded() {
        let value = ns(bucket.value_iterated_to());
        match buckets.last_mut() {
            Some([last, sum]) if *last == value => *sum += bucket.count_at_value(),
            _ => buckets.push([value, bucket.count_at_value()]),
        }
    }
    OpRow {
        count,
        histogram: buckets,
        max_ns: ns(histogram.max()),
        mean_ns: ns((stats.total + count / 2).checked_div(count).unwrap_or(0)),
        min_ns: Some(ns(histogram.min())),
        p50_ns: at(0.5),
        p90_ns: Some(at(0.9)),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        total_ns: ns(stats.total),
    }
}

/// Minimum, mean, maximum and three quantiles of a time, absent where nothing was recorded.
struct Times {
    min: Option<u64>,
    avg: Option<u64>,
    max: Option<u64>,
    total: u64,
    at: [Option<u64>; 3],
}

fn times(wait: &LockWait, clock: Clock) -> Times {
    let some = !wait.histogram.is_empty();
    let ns = |cycles: u64| some.then(|| clock.ns(Cycles(cycles)).0);
    Times {
        min: ns(wait.histogram.min()),
        avg: ns(wait.total.checked_div(wait.histogram.len()).unwrap_or(0)),
        max: ns(wait.histogram.max()),
        total: clock.ns(Cycles(wait.total)).0,
        at: [0.5, 0.99, 0.999].map(|quantile| ns(wait.histogram.value_at_quantile(quantile))),
    }
}

fn lock(stats: &LockClassStats, clock: Clock, elapsed: Cycles) -> LockRow {
    let (wait, hold) = (times(&stats.wait, clock), times(&stats.hold, clock));
    let [same_cpu, same_core, same_llc, same_node, remote] = stats.handoffs;
    let instances = stats.class.instances as u64;
    let per_elapsed = |cycles: u64, over: u64| {
        (elapsed.0 > 0 && over > 0).then(|| cycles as f64 / elapsed.0 as f64 / over as f64)
    };
    LockRow {
        abandoned: Some(stats.abandoned),
        acq_bounces: stats.acq_bounces,
        acquisitions: stats.acquisitions,
        acquisitions_by_cpu: stats.by_cpu.clone(),
        con_bounces: stats.con_bounces,
        contentions: stats.contentions,
        false_contentions: stats.false_contentions,
        fairness_jain: stats.fairness_jain(),
        handoffs: Some(Handoffs { same_cpu, same_core, same_llc, same_node, remote }),
        hold_p50_ns: hold.at[0],
        hold_p99_ns: hold.at[1],
        holdtime_avg_ns: hold.avg,
        holdtime_max_ns: hold.max,
        holdtime_min_ns: hold.min,
        holdtime_total_ns: hold.total,
        instances: Some(instances),
        kind: match stats.class.kind {
            LockKind::Spinlock => "spinlock",
            LockKind::Rwlock => "rwlock",
            LockKind::Mutex => "mutex",
        }
        .to_owned(),
        points_holders: points(&stats.held_in),
        points_waiters: points(&stats.waiting_in),
        queue_avg: per_elapsed(stats.wait.total, 1),
        queue_max: Some(stats.queue_max),
        queued_contentions: Some(stats.queued_contentions),
        shared_acquisitions: (stats.class.kind == LockKind::Rwlock)
            .then_some(stats.shared_acquisitions),
        true_contentions: stats.true_contentions,
        true_wait_ns: Some(clock.ns(Cycles(stats.true_wait)).0),
        // The utilisation law: acquisitions per time times mean hold is the time held over the run.
        utilisation: per_elapsed(stats.hold.total, instances),
        wait_p50_ns: wait.at[0],
        wait_p99_ns: wait.at[1],
        wait_p999_ns: wait.at[2],
        waittime_avg_ns: wait.avg,
        waittime_max_ns: wait.max,
        waittime_min_ns: wait.min,
        waittime_total_ns: wait.total,
    }
}

fn busy(m: &Measurement) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut rows: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for ((leaf, status), count) in &m.statuses {
        if status.is(StatusName::OperandBusy) {
            let operand = status.operand().to_string();
            *rows.entry(leaf.name().to_owned()).or_default().entry(operand).or_default() += count;
        }
    }
    rows
}

fn statuses(m: &Measurement) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut rows: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for ((leaf, status), count) in &m.statuses {
        rows.entry(leaf.name().to_owned()).or_default().insert(status.to_string(), *count);
    }
    rows
}

fn spans(m: &Measurement, clock: Clock) -> Vec<SpanRow> {
    m.spans
        .paths()
        .map(|path| SpanRow {
            count: path.count,
            path: path.ops.iter().map(|op| op.name().to_owned()).collect(),
            self_ns: clock.ns(Cycles(path.self_cycles)).0,
        })
        .collect()
}

fn tds(progress: &Progress, clock: Clock) -> Vec<TdRow> {
    let rows = progress.tallies().into_iter().enumerate().filter_map(|(td, tally)| {
        let elapsed = tally.ended - tally.begun?;
        Some(TdRow {
            elapsed_ns: clock.ns(elapsed).0,
            lock_wait_ns: None,
            pages: tally.pages,
            td: td as u64,
        })
    });
    rows.collect()
}

fn correctness(prepared: &Prepared, m: &Measurement, clock: Clock) -> Correctness {
    let known_unsound = prepared.known_unsound();
    let violations = m.violations.iter().map(|found| ViolationRow {
        at_ns: clock.ns(found.at).0,
        cpu: u32::from(found.cpu.0),
        detail: found.violation.detail.clone(),
        expected: known_unsound,
        history: found
            .history
            .iter()
            .map(|entry| HistoryRow {
                at_ns: clock.ns(entry.at).0,
                cpu: u32::from(entry.cpu.0),
                what: entry.what.to_string(),
            })
            .collect(),
        kind: found.violation.kind.name().to_owned(),
        region: found.violation.region.map(|region| u64::from(region.0)),
    });
    Correctness {
        known_unsound,
        pairs_added: m.pairs.added,
        pairs_removed: m.pairs.removed,
        verdict: match (m.violation_count, known_unsound) {
            (0, _) => Verdict::Clean,
            (_, true) => Verdict::ExpectedViolations,
            (_, false) => Verdict::Violations,
        },
        violation_count: m.violation_count,
        violations: violations.collect(),
    }
}
