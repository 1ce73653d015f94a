//! The benchmark on the simulated machine.

use std::sync::{Arc, Mutex, PoisonError};

use pamt_sim::machine::{End, Profile};
use pamt_sim::{Sim, SimBuild, SimOptions, SimOutcome, run};
use pamt_strategies::locks::{Lock, LockPlan, LockShared, LockVisitor, visit};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::CpuId;

use super::body::{Done, LoopCost, Own, Plan, hammer};
use super::{LockBench, LockRow, LockRunError, Subject};

type Results = Arc<Mutex<Vec<Done>>>;

/// Runs it on a simulated machine.
///
/// # Errors
/// More threads than CPUs, or a profile that cannot be used.
pub fn run_simulated(profile: &Profile, bench: &LockBench) -> Result<LockRow, LockRunError> {
    let kind = match bench.lock {
        Subject::Own(kind) => kind,
        Subject::Other(contender) => {
            return Err(LockRunError::NativeOnly { lock: contender.info().name });
        }
    };
    let cpus = bench.pin.cpus(profile.topology())?;
    if bench.threads > cpus.len() {
        return Err(LockRunError::TooManyThreads {
            threads: bench.threads,
            cpus: cpus.len(),
            machine: profile.name().to_owned(),
            remedy: "ask for fewer, or choose a larger --machine",
        });
    }
    let options = SimOptions { seed: bench.seed, ..SimOptions::default() };
    let mut build = SimBuild::new(profile, options)?;
    let plan = Plan::new(bench, Sim::clock(&build).ghz(), loop_cost(profile));
    let results: Results = Arc::default();
    let shared = LockShared::new(&mut build);
    let visitor = Spawn { bench, plan, cpus: &cpus, results: results.clone() };
    let actors = visit(kind, &mut build, &LockPlan::new("lock", 1), &shared, visitor);
    let out = run(build, actors);
    row(profile, &out, &results)
}

/// About what it takes to tell fifty spinning threads, one after the other, that the run begins.
const START_SKEW_NS: f64 = 1000.0;

/// The calibration of the instrument; nothing where the profile has none.
fn loop_cost(profile: &Profile) -> LoopCost {
    let ns = |key| profile.value(key).map_or(0.0, |value| value.v);
    LoopCost { hold_ns: ns("bench.hold_ns"), loop_ns: ns("bench.loop_ns"), skew_ns: START_SKEW_NS }
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
        let lock = Arc::new(Own(lock));
        let actor = |(thread, cpu): (usize, &CpuId)| {
            let (lock, results) = (Arc::clone(&lock), Arc::clone(&self.results));
            let plan = self.plan.clone();
            Actor {
                cpu: *cpu,
                name: format!("thread{thread}"),
                body: Box::new(move |cpu: &_| {
                    let done = hammer::<Sim, Own<L>>(cpu, &lock, &plan, thread);
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
    let done = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    let row = LockRow::new(done, profile.clock());
    let transfers: u64 = out.lines.objects.iter().map(|object| object.counters.transfers()).sum();
    let transfers = transfers as f64 / row.acquires.max(1) as f64;
    Ok(LockRow { transfers_per_acquire: Some(transfers), ..row })
}

#[cfg(test)]
mod tests {
    use pamt_strategies::locks::LockKindId;

    use super::*;
    use crate::lockbench::{Length, Stop};

    fn bench(lock: LockKindId, threads: usize) -> LockBench {
        LockBench {
            critical: Length::Constant(200.0),
            parallel: Length::Constant(1000.0),
            stop: Stop::Acquires(200),
            ..LockBench::new(Subject::Own(lock), threads)
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
