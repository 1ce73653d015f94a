//! The native executor: pinned threads of this host, the module model with calibrated delays.
//!
//! Atomics, caches and scheduling are this host's own. What it cannot do (a SEAMCALL, MOVDIR64B into
//! pages) is a delay of the length that the machine profile gives, so only lock and cache effects are
//! measured; a result says so in its notes.

use std::collections::BTreeMap;

use pamt_reports::schema::{self, Run};
use pamt_strategies::platform::native::{
    self, BulkCosts, Native, NativeBuild, NativeOptions, host_cpus,
};

use super::convert::{Finished, to_run};
use super::world::{World, assemble};
use super::{Prepared, RunError};
use crate::books::Depth;

pub(super) fn run(prepared: &Prepared) -> Result<Run, RunError> {
    let mut build = set_up(prepared)?;
    let world = assemble::<Native>(&mut build, prepared, Depth::End)?;
    let note = "SEAMCALLs, MOVDIR64B and host kernel work are delays of the profile's length; locks and \
                cache lines are this host's own";
    carry_out(prepared, build, world, vec![note.to_owned()])
}

/// The native world of an experiment, empty.
pub(super) fn set_up(prepared: &Prepared) -> Result<NativeBuild, RunError> {
    let experiment = &prepared.experiment;
    let (needed, cpus) = (prepared.cpus_needed(), host_cpus().len());
    if needed > cpus && !experiment.oversubscribe {
        let backend = experiment.backend.name();
        return Err(RunError::Oversubscribed { backend, needed, cpus });
    }
    let options = NativeOptions {
        bulk: bulk_costs(prepared)?,
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
    let outcome = native::run(build, actors)?;
    if outcome.oversubscribed {
        notes.push(
            "more threads than CPUs: they took turns, and times include the scheduler".into(),
        );
    }
    if !outcome.pinned {
        notes.push("not every thread could be pinned to a CPU".into());
    }
    Ok(to_run(
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
    ))
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
