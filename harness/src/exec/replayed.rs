//! Experiments that replay a recording: what it says itself, and what it cannot serve.

use std::sync::Arc;

use pamt_strategies::registry::StrategySpec;
use pamt_strategies::units::PAGE_BYTES;

use super::RunError;
use crate::experiment::{Backend, Experiment};
use crate::recording::Replay;
use crate::workloads::{WorkloadId, replayed_file};

/// The placement that means a recording, and that a recording means.
const RECORDED: &str = "recorded";

/// The recording that an experiment replays, if it does.
pub(super) fn load(
    experiment: &Experiment,
    workload: WorkloadId,
) -> Result<Option<Arc<Replay>>, RunError> {
    match replayed_file(&experiment.workload) {
        Some(file) if !file.is_empty() => Ok(Some(Arc::new(Replay::load(file)?))),
        _ if workload.replays() => Err(RunError::NoTrace),
        _ if experiment.placement == RECORDED => {
            Err(unfit("--placement recorded is for --workload trace:FILE; leave it out"))
        }
        _ => Ok(None),
    }
}

fn unfit(why: &'static str) -> RunError {
    RunError::Replay { why }
}

/// The experiment with the sizes of its recording.
pub(super) fn sized(
    experiment: &Experiment,
    spec: &StrategySpec,
    replay: &Replay,
) -> Result<Experiment, RunError> {
    if spec.info().needs_leaf_status() {
        return Err(unfit(
            "this strategy acts on the status of leaves, which a trace does not have; choose another",
        ));
    }
    if experiment.backend == Backend::Hw {
        return Err(unfit("a trace is replayed by --backend sim or native"));
    }
    if experiment.placement != RECORDED {
        return Err(unfit("a trace says where its pages lie; leave --placement out"));
    }
    if experiment.page_size != "4k" {
        return Err(unfit("a trace has 4 KiB pages; leave --page-size out"));
    }
    let vcpus = replay.tds.iter().map(|td| td.cpus.len()).max().unwrap_or(1);
    let pages = replay.tds.iter().map(|td| u64::from(td.pages)).max().unwrap_or(1);
    Ok(Experiment {
        tds: replay.tds.len() as u32,
        vcpus: vcpus as u32,
        memory_bytes: pages.max(1) * PAGE_BYTES,
        ..experiment.clone()
    })
}
