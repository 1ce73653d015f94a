//! The executor of the simulated world.

use std::io::{self, Write};

use pamt_reports::schema::{self, Run};
use pamt_sim::machine::{End, Interrupts, Sim, SimBuild, SimOptions, SimOutcome, Stuck};
use pamt_strategies::measure::{FoundViolation, Measurement, Violation, ViolationKind};
#[cfg(test)]
use pamt_strategies::registry::{self, StrategyParams};
use pamt_strategies::units::{CpuId, Cycles};

use super::convert::{Finished, to_run};
#[cfg(test)]
use super::world::{Make, Wrap, Wrapped, assemble_on, assemble_with};
use super::world::{World, assemble};
use super::{Prepared, RunError, lines};
use crate::books::Depth;
use crate::trace::{Trace, Window};

/// CPUs of a deadlock that its report names.
const STUCK_SHOWN: usize = 8;

pub(super) fn run(prepared: &Prepared) -> Result<Run, RunError> {
    let mut build = new_build(prepared)?;
    let world = assemble(&mut build, prepared, Depth::Full)?;
    let clock = prepared.profile.clock();
    let window = prepared.experiment.window_ns.map(|[from, length]| {
        let [from, to] = [from, from + length].map(|at| clock.cycles(at as f64));
        Window::new(from, to)
    });
    if let Some(window) = &window {
        build.trace_to(Box::new(window.clone()));
    }
    let mut run = finish(prepared, build, world);
    run.result.timeline = window.map(|window| window.timeline(clock));
    Ok(run)
}

/// Runs it and writes its events to `out` for Perfetto; gives back the output, or why it failed.
pub(crate) fn run_traced<W: Write + Send + 'static>(
    prepared: &Prepared,
    out: W,
) -> Result<(Run, io::Result<W>), RunError> {
    let mut build = new_build(prepared)?;
    let world = assemble(&mut build, prepared, Depth::Full)?;
    let actors = world.actors.iter().map(|actor| (actor.cpu, actor.name.clone()));
    let trace = Trace::new(out, prepared.profile.clock(), actors);
    build.trace_to(Box::new(trace.clone()));
    let run = finish(prepared, build, world);
    Ok((run, trace.finish()))
}

/// Runs another strategy in the place of the one that the experiment names.
#[cfg(test)]
pub(crate) fn run_with(prepared: &Prepared, make: Make<'_, Sim>) -> Result<Run, RunError> {
    let mut build = new_build(prepared)?;
    let world = assemble_with(&mut build, prepared, Depth::Full, make)?;
    Ok(finish(prepared, build, world))
}

/// Runs it on another module.
#[cfg(test)]
pub(crate) fn run_on(prepared: &Prepared, wrap: Wrap<'_, Sim>) -> Result<Run, RunError> {
    let mut build = new_build(prepared)?;
    let make = |build: &mut SimBuild, params: &StrategyParams<'_, Sim>| {
        registry::build(&prepared.spec, build, params)
    };
    let seam = Wrapped { dynamic: prepared.dynamic(), wrap };
    let world = assemble_on(&mut build, prepared, Depth::Full, &make, &seam)?;
    Ok(finish(prepared, build, world))
}

fn new_build(prepared: &Prepared) -> Result<SimBuild, RunError> {
    let interrupts = match prepared.settings.choice("interrupts") {
        "on" => Some(Interrupts::of(&prepared.profile)?),
        _ => None,
    };
    let seed = prepared.experiment.run_seed();
    let options = SimOptions { seed, interrupts, ..SimOptions::default() };
    Ok(SimBuild::new(&prepared.profile, options)?)
}

fn finish(prepared: &Prepared, build: SimBuild, world: World<Sim>) -> Run {
    let World { host, progress, actors } = world;
    let clock = prepared.profile.clock();
    let SimOutcome { elapsed, mut measurement, lines: book, end, .. } =
        pamt_sim::run(build, actors);
    let mut notes = prepared.profile.notes().to_vec();
    if let End::Deadlock(stuck) = &end {
        add_deadlock(&mut measurement, stuck, elapsed);
        notes.push("the run ended in a deadlock: its figures cover the part before it".into());
    }
    let locks = measurement.locks.iter().map(|lock| lock.class.name.clone()).collect();
    let lines = lines::by_object(&book, &locks, clock);
    let finished = Finished {
        world: schema::World::Modelled,
        clock,
        elapsed,
        measurement,
        strategy_bytes: host.strategy.memory_bytes(),
        pamt_pages_end: host.pamt_pages(),
        censuses: host.censuses(),
        progress: &progress,
        lines,
        notes,
    };
    let mut run = to_run(prepared, finished);
    run.result.partial |= end != End::Finished;
    run
}

fn add_deadlock(measurement: &mut Measurement, stuck: &[Stuck], at: Cycles) {
    let shown: Vec<_> = stuck.iter().take(STUCK_SHOWN).map(ToString::to_string).collect();
    measurement.violation_count += 1;
    measurement.violations.push(FoundViolation {
        at,
        cpu: stuck.first().map_or(CpuId(0), |first| first.cpu),
        violation: Violation {
            kind: ViolationKind::Deadlock,
            region: None,
            detail: format!("{} CPUs wait for each other: {}", stuck.len(), shown.join("; ")),
        },
        history: Vec::new(),
    });
}
