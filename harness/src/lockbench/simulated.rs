//! The benchmark on the simulated machine.

use std::sync::{Arc, Mutex, PoisonError};

use pamt_sim::machine::{End, Profile, ProfileError};
use pamt_sim::{Sim, SimBuild, SimOptions, SimOutcome, run};
use pamt_strategies::locks::{Lock, LockPlan, LockShared, LockVisitor, visit};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::CpuId;

use super::body::{Done, Length, Plan, Span, Stop, hammer};
use super::{LockBench, LockRow};

/// Why a run of the benchmark was not possible.
#[derive(Debug, thiserror::Error)]
pub enum LockRunError {
    /// More threads than CPUs.
    #[error(
        "{threads} threads on {machine}, which has {cpus} CPUs in this pin order; ask for fewer"
    )]
    TooManyThreads {
        /// Asked for.
        threads: usize,
        /// There.
        cpus: usize,
        /// Where.
        machine: String,
    },
    /// The machine's profile is unusable.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The lock deadlocked.
    #[error("the run deadlocked: {0}")]
    Deadlock(String),
}

type Results = Arc<Mutex<Vec<Done>>>;

/// Runs it on a simulated machine.
///
/// # Errors
/// More threads than CPUs, or a profile that cannot be used.
pub fn run_simulated(profile: &Profile, bench: &LockBench) -> Result<LockRow, LockRunError> {
    let cpus = bench.pin.cpus(profile.topology());
    if bench.threads > cpus.len() {
        return Err(LockRunError::TooManyThreads {
            threads: bench.threads,
            cpus: cpus.len(),
            machine: profile.name().to_owned(),
        });
    }
    let options = SimOptions { seed: bench.seed, ..SimOptions::default() };
    let mut build = SimBuild::new(profile, options)?;
    let plan = plan(bench, Sim::clock(&build).ghz());
    let results: Results = Arc::default();
    let shared = LockShared::new(&mut build);
    let visitor = Spawn { bench, plan, cpus: &cpus, results: results.clone() };
    let actors = visit(bench.lock, &mut build, &LockPlan::new("lock", 1), &shared, visitor);
    let out = run(build, actors);
    row(profile, &out, &results)
}

fn plan(bench: &LockBench, ghz: f64) -> Plan {
    let span = |length: Length, more: f64| match length {
        Length::Constant(ns) => Span { cycles: (ns + more) * ghz, random: false },
        Length::Exponential(ns) => Span { cycles: (ns + more) * ghz, random: true },
    };
    let deadline = match bench.stop {
        Stop::Acquires(_) => 0,
        Stop::After(ns) => (ns as f64 * ghz) as u64,
    };
    Plan {
        critical: span(bench.critical, bench.hold_overhead_ns),
        parallel: span(bench.parallel, bench.overhead_ns),
        stop: bench.stop,
        deadline,
    }
}

struct Spawn<'a> {
    bench: &'a LockBench,
    plan: Plan,
    cpus: &'a [CpuId],
    results: Results,
}

impl LockVisitor<Sim> for Spawn<'_> {
    type Out = Vec<Actor<Sim>>;

    fn visit<L: Lock<Sim> + 'static>(self, lock: L) -> Self::Out {
        let lock = Arc::new(lock);
        let actor = |(thread, cpu): (usize, &CpuId)| {
            let (lock, results) = (Arc::clone(&lock), Arc::clone(&self.results));
            let plan = self.plan;
            Actor {
                cpu: *cpu,
                name: format!("thread{thread}"),
                body: Box::new(move |cpu: &_| {
                    let done = hammer::<Sim, L>(cpu, &lock, &plan, thread);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(done);
                }),
            }
        };
        self.cpus.iter().take(self.bench.threads).enumerate().map(actor).collect()
    }
}

fn row(profile: &Profile, out: &SimOutcome, results: &Results) -> Result<LockRow, LockRunError> {
    if let End::Deadlock(stuck) = &out.end {
        let all: Vec<_> = stuck.iter().map(ToString::to_string).collect();
        return Err(LockRunError::Deadlock(all.join("; ")));
    }
    let mut done = results.lock().unwrap_or_else(PoisonError::into_inner).clone();
    done.sort_by_key(|done| done.thread);
    let acquires: u64 = done.iter().map(|done| done.acquires).sum();
    let elapsed = out.elapsed;
    let ns = elapsed.0 as f64 / profile.clock().ghz();
    let transfers: u64 = out.lines.objects.iter().map(|object| object.counters.transfers()).sum();
    Ok(LockRow {
        acquires,
        elapsed: profile.clock().ns(elapsed),
        ns_per_acquire: ns / acquires.max(1) as f64,
        fairness_jain: jain(&done),
        transfers_per_acquire: Some(transfers as f64 / acquires.max(1) as f64),
    })
}

/// Jain's index over the rates of the threads.
fn jain(done: &[Done]) -> f64 {
    let rates = || done.iter().map(|done| done.acquires as f64 / done.end.0.max(1) as f64);
    let (sum, squares): (f64, f64) = (rates().sum(), rates().map(|rate| rate * rate).sum());
    if squares > 0.0 { sum * sum / (done.len() as f64 * squares) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use pamt_strategies::locks::LockKindId;

    use super::*;
    use crate::lockbench::PinOrder;

    fn bench(lock: LockKindId, threads: usize) -> LockBench {
        LockBench {
            lock,
            threads,
            critical: Length::Constant(200.0),
            parallel: Length::Constant(1000.0),
            hold_overhead_ns: 0.0,
            overhead_ns: 0.0,
            stop: Stop::Acquires(200),
            pin: PinOrder::CoresFirst,
            seed: 1,
        }
    }

    fn ns(bench: &LockBench) -> f64 {
        let profile = Profile::builtin("spr-2s").expect("built in");
        run_simulated(&profile, bench).expect("runs").ns_per_acquire
    }

    #[test]
    fn no_lock_passes_more_holders_than_its_critical_section_lets_through() {
        for lock in [LockKindId::Tas, LockKindId::Ticket, LockKindId::Mcs, LockKindId::QSpinLock] {
            assert!(ns(&bench(lock, 1)) >= 1200.0);
            assert!(ns(&bench(lock, 16)) >= 200.0, "{lock:?}");
        }
    }

    #[test]
    fn mcs_hands_over_in_a_time_that_does_not_grow_with_the_waiters() {
        let (few, many) = (ns(&bench(LockKindId::Mcs, 16)), ns(&bench(LockKindId::Mcs, 48)));
        assert!((many / few - 1.0).abs() < 0.05, "{few} {many}");
        let tas = ns(&bench(LockKindId::Tas, 48)) / ns(&bench(LockKindId::Tas, 16));
        assert!(tas > 1.5, "test-and-set grows: {tas}");
    }

    #[test]
    fn a_run_by_time_ends_then_and_a_run_by_count_counts() {
        let mut by_time = bench(LockKindId::Ticket, 4);
        by_time.stop = Stop::After(100_000);
        let profile = Profile::builtin("spr-2s").expect("built in");
        let row = run_simulated(&profile, &by_time).expect("runs");
        assert!((100_000..110_000).contains(&row.elapsed.0), "{}", row.elapsed);
        assert!(row.fairness_jain > 0.99);
        let row = run_simulated(&profile, &bench(LockKindId::Ticket, 4)).expect("runs");
        assert_eq!(row.acquires, 800);
    }

    #[test]
    fn more_threads_than_cpus_are_refused_with_both_numbers() {
        let profile = Profile::builtin("spr-2s").expect("built in");
        let error = run_simulated(&profile, &bench(LockKindId::Tas, 500)).expect_err("refused");
        assert!(error.to_string().contains("500") && error.to_string().contains("224"), "{error}");
    }
}
