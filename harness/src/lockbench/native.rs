//! The benchmark on pinned threads of this host.

use std::sync::{Arc, Mutex, PoisonError};

use pamt_strategies::locks::{Lock, LockPlan, LockShared, LockVisitor, visit};
use pamt_strategies::platform::Actor;
use pamt_strategies::platform::Platform;
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeOptions, host_cpus};
use pamt_strategies::units::CpuId;

use super::body::{Done, Guarded, LoopCost, Own, Plan, hammer};
use super::contenders::ContenderVisitor;
use super::{LockBench, LockRow, LockRunError, Subject};

/// Runs it on this host. More threads than CPUs take turns if `oversubscribe` allows it.
///
/// # Errors
/// More threads than CPUs, or a CPU that this process may not run on.
pub fn run_native(bench: &LockBench, oversubscribe: bool) -> Result<LockRow, LockRunError> {
    let pin = bench.pin.host_cpus(&host_cpus())?;
    if bench.threads > pin.len() && !oversubscribe {
        return Err(LockRunError::TooManyThreads {
            threads: bench.threads,
            cpus: pin.len(),
            machine: "this host".into(),
            remedy: "ask for fewer, or add --oversubscribe to let them take turns",
        });
    }
    let options =
        NativeOptions { pin, record: false, ..NativeOptions::new(bench.threads, bench.seed) };
    let mut build = NativeBuild::new(options)?;
    let plan = Plan::new(bench, Native::clock(&build).ghz(), LoopCost::default());
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
    Ok(LockRow::new(done, out.clock))
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
            let (lock, results, plan) = (Arc::clone(&lock), Arc::clone(&self.results), self.plan);
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

    use super::*;
    use crate::lockbench::{CONTENDERS, Stop};

    fn bench(lock: Subject, threads: usize) -> LockBench {
        LockBench { stop: Stop::Acquires(50), ..LockBench::new(lock, threads) }
    }

    #[test]
    fn every_lock_and_contender_hammers_on_this_host() {
        let own = LOCKS.iter().map(|lock| Subject::Own(lock.id));
        let others = CONTENDERS.iter().map(|info| Subject::Other(info.id));
        let threads = host_cpus().len().min(2);
        for lock in own.chain(others) {
            let row = run_native(&bench(lock, threads), false).expect("runs");
            assert_eq!(row.acquires, 50 * threads as u64, "{}", lock.name());
            assert_eq!(row.transfers_per_acquire, None);
        }
    }

    #[test]
    fn more_threads_than_cpus_need_to_be_asked_for() {
        let lock = Subject::parse("ticket").expect("known");
        let threads = host_cpus().len() + 1;
        let error = run_native(&bench(lock, threads), false).expect_err("refused").to_string();
        assert!(error.contains("--oversubscribe") && error.contains("this host"), "{error}");
        let row = run_native(&bench(lock, threads), true).expect("they take turns");
        assert_eq!(row.acquires, 50 * threads as u64);
    }
}
