//! Whole runs in the simulated world.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use pamt_reports::schema::{Document, Verdict};
use pamt_sim::tdx::{Census, Module};
use pamt_sim::{Sim, SimCpu};
use pamt_strategies::module::{Leaf, PamtOps, PamtPair, Regs, Status, TdLeaves};
use pamt_strategies::pamt::{Env, PamtCache, PamtError, Strategy};
use pamt_strategies::platform::{Ordering, Place, Platform, Words};
use pamt_strategies::units::{CpuId, Cycles, Pfn, Region};

use super::{Prepared, run, sim};
use crate::experiment::Experiment;
use crate::host::Seam;

/// Small enough for a test, large enough that TDs share regions.
fn small(strategy: &str, workload: &str) -> Experiment {
    Experiment {
        strategy: strategy.into(),
        workload: workload.into(),
        tds: 3,
        vcpus: 2,
        memory_bytes: 4 << 20,
        ..Experiment::default()
    }
}

fn document(experiment: &Experiment) -> Document {
    let prepared = Prepared::new(experiment).expect("valid");
    Document::new(vec![run(&prepared).expect("runs")]).without_provenance()
}

#[test]
fn sound_strategies_end_with_balanced_books() {
    for strategy in ["static", "global", "simple"] {
        for workload in ["teardown", "fault-storm", "boot", "boot-teardown"] {
            let result = document(&small(strategy, workload)).runs.remove(0).result;
            let correctness = &result.correctness;
            assert_eq!(correctness.verdict, Verdict::Clean, "{strategy}: {correctness:#?}");
            assert!(!result.partial, "{strategy} {workload}: {:?}", result.notes);
            assert_eq!(result.throughput.expect("work was done").count, 3 * 1024);
        }
        let teardown = document(&small(strategy, "teardown")).runs.remove(0).result;
        assert_eq!(teardown.memory.pamt_pages_end, Some(0), "{strategy}");
        let correctness = teardown.correctness;
        assert_eq!(correctness.pairs_added, correctness.pairs_removed, "{strategy}");
        assert_eq!(correctness.pairs_added > 0, strategy != "static", "{strategy}");
    }
}

#[test]
fn pages_removed_from_a_running_td_take_four_leaves_each_and_leave_nothing() {
    let mut experiment = small("global", "teardown");
    experiment.set.insert("while".into(), "runnable".into());
    let result = document(&experiment).runs.remove(0).result;
    assert_eq!(result.correctness.verdict, Verdict::Clean, "{:#?}", result.correctness);
    assert_eq!(result.memory.pamt_pages_end, Some(0));
    for leaf in ["TDH.MEM.RANGE.BLOCK", "TDH.MEM.TRACK", "TDH.MEM.PAGE.REMOVE"] {
        assert_eq!(result.ops[leaf].count, 3 * 1024, "{leaf}");
    }
}

#[test]
fn a_run_says_who_waited_in_what_who_took_lines_from_whom_and_what_was_held_when() {
    let result = document(&small("global-always", "teardown")).runs.remove(0).result;
    let lock = &result.locks["pamt_lock"];
    assert!(lock.contentions > 0);
    for points in [&lock.points_waiters, &lock.points_holders] {
        let all: u64 = points.iter().map(|point| point.count).sum();
        assert!(all > 0 && all <= lock.contentions, "{points:?}");
        assert!(points.iter().all(|point| point.name.ends_with("pamt_put_slow")), "{points:?}");
    }
    let line = &result.lines["pamt_lock"];
    let transfers = line.transfers.as_ref().expect("a lock's are kept");
    let moved: u64 = transfers.pairs().map(|(_, _, count)| count).sum();
    assert!(moved >= line.counts.total_hitm(), "{moved} of {:?}", line.counts);
    assert!(transfers.pairs().all(|(from, to, _)| from != to));
    let samples = &result.memory.samples;
    assert_eq!(samples.last().map(|sample| sample.pamt_pages), Some(0), "all is taken back");
    assert!(samples.is_sorted_by_key(|sample| sample.at_ns));
}

#[test]
fn a_window_shows_what_cpus_did_in_it_and_changes_no_number() {
    let plain = small("global-always", "teardown");
    let watched = Experiment { window_ns: Some([5_000, 20_000]), ..plain.clone() };
    let mut document = document(&watched);
    let timeline = document.runs[0].result.timeline.take().expect("asked for");
    assert_eq!((timeline.from_ns, timeline.to_ns), (5_000, 25_000));
    assert!(!timeline.slices.is_empty());
    for slice in &timeline.slices {
        assert!(slice[1] >= 5_000 && slice[1] <= slice[2] && slice[2] <= 25_000, "{slice:?}");
        assert!((slice[3] as usize) < timeline.names.len(), "{slice:?}");
    }
    assert!(timeline.names.iter().any(|name| name == "wait for pamt_lock"));
    assert_eq!(document.to_json(), self::document(&plain).to_json());
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    let experiment = small("global", "teardown");
    let first = document(&experiment).to_json();
    // After other runs in the process, and beside one on another host thread.
    document(&small("simple", "fault-storm"));
    let (beside, again) = rayon::join(
        || document(&small("global", "teardown")).to_json(),
        || document(&experiment).to_json(),
    );
    assert!(first == beside && first == again, "modelled results differ between equal runs");
    let other = document(&Experiment { seed: 2, ..experiment });
    assert_eq!(other.runs[0].result.correctness.verdict, Verdict::Clean);
    assert!(other.to_json() != first, "the seed changes nothing");
}

/// v6 without its lock: reads the count, and adds or removes as if nobody else could.
struct Dropped<P: Platform> {
    refcounts: P::Words<u32>,
}

impl<P: Platform> Dropped<P> {
    fn at(pfn: Pfn) -> usize {
        pfn.region().0 as usize
    }
}

impl<P: Platform> Strategy<P> for Dropped<P> {
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        let at = Self::at(pfn);
        let count = self.refcounts.load(cpu, at, Ordering::Relaxed);
        if count == 0 {
            let pair = env.host.alloc_pair(cpu, cache, pfn.region()).ok_or(PamtError::NoMemory)?;
            let status = env.ops.pamt_add(cpu, pfn.region(), pair);
            if status.is_error() {
                env.host.free_pair(cpu, pair);
                return Err(PamtError::Module(status));
            }
        }
        self.refcounts.store(cpu, at, count + 1, Ordering::Relaxed);
        Ok(())
    }

    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError> {
        let at = Self::at(pfn);
        let count = self.refcounts.load(cpu, at, Ordering::Relaxed);
        if count <= 1 {
            let pair = env.ops.pamt_remove(cpu, pfn.region()).map_err(PamtError::Module)?;
            env.host.free_pair(cpu, pair);
        }
        self.refcounts.store(cpu, at, count.saturating_sub(1), Ordering::Relaxed);
        Ok(())
    }

    fn peek_refcount(&self, cpu: &P::Cpu, region: Region) -> Option<u64> {
        Some(u64::from(self.refcounts.peek(cpu, region.0 as usize)))
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

#[test]
fn a_strategy_that_drops_its_lock_is_found_with_the_history_of_the_region() {
    for workload in ["teardown", "fault-storm"] {
        let crowd = Experiment { tds: 16, ..small("global", workload) };
        let prepared = Prepared::new(&crowd).expect("valid");
        let run = sim::run_with(&prepared, &|build, params| {
            let place = Place::packed("refcounts", params.regions);
            Box::new(Dropped::<Sim> { refcounts: Sim::words(build, place) })
        });
        let correctness = run.expect("runs").result.correctness;
        assert_eq!(correctness.verdict, Verdict::Violations, "{workload}");
        let told = correctness.violations.iter().any(|found| !found.history.is_empty());
        assert!(told, "{workload}: {:#?}", correctness.violations);
    }
}

/// Never gives a pair: every page reaches the module without one.
struct Never;

impl<P: Platform> Strategy<P> for Never {
    fn get(
        &self,
        _: &P::Cpu,
        _: &Env<'_, P>,
        _: Pfn,
        _: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        Ok(())
    }

    fn put(&self, _: &P::Cpu, _: &Env<'_, P>, _: Pfn) -> Result<(), PamtError> {
        Ok(())
    }

    fn after_page(
        &self,
        cpu: &P::Cpu,
        _: &Env<'_, P>,
        _: Pfn,
        call: pamt_strategies::pamt::Call<'_, P>,
    ) -> Result<Regs, PamtError> {
        Ok(call(cpu))
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

#[test]
fn a_page_without_its_pair_is_a_violation_and_the_run_is_partial() {
    let prepared = Prepared::new(&small("global", "fault-storm")).expect("valid");
    let run = sim::run_with(&prepared, &|_, _| Box::new(Never)).expect("runs");
    assert!(run.result.partial);
    assert_eq!(run.result.correctness.verdict, Verdict::Violations);
    assert_eq!(run.result.correctness.violations[0].kind, "missing_pair");
}

#[test]
fn gets_of_a_boot_cost_more_while_all_vcpus_of_a_td_accept() {
    let get = |firmware: &str| {
        let mut experiment = Experiment { tds: 1, vcpus: 4, ..small("global", "boot") };
        experiment.set.insert("firmware".into(), firmware.into());
        let result = document(&experiment).runs.remove(0).result;
        assert_eq!(result.ops["td_boot"].count, 1);
        result.ops["pamt_get"].p50_ns
    };
    let (together, alone) = (get("1"), get("0"));
    assert!(together > 4 * alone, "{together} ns together, {alone} ns alone");
}

#[test]
fn lock_debugging_costs_what_it_is_set_to_for_each_lock() {
    let put = |debug: &str| {
        let mut experiment = Experiment { tds: 1, vcpus: 1, ..small("simple", "teardown") };
        experiment.set.insert("machine.host.lock_debug_ns".into(), debug.into());
        document(&experiment).runs.remove(0).result.ops["pamt_put"].p50_ns
    };
    assert_eq!(put("100"), put("0") + 100);
}

/// The module model with a planted fault: after some calls a lock is released that nobody holds.
struct Planted {
    module: Module<Sim>,
    calls: AtomicU32,
    tdr: AtomicU64,
}

impl PamtOps<Sim> for Planted {
    fn pamt_add(&self, cpu: &SimCpu, region: Region, pair: PamtPair) -> Status {
        self.module.pamt_add(cpu, region, pair)
    }

    fn pamt_remove(&self, cpu: &SimCpu, region: Region) -> Result<PamtPair, Status> {
        self.module.pamt_remove(cpu, region)
    }

    fn pamt_present(&self, cpu: &SimCpu, region: Region) -> Result<bool, Status> {
        self.module.pamt_present(cpu, region)
    }
}

impl TdLeaves<Sim> for Planted {
    fn seamcall(&self, cpu: &SimCpu, leaf: Leaf, regs: Regs) -> Regs {
        if leaf == Leaf::MngCreate {
            self.tdr.store(regs.rcx, Relaxed);
        }
        let of_memory = matches!(leaf, Leaf::MemPageAug | Leaf::PhymemPageReclaim);
        // Not while the run is prepared.
        if of_memory && Sim::now(cpu) > Cycles(0) && self.calls.fetch_add(1, Relaxed) == 40 {
            self.module.release_op_state(cpu, self.tdr.load(Relaxed), None);
        }
        self.module.seamcall(cpu, leaf, regs)
    }

    fn seamcall_on(&self, cpu: &SimCpu, on: CpuId, leaf: Leaf, regs: Regs) -> Regs {
        self.module.seamcall_on(cpu, on, leaf, regs)
    }

    fn td_exit(&self, cpu: &SimCpu) -> Regs {
        self.module.td_exit(cpu)
    }
}

impl Seam<Sim> for Planted {
    fn package_cpus(&self) -> Vec<CpuId> {
        self.module.package_cpus().collect()
    }

    fn audit(&self, _: &SimCpu) -> Option<Result<Census, Vec<String>>> {
        None
    }
}

#[test]
fn a_module_that_shuts_down_ends_the_run_as_a_violation_with_its_history() {
    for workload in ["teardown", "fault-storm", "boot", "boot-teardown"] {
        let prepared = Prepared::new(&small("global", workload)).expect("valid");
        let run = sim::run_on(&prepared, &|module| {
            let (calls, tdr) = (AtomicU32::new(0), AtomicU64::new(0));
            Arc::new(Planted { module, calls, tdr })
        });
        let document = Document::new(vec![run.expect("runs")]);
        let result = &document.runs[0].result;
        assert!(result.partial, "{workload}");
        assert_eq!(result.correctness.verdict, Verdict::Violations, "{workload}");
        let found = &result.correctness.violations;
        let fatal = found.iter().find(|found| found.kind == "module_fatal");
        let fatal = fatal.unwrap_or_else(|| panic!("{workload}: {found:#?}"));
        assert!(fatal.detail.contains("wrong release of a lock"), "{}", fatal.detail);
        assert!(fatal.history.len() > 3, "{workload}: {fatal:#?}");
    }
}

#[test]
fn a_what_if_of_the_module_changes_what_it_locks_and_says_so() {
    /// Locked instructions on the 1 GiB entries: two a walk.
    fn walks(target: &str, backing: &str) -> u64 {
        let mut experiment = Experiment { tds: 1, vcpus: 1, ..small("global", "fault-storm") };
        experiment.set.insert("module_target".into(), target.into());
        experiment.set.insert("module_backing".into(), backing.into());
        let result = document(&experiment).runs.remove(0).result;
        assert_eq!(result.correctness.verdict, Verdict::Clean, "{:#?}", result.correctness);
        let said = result.notes.iter().any(|note| note.starts_with("what if"));
        assert_eq!(said, (target, backing) != ("exclusive", "shared"), "{:?}", result.notes);
        result.lines["pamt_1g"].counts.total_stores
    }
    let shipped = walks("exclusive", "shared");
    let without = walks("exclusive", "none");
    assert!(without < shipped, "{without} without walks of backing pages, {shipped} with them");
    assert_eq!(walks("shared", "none"), without, "the target is walked in any case");
}

#[test]
fn interrupts_stretch_holds_unless_they_are_off_and_that_costs_a_longer_window() {
    let run = |strategy: &str| {
        let mut experiment = Experiment { tds: 8, vcpus: 4, ..small(strategy, "teardown") };
        // Frequent enough to hit a hold in so short a run.
        for (key, value) in [("gap_ns", "5000"), ("work_ns", "30000")] {
            experiment.set.insert(format!("machine.irq.{key}"), value.into());
        }
        experiment.set.insert("interrupts".into(), "on".into());
        document(&experiment).runs.remove(0).result
    };
    let hold = |result: &pamt_reports::schema::RunResult| {
        result.locks["pamt_lock"].holdtime_max_ns.expect("it was held")
    };
    let (plain, irqsave) = (run("global"), run("global-irqsave"));
    assert!(hold(&plain) > 3 * hold(&irqsave), "{} and {}", hold(&plain), hold(&irqsave));
    let window = |result: &pamt_reports::schema::RunResult| result.irq_off_max_ns.expect("known");
    assert!(window(&irqsave) > window(&plain));
    assert!(plain.preempt_off_max_ns.expect("known") > window(&plain));
}

#[test]
fn an_open_loop_counts_latency_from_when_a_fault_was_due() {
    for workload in ["fault-storm", "boot"] {
        let run = |rate: &str| {
            let mut experiment = Experiment { tds: 1, vcpus: 1, ..small("global", workload) };
            experiment.set.insert("rate".into(), rate.into());
            document(&experiment).runs.remove(0).result
        };
        assert!(!run("0").ops.contains_key("response"), "{workload}");
        let (idle, overloaded) = (run("1000"), run("1000000"));
        assert_eq!(idle.ops["response"].count, idle.ops["fault"].count, "{workload}");
        let within_twice_a_fault = idle.ops["response"].p50_ns < 2 * idle.ops["fault"].p50_ns;
        assert!(within_twice_a_fault, "{workload}: {:?}", idle.ops["response"]);
        let (late, fault) = (&overloaded.ops["response"], &overloaded.ops["fault"]);
        assert!(late.p50_ns > 100 * fault.p50_ns, "{workload}: {late:?}");
    }
}
