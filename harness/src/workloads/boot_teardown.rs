//! `boot-teardown`: TDs boot side by side, and each is torn down when it has booted.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::CpuId;

use super::boot::{Boot, FIRMWARE, GUEST, LAUNCH, OTHERS, PAUSE};
use super::{Progress, WorkloadInfo};
use crate::host::{Host, HostError};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "boot-teardown",
    summary: "each TD boots as in boot, then is torn down by one thread",
    stands_for: "The measurement that the lists argue with: boot and shut TDs down, and add up what get \
                 and put took (Yan Zhao, 2026-02-09 and 2026-06-08). Gets of one TD meet puts of \
                 another.",
    bottleneck: "as in boot while TDs boot, as in teardown when they go",
    unit: "pages",
    params: &[
        GUEST,
        LAUNCH,
        FIRMWARE,
        OTHERS,
        PAUSE,
        Param {
            name: "while",
            kind: Kind::Choice(&["released", "runnable"]),
            default: "runnable",
            help: "pages are removed one by one while the TD has its key id, or reclaimed after that",
        },
    ],
};

/// What all actors of a run share.
struct Shared<P: Platform> {
    host: Arc<Host<P>>,
    boot: Boot<P>,
    runnable: bool,
}

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let (prepared, progressed) = (Arc::clone(host), Arc::clone(progress));
    P::prepare(build, Box::new(move |cpu| progressed.prepared(prepared.create_tds(cpu))));
    let shared = Arc::new(Shared::<P> {
        host: Arc::clone(host),
        boot: Boot::new(build, host, settings),
        runnable: settings.choice("while") == "runnable",
    });
    host.vcpus()
        .map(|(td, index, on)| {
            let (shared, progress, id) = (Arc::clone(&shared), Arc::clone(progress), td.id);
            progress.enlist();
            let body = move |cpu: &P::Cpu| {
                progress.run(cpu, &shared.host, id, || shared.live(cpu, id, index, on));
            };
            Actor { cpu: on, name: format!("td{id}/vcpu{index}"), body: Box::new(body) }
        })
        .collect()
}

impl<P: Platform> Shared<P> {
    /// The life of a vCPU: its share of the boot; the first one then tears the TD down.
    fn live(&self, cpu: &P::Cpu, id: u32, index: u64, on: CpuId) -> Result<u64, HostError> {
        let pages = self.boot.run(cpu, id, index, on)?;
        if index == 0 {
            P::observe(cpu, Observation::Begin(Op::TdTeardown));
            let gone = self.tear_down(cpu, id);
            P::observe(cpu, Observation::End(Op::TdTeardown));
            gone?;
        }
        Ok(pages)
    }

    fn tear_down(&self, cpu: &P::Cpu, id: u32) -> Result<(), HostError> {
        let all = 0..self.host.tds[id as usize].pages();
        if self.runnable {
            self.host.remove_guest(cpu, id, all)?;
            self.host.release_keys(cpu, id)?;
        } else {
            self.host.release_keys(cpu, id)?;
            self.host.reclaim_guest(cpu, id, all)?;
        }
        self.host.reclaim_td(cpu, id)
    }
}
