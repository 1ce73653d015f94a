//! `boot-teardown`: TDs boot side by side, and each is torn down when it has booted.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::boot::{FIRMWARE, GUEST, LAUNCH, OTHERS, PAUSE, RATE};
use super::life::{Life, WHILE};
use super::{Progress, Usual, WorkloadInfo, threads};
use crate::host::Host;
use crate::params::Settings;

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "boot-teardown",
    summary: "each TD is created and boots as in boot, then is torn down by one thread",
    stands_for: "The measurement that the lists argue with: boot and shut TDs down, and add up what get \
                 and put took (Yan Zhao, 2026-02-09 and 2026-06-08). Gets of one TD meet puts of \
                 another.",
    bottleneck: "as in boot while TDs boot, as in teardown when they go",
    unit: "pages",
    params: &[GUEST, RATE, LAUNCH, FIRMWARE, OTHERS, PAUSE, WHILE],
    usual: Usual::NONE,
    large_first: false,
};

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let life = Life::<P>::new(build, host, settings);
    threads::threads(host, progress, "vcpu", threads::all, move |cpu, thread| {
        life.live(cpu, thread.td, (thread.index, thread.on), 0)
    })
}
