//! In-kernel runs (`--backend hw --in-kernel`): the helper's C twins on kernel threads.
//!
//! Each of `tds` x `vcpus` threads, bound to a CPU each, takes references on random regions, holds
//! `depth` of them at a time and puts the oldest back: the churn of references that boots, faults and
//! teardowns are for a strategy, without KVM around it. There is no ioctl and no userspace lock in the
//! times, but two TSC reads around each get, put and SEAMCALL are (25 to 50 ns).

use std::collections::BTreeMap;

use pamt_hw::{InKernelRun, Twin, abi};
use pamt_reports::schema::{
    Comparability, Correctness, Experiment, Memory, OpRow, Provenance, Run, RunResult, Throughput,
    Verdict, ViolationRow, World,
};
use pamt_strategies::measure::{Op, ViolationKind};
use pamt_strategies::module::{Leaf, Operand};
use pamt_strategies::platform::native::host_cpus;
use pamt_strategies::registry::StrategySpec;
use serde_json::Value;

use super::RunError;
use super::hw::{lost, module_notes, open};

/// Its name where results have the name of a workload.
const WORKLOAD: &str = "in-kernel";
/// Regions that backing pages come from for each thread, besides one for all: a thread keeps 16 pairs
/// of 256 that a region holds.
const THREADS_PER_BACKING: u32 = 8;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct InKernel {
    /// Spec of the strategy.
    pub(crate) strategy: String,
    /// TDs: groups of threads, for the sizes only.
    pub(crate) tds: u32,
    /// Threads of each.
    pub(crate) vcpus: u32,
    /// Target regions of all.
    pub(crate) regions: u32,
    /// Gets of each thread.
    pub(crate) ops: u32,
    /// References that each holds.
    pub(crate) depth: u32,
    /// Seed of the choice of regions.
    pub(crate) seed: u64,
    /// Which repetition.
    pub(crate) repetition: u32,
    /// More threads than CPUs are allowed.
    pub(crate) oversubscribe: bool,
}

/// Runs it.
pub(crate) fn run(asked: &InKernel) -> Result<Run, RunError> {
    let spec = StrategySpec::parse(&asked.strategy)?;
    let twin = Twin::of(&spec)?;
    let cpus = cpus(asked)?;
    let (device, probe) = open()?;
    let backing = asked.regions.div_ceil(256) + cpus.len() as u32 / THREADS_PER_BACKING + 1;
    device.alloc(asked.regions + backing).map_err(|error| lost(&error))?;
    let run = InKernelRun {
        twin,
        cpus: &cpus,
        depth: asked.depth,
        regions: asked.regions,
        backing,
        ops: asked.ops,
        seed: asked.seed.wrapping_add(u64::from(asked.repetition)),
    };
    let result = device.run(&run).map_err(|error| lost(&error))?;
    Ok(to_run(asked, &spec, &probe, &result))
}

/// The CPU of each thread.
fn cpus(asked: &InKernel) -> Result<Vec<u32>, RunError> {
    let host = host_cpus();
    let needed = asked.tds as usize * asked.vcpus as usize;
    if needed > host.len() && !asked.oversubscribe {
        return Err(RunError::Oversubscribed { backend: "hw", needed, cpus: host.len() });
    }
    Ok((0..needed).map(|thread| host[thread % host.len()].number as u32).collect())
}

fn to_run(asked: &InKernel, spec: &StrategySpec, probe: &abi::Probe, r: &abi::RunResult) -> Run {
    let parameters: BTreeMap<_, _> =
        [("depth", asked.depth), ("ops", asked.ops), ("regions", asked.regions)]
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .into();
    let mut parts: BTreeMap<_, _> =
        parameters.iter().map(|(key, value)| (format!("set.{key}"), value.to_string())).collect();
    for (key, value) in [("tds", asked.tds), ("vcpus", asked.vcpus)] {
        parts.insert(key.to_owned(), value.to_string());
    }
    for (key, value) in [("backend", "hw"), ("workload", WORKLOAD), ("world", "measured")] {
        parts.insert(key.to_owned(), value.to_owned());
    }
    Run {
        comparability: Comparability::new(parts),
        experiment: Experiment {
            backend: "hw".to_owned(),
            machine: "this host".to_owned(),
            parameters,
            run: u64::from(asked.repetition),
            seed: asked.seed,
            strategy: asked.strategy.clone(),
            tds: Some(u64::from(asked.tds)),
            vcpus: Some(u64::from(asked.vcpus)),
            workload: WORKLOAD.to_owned(),
            ..Experiment::default()
        },
        provenance: Some(Provenance {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Provenance::default()
        }),
        result: result(spec, probe, r),
    }
}

fn result(spec: &StrategySpec, probe: &abi::Probe, r: &abi::RunResult) -> RunResult {
    let ticks = Ticks { khz: u64::from(probe.tsc_khz).max(1) };
    let elapsed_ns = ticks.ns(r.elapsed);
    let (add, remove) = (Leaf::PhymemPamtAdd, Leaf::PhymemPamtRemove);
    let ops = [
        (Op::PamtGet, &r.get),
        (Op::PamtPut, &r.put),
        (Op::Leaf(add), &r.add),
        (Op::Leaf(remove), &r.remove),
    ];
    let busy = [(add, &r.busy_add), (remove, &r.busy_remove)];
    let busy = busy.into_iter().filter(|(_, counts)| counts.iter().any(|count| *count > 0));
    let mut notes = vec![
        "C twin on kernel threads; gets and puts on random regions; two TSC reads are in each time"
            .to_owned(),
    ];
    notes.extend(module_notes(probe));
    RunResult {
        busy: busy.map(|(leaf, counts)| (leaf.name().to_owned(), by_operand(counts))).collect(),
        correctness: correctness(spec, r),
        memory: Memory { pamt_pages_end: Some(2 * r.left_pairs), ..Memory::default() },
        notes,
        ops: ops.into_iter().map(|(op, h)| (op.name().to_owned(), ticks.row(h))).collect(),
        throughput: (elapsed_ns > 0).then(|| Throughput {
            count: r.get.count,
            per_second: r.get.count as f64 * 1e9 / elapsed_ns as f64,
            unit: "gets".to_owned(),
        }),
        virtual_time_ns: elapsed_ns,
        world: World::Measured,
        ..RunResult::default()
    }
}

/// BUSY by operand, as the simulator has it.
fn by_operand(counts: &[u64; abi::BUSY_SLOTS]) -> BTreeMap<String, u64> {
    let name = |slot| match slot {
        abi::BUSY_RCX => Operand::RCX.to_string(),
        abi::BUSY_RDX => Operand::RDX.to_string(),
        abi::BUSY_R8 => Operand::R8.to_string(),
        _ => "another operand".to_owned(),
    };
    let met = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    met.map(|(slot, count)| (name(slot), *count)).collect()
}

fn correctness(spec: &StrategySpec, r: &abi::RunResult) -> Correctness {
    let expected = spec.info().known_unsound();
    let violations: Vec<_> = r
        .violations()
        .into_iter()
        .map(|detail| ViolationRow {
            detail,
            expected,
            kind: ViolationKind::Accounting.name().to_owned(),
            ..ViolationRow::default()
        })
        .collect();
    Correctness {
        known_unsound: expected,
        pairs_added: r.pairs_added,
        pairs_removed: r.pairs_removed,
        verdict: match (violations.is_empty(), expected) {
            (true, _) => Verdict::Clean,
            (false, true) => Verdict::ExpectedViolations,
            (false, false) => Verdict::Violations,
        },
        violation_count: violations.len() as u64,
        violations,
    }
}

/// The host's time stamp counter.
struct Ticks {
    khz: u64,
}

impl Ticks {
    fn ns(&self, ticks: u64) -> u64 {
        (u128::from(ticks) * 1_000_000 / u128::from(self.khz)) as u64
    }

    /// Smallest bucket value below which a share of all values lies, in ns.
    fn quantile(&self, h: &abi::Histogram, share: f64) -> u64 {
        let wanted = (share * h.count as f64).ceil() as u64;
        let mut seen = 0;
        let found = h.values().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        self.ns(found.map_or(h.max, |(value, _)| value.clamp(h.min, h.max)))
    }

    fn row(&self, h: &abi::Histogram) -> OpRow {
        OpRow {
            count: h.count,
            histogram: self.buckets(h),
            max_ns: self.ns(h.max),
            mean_ns: self.ns(h.sum.checked_div(h.count).unwrap_or(0)),
            min_ns: Some(self.ns(h.min)),
            p50_ns: self.quantile(h, 0.5),
            p90_ns: Some(self.quantile(h, 0.9)),
            p99_ns: self.quantile(h, 0.99),
            p999_ns: self.quantile(h, 0.999),
            total_ns: self.ns(h.sum),
        }
    }

    fn buckets(&self, h: &abi::Histogram) -> Vec<[u64; 2]> {
        let mut rows: Vec<[u64; 2]> = Vec::new();
        for (value, count) in h.values() {
            let ns = self.ns(value);
            match rows.last_mut() {
                Some([last, sum]) if *last == ns => *sum += count,
                _ => rows.push([ns, count]),
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> abi::Histogram {
        let mut h = abi::Histogram::empty();
        for value in values {
            // Below 32 a bucket is its value.
            h.bucket[*value as usize] += 1;
            h.count += 1;
            h.sum += value;
        }
        h.min = values.iter().copied().min().unwrap_or(0);
        h.max = values.iter().copied().max().unwrap_or(0);
        h
    }

    #[test]
    fn quantiles_count_values_and_not_buckets() {
        let ticks = Ticks { khz: 1_000_000 };
        let mut values = vec![5; 98];
        values.extend([20, 30]);
        let row = ticks.row(&histogram(&values));
        assert_eq!((row.p50_ns, row.p90_ns, row.p99_ns), (5, Some(5), 20));
        assert_eq!((row.p999_ns, row.max_ns, row.count), (30, 30, 100));
        assert_eq!(row.total_ns, 98 * 5 + 50);
    }

    #[test]
    fn busy_names_the_operand_that_the_module_blamed() {
        let rows = by_operand(&[3, 0, 2, 1]);
        let row = |name: &str, count| (name.to_owned(), count);
        let expected = [row("RCX", 3), row("R8", 2), row("another operand", 1)];
        assert_eq!(rows, BTreeMap::from(expected));
    }

    #[test]
    fn ticks_become_nanoseconds_at_the_counters_rate() {
        assert_eq!(Ticks { khz: 2_000_000 }.ns(3000), 1500);
        assert_eq!(Ticks { khz: 1 }.ns(u64::MAX / 1_000_000), u64::MAX / 1_000_000 * 1_000_000);
    }
}
