//! The benchmark on pinned threads of this host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pamt_strategies::locks::{Lock, LockKindId, LockPlan, LockShared, LockVisitor, visit};
use pamt_strategies::platform::Actor;
use pamt_strategies::platform::Platform;
use pamt_strategies::platform::native::{
    self, Favours, Native, NativeBuild, NativeCpu, NativeError, NativeOptions, host_cpus,
};
use pamt_strategies::units::{CpuId, Cycles};

use super::body::{Done, Guarded, LoopCost, Own, Plan, hammer};
use super::contenders::ContenderVisitor;
use super::steady::{WARM_UP_MOST, WINDOWS};
use super::{LockBench, LockRow, LockRunError, Stop, Subject};

/// How a run on this host may go.
#[derive(Clone, Debug, Default)]
pub struct NativeChoices {
    /// More threads than CPUs are allowed, and take turns.
    pub oversubscribe: bool,
    /// What to ask the host for.
    pub favours: Favours,
    /// Set when the user wants an end.
    pub interrupted: Option<Arc<AtomicBool>>,
}

/// Runs it on this host. A run by time goes on for a quarter longer than asked for: what comes before it
/// is steady does not count.
///
/// # Errors
/// More threads than CPUs, or a CPU that this process may not run on.
pub fn run_native(bench: &LockBench, choices: &NativeChoices) -> Result<LockRow, LockRunError> {
    let pin = bench.pin.host_cpus(&host_cpus())?;
    if bench.threads > pin.len() && !choices.oversubscribe {
        return Err(LockRunError::TooManyThreads {
            threads: bench.threads,
            cpus: pin.len(),
            machine: "this host".into(),
            remedy: "ask for fewer, allow the process more (taskset, cpusets), or let them take turns \
                     (--oversubscribe)",
        });
    }
    let options = NativeOptions {
        pin,
        record: false,
        favours: choices.favours,
        ..NativeOptions::new(bench.threads, bench.seed)
    };
    let mut build = NativeBuild::new(options)?;
    let plan = plan(bench, Native::clock(&build).ghz(), choices);
    let window = plan.window;
    let results = Results::default();
    let spawn = Spawn { threads: bench.threads, plan, results: Arc::clone(&results) };
    let actors = match bench.lock {
        Subject::Own(kind) => {
            let shared = LockShared::new(&mut build);
            visit(kind, &mut build, &LockPlan::new("lock", 1), &shared, spawn)
        }
        Subject::Other(contender) => contender.visit(spawn),
    };
    let out = native::run(build, actors)?;
    let done = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    let row = if window > 0 {
        LockRow::in_windows(done, out.clock, Cycles(window))
    } else {
        LockRow::new(done, out.clock)
    };
    let interrupted = choices.interrupted.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
    let refused = out.refused.into_iter().collect();
    Ok(LockRow { refused, oversubscribed: out.oversubscribed, partial: interrupted, ..row })
}

/// Length of the runs that [`empty_loop_ns`] takes.
const EMPTY_NS: u64 = 20_000_000;

/// What a round of the benchmark takes on this host without a lock and without work.
///
/// # Errors
/// The thread could not be started.
pub(crate) fn empty_loop_ns() -> Result<f64, NativeError> {
    struct NoLock;

    impl Guarded<Native> for NoLock {
        fn guarded(&self, _cpu: &NativeCpu, hold: impl FnOnce()) {
            hold();
        }
    }

    // Which lock it names does not matter: another is put in its place.
    let of = Subject::Own(LockKindId::Tas);
    let bench = LockBench { stop: Stop::After(EMPTY_NS), ..LockBench::new(of, 1) };
    let options = NativeOptions { record: false, ..NativeOptions::new(1, bench.seed) };
    let build = NativeBuild::new(options)?;
    let plan = plan(&bench, Native::clock(&build).ghz(), &NativeChoices::default());
    let window = Cycles(plan.window);
    let results = Results::default();
    let spawn = Spawn { threads: 1, plan, results: Arc::clone(&results) };
    let out = native::run(build, spawn.actors(NoLock))?;
    let done = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(LockRow::in_windows(done, out.clock, window).ns_per_acquire)
}

fn plan(bench: &LockBench, ghz: f64, choices: &NativeChoices) -> Plan {
    let interrupted = choices.interrupted.clone();
    let plan = match bench.stop {
        Stop::Acquires(_) => Plan::new(bench, ghz, LoopCost::default()),
        Stop::After(ns) => {
            let whole = ns * WINDOWS as u64 / (WINDOWS - WARM_UP_MOST) as u64;
            let longer = LockBench { stop: Stop::After(whole), ..bench.clone() };
            Plan::new(&longer, ghz, LoopCost::default()).in_windows(WINDOWS)
        }
    };
    Plan { interrupted, ..plan }
}

type Results = Arc<Mutex<Vec<Done>>>;

/// An actor a thread, around a lock of any type.
struct Spawn {
    threads: usize,
    plan: Plan,
    results: Results,
}

impl Spawn {
    fn actors<G: Guarded<Native> + 'static>(self, lock: G) -> Vec<Actor<Native>> {
        let lock = Arc::new(lock);
        let actor = |thread: usize| {
            let (lock, results, plan) =
                (Arc::clone(&lock), Arc::clone(&self.results), self.plan.clone());
            Actor {
                cpu: CpuId(thread as u16),
                name: format!("thread{thread}"),
                body: Box::new(move |cpu: &_| {
                    let done = hammer::<Native, G>(cpu, &lock, &plan, thread);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(done);
                }),
            }
        };
        (0..self.threads).map(actor).collect()
    }
}

impl LockVisitor<Native> for Spawn {
    type Out = Vec<Actor<Native>>;

    fn visit<L: Lock<Native> + 'static>(self, lock: L) -> Self::Out {
        self.actors(Own(lock))
    }
}

impl ContenderVisitor for Spawn {
    type Out = Vec<Actor<Native>>;

    fn visit<G: Guarded<Native> + 'static>(self, lock: G) -> Self::Out {
        self.actors(lock)
    }
}

#[cfg(test)]
mod tests {
    use pamt_strategies::locks::LOCKS;
    use pamt_strategies::units::Ns;

    use super::*;
    use crate::lockbench::CONTENDERS;

    fn bench(lock: Subject, threads: usize) -> LockBench {
        LockBench { stop: Stop::Acquires(50), ..LockBench::new(lock, threads) }
    }

    #[test]
    fn every_lock_and_contender_hammers_on_this_host() {
        let own = LOCKS.iter().map(|lock| Subject::Own(lock.id));
        let others = CONTENDERS.iter().map(|info| Subject::Other(info.id));
        let threads = host_cpus().len().min(2);
        for lock in own.chain(others) {
            let row = run_native(&bench(lock, threads), &NativeChoices::default()).expect("runs");
            assert_eq!(row.acquires, 50 * threads as u64, "{}", lock.name());
            assert_eq!(row.transfers_per_acquire, None);
        }
    }

    #[test]
    fn more_threads_than_cpus_need_to_be_asked_for() {
        let lock = Subject::parse("ticket").expect("known");
        let threads = host_cpus().len() + 1;
        let error = run_native(&bench(lock, threads), &NativeChoices::default())
            .expect_err("refused")
            .to_string();
        assert!(error.contains("--oversubscribe") && error.contains("this host"), "{error}");
        let choices = NativeChoices { oversubscribe: true, ..NativeChoices::default() };
        let row = run_native(&bench(lock, threads), &choices).expect("they take turns");
        assert_eq!(row.acquires, 50 * threads as u64);
        assert!(row.oversubscribed, "marked");
    }

    #[test]
    fn a_run_by_time_counts_whole_windows_after_its_warm_up() {
        let lock = Subject::parse("ticket").expect("known");
        let bench = LockBench { stop: Stop::After(8_000_000), ..LockBench::new(lock, 1) };
        let row = run_native(&bench, &NativeChoices::default()).expect("runs");
        let window = 10_000_000 / WINDOWS as u64;
        let windows = (row.elapsed.0 as f64 / window as f64).round() as u64;
        // The clock's ticks are no whole ns.
        assert!(row.elapsed.0.abs_diff(windows * window) < window / 100, "{row:?}");
        let most = Ns(window * WARM_UP_MOST as u64 + window / 100);
        assert!(row.warm_up.is_some_and(|warm_up| warm_up <= most), "{row:?}");
    }

    #[test]
    fn an_interrupted_run_is_partial() {
        let lock = Subject::parse("ticket").expect("known");
        let bench = LockBench { stop: Stop::After(3_600_000_000_000), ..LockBench::new(lock, 1) };
        let interrupted = Some(Arc::new(AtomicBool::new(true)));
        let choices = NativeChoices { interrupted, ..NativeChoices::default() };
        assert!(run_native(&bench, &choices).expect("ends at once").partial);
    }
}
