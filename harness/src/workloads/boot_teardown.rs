//! `boot-teardown`: TDs boot side by side, and each is torn down when all its memory is accepted.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Ordering, Place, Platform, Until, Words};

use pamt_strategies::units::{CpuId, Cycles};

use super::{Progress, WorkloadInfo};
use crate::host::{Host, HostError, Vcpu, exponential, stretches};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "boot-teardown",
    summary: "each TD faults all its memory on all its vCPUs, then is torn down by one thread",
    stands_for: "The measurement that the lists argue with: boot and shut TDs down, and add up what get \
                 and put took (Yan Zhao, 2026-02-09 and 2026-06-08). Gets of one TD meet puts of \
                 another.",
    bottleneck: "as in fault-storm while TDs boot, as in teardown when they go",
    unit: "pages",
    params: &[
        Param {
            name: "guest",
            kind: Kind::Duration,
            default: "1us",
            help: "mean of the exponential time in the guest between two faults of a vCPU",
        },
        Param {
            name: "skew",
            kind: Kind::Duration,
            default: "10us",
            help: "mean of the exponential delay before each vCPU begins",
        },
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
    progress: Arc<Progress>,
    /// vCPUs of each TD that have booted; the first one waits for the others.
    booted: P::Words<u32>,
    guest: Cycles,
    skew: Cycles,
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
    let clock = P::clock(build);
    let shared = Arc::new(Shared::<P> {
        host: Arc::clone(host),
        progress: Arc::clone(progress),
        booted: P::words(build, Place::padded("td_join", host.tds.len())),
        guest: clock.cycles(settings.duration_ns("guest")),
        skew: clock.cycles(settings.duration_ns("skew")),
        runnable: settings.choice("while") == "runnable",
    });
    host.vcpus()
        .map(|(td, index, on)| {
            let (shared, id) = (Arc::clone(&shared), td.id);
            progress.enlist();
            let body = move |cpu: &P::Cpu| {
                let progress = Arc::clone(&shared.progress);
                progress.run(cpu, &shared.host, id, || shared.live(cpu, id, index, on));
            };
            Actor { cpu: on, name: format!("td{id}/vcpu{index}"), body: Box::new(body) }
        })
        .collect()
}

impl<P: Platform> Shared<P> {
    /// The life of a vCPU: its share of the boot; the first one then tears the TD down.
    fn live(&self, cpu: &P::Cpu, id: u32, index: u64, on: CpuId) -> Result<u64, HostError> {
        P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, self.skew));
        if index != 0 {
            let outcome = self.boot(cpu, id, index, on);
            self.booted.fetch_add(cpu, id as usize, 1, Ordering::Release);
            return outcome;
        }
        P::observe(cpu, Observation::Begin(Op::TdBoot));
        let outcome = self.boot(cpu, id, index, on);
        let others = Until::eq(u64::from(self.host.plan.vcpus) - 1);
        self.booted.spin_until(cpu, id as usize, others, Ordering::Acquire);
        P::observe(cpu, Observation::End(Op::TdBoot));
        let pages = outcome?;
        P::observe(cpu, Observation::Begin(Op::TdTeardown));
        let gone = self.tear_down(cpu, id);
        P::observe(cpu, Observation::End(Op::TdTeardown));
        gone.map(|()| pages)
    }

    fn boot(&self, cpu: &P::Cpu, id: u32, index: u64, on: CpuId) -> Result<u64, HostError> {
        let host = &self.host;
        let mut vcpu = Vcpu::new(id, on);
        let mut pages = 0;
        let order = stretches(host.tds[id as usize].pages(), index, u64::from(host.plan.vcpus));
        for gfn in order {
            P::observe(cpu, Observation::Begin(Op::Guest));
            P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, self.guest));
            P::observe(cpu, Observation::End(Op::Guest));
            host.fault(cpu, &mut vcpu, gfn)?;
            pages += 1;
        }
        host.retire(cpu, &mut vcpu);
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
