//! The native executor: pinned threads of this host, the module model with calibrated delays.
//!
//! Atomics, caches and scheduling are this host's own. What it cannot do (a SEAMCALL, MOVDIR64B into
//! pages) is a delay of the length that the machine profile gives, so only lock and cache effects are
//! measured; a result says so in its notes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pamt_reports::schema::{self, Run};
use pamt_strategies::platform::native::{
    self, BulkCosts, Favours, Native, NativeBuild, NativeOptions, host_cpus,
};

use super::convert::{Finished, to_run};
use super::world::{World, assemble};
use super::{Prepared, RunError};
use crate::books::Depth;
use crate::native_host::{self, Counters, Watch};

/// How a native run may go, beside its experiment.
#[derive(Clone, Debug, Default)]
pub struct NativeRun {
    /// When it is set, threads end where they are, and the result is partial.
    pub cut: Option<Arc<AtomicBool>>,
    /// What to ask the host for.
    pub favours: Favours,
}

/// Runs the experiment.
pub(super) fn run(prepared: &Prepared, choices: &NativeRun) -> Result<Run, RunError> {
    let mut build = set_up(prepared, choices)?;
    let world = assemble::<Native>(&mut build, prepared, Depth::End)?;
    let note = "SEAMCALLs, MOVDIR64B and host kernel work are delays of the profile's length; locks and \
                cache lines are this host's own";
    carry_out(prepared, build, world, vec![note.to_owned()])
}

/// The native world of an experiment, empty.
pub(super) fn set_up(prepared: &Prepared, choices: &NativeRun) -> Result<NativeBuild, RunError> {
    let experiment = &prepared.experiment;
    let (needed, cpus) = (prepared.cpus_needed(), host_cpus().len());
    if needed > cpus && !experiment.oversubscribe {
        let backend = experiment.backend.name();
        return Err(RunError::Oversubscribed { backend, needed, cpus });
    }
    let options = NativeOptions {
        bulk: bulk_costs(prepared)?,
        cut: choices.cut.clone(),
        favours: choices.favours,
        ..NativeOptions::new(needed.max(cpus), experiment.run_seed())
    };
    Ok(NativeBuild::new(options)?)
}

/// Runs the actors of a world on threads of this host.
pub(super) fn carry_out(
    prepared: &Prepared,
    build: NativeBuild,
    world: World<Native>,
    mut notes: Vec<String>,
) -> Result<Run, RunError> {
    let World { host, progress, actors } = world;
    let cpus = host_cpus().into_iter().map(|cpu| cpu.number).take(prepared.cpus_needed());
    let watch = Watch::begin(cpus.collect());
    let counters = Counters::begin();
    let outcome = native::run(build, actors)?;
    let counters = counters.end();
    let noise = watch.end(None);
    notes.extend(outcome.refused);
    if outcome.cut {
        notes.push("interrupted: operations that were under way are not in the figures".into());
    }
    if outcome.oversubscribed {
        notes.push(
            "more threads than CPUs: they took turns, and times include the scheduler".into(),
        );
    }
    let mut run = to_run(
        prepared,
        Finished {
            world: schema::World::Measured,
            clock: outcome.clock,
            elapsed: outcome.elapsed,
            measurement: outcome.measurement,
            strategy_bytes: host.strategy.memory_bytes(),
            pamt_pages_end: host.pamt_pages(),
            censuses: host.censuses(),
            progress: &progress,
            lines: BTreeMap::new(),
            notes,
        },
    );
    run.result.counters = counters;
    run.result.noise = Some(noise);
    run.result.partial |= outcome.cut;
    if let Some(provenance) = &mut run.provenance {
        provenance.host = native_host::provenance();
    }
    Ok(run)
}

/// Delays of bulk work a line, as the profile prices them.
fn bulk_costs(prepared: &Prepared) -> Result<BulkCosts, RunError> {
    let ns = |key: &str| Ok::<_, RunError>(prepared.profile.value(key)?.v);
    let (direct, scan) = (ns("memory.direct_store_line_ns")?, ns("memory.scan_line_ns")?);
    Ok(BulkCosts {
        direct_store_ns: direct,
        store_ns: ns("memory.store_line_ns")?,
        scan_ns: scan,
        copy_ns: direct + scan,
        flush_ns: ns("memory.flush_line_ns")?,
    })
}
