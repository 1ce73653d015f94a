//! `churn`: TDs are created and destroyed in a loop on all CPUs, for a given time.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::{CpuId, Cycles};

use super::boot::{ALL_FIRMWARE, GUEST, LAUNCH_SOON, NO_PAUSE, OTHERS, RATE};
use super::life::{Life, WHILE};
use super::meeting::Rounds;
use super::{Progress, Usual, WorkloadInfo, threads};
use crate::host::{Host, HostError};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "churn",
    summary: "create, boot and destroy TDs in a loop on all CPUs, for a given time",
    stands_for: "The torture test that Dave Hansen asked for (2025-05-07): loops that create and destroy \
                 VMs on many CPUs, to see whether the PAMT lock or page conversion is the bottleneck. \
                 Each TD's threads live one life after the other, so that all phases overlap.",
    bottleneck: "while TDs are small, KVM's mutex (tdx_lock), held while the caches of all packages are \
                 written back; else conversion of pages (AUG, RECLAIM, zeroing); then the strategy's lock",
    unit: "pages",
    params: &[GUEST, RATE, LAUNCH_SOON, ALL_FIRMWARE, OTHERS, NO_PAUSE, WHILE, TIME],
    usual: Usual::NONE,
    large_first: false,
};

pub(super) const TIME: Param = Param {
    name: "time",
    kind: Kind::Duration,
    default: "100ms",
    help: "no life begins after this; each TD lives once at least",
};

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let churn = Churn::<P>::new(build, host, settings);
    threads::threads(host, progress, "vcpu", threads::all, move |cpu, thread| {
        churn.run(cpu, thread.td, (thread.index, thread.on))
    })
}

/// What TDs that come and go share.
pub(super) struct Churn<P: Platform> {
    life: Life<P>,
    rounds: Rounds<P>,
    end: Cycles,
}

impl<P: Platform> Churn<P> {
    pub(super) fn new(build: &mut P::Build, host: &Arc<Host<P>>, settings: &Settings) -> Self {
        Self {
            life: Life::new(build, host, settings),
            rounds: Rounds::new(build, host.tds.len()),
            end: P::clock(build).cycles(settings.duration_ns("time")),
        }
    }

    /// The part of a vCPU's thread in all lives of its TD.
    pub(super) fn run(&self, cpu: &P::Cpu, td: u32, vcpu: (u64, CpuId)) -> Result<u64, HostError> {
        if vcpu.0 == 0 { self.lead(cpu, td, vcpu.1) } else { self.follow(cpu, td, vcpu) }
    }

    /// The first vCPU's thread creates the TD, calls the others, and destroys it.
    fn lead(&self, cpu: &P::Cpu, td: u32, on: CpuId) -> Result<u64, HostError> {
        let begun = P::now(cpu);
        let mut pages = 0;
        let mut outcome = Ok(());
        for round in 0.. {
            outcome = self.round(cpu, td, on, round).map(|done| pages += done);
            if outcome.is_err() || P::now(cpu) - begun >= self.end {
                break;
            }
        }
        self.rounds.end(cpu, td);
        outcome.map(|()| pages)
    }

    fn round(&self, cpu: &P::Cpu, td: u32, on: CpuId, round: u32) -> Result<u64, HostError> {
        self.rounds.call(cpu, td, round);
        self.life.live(cpu, td, (0, on), round.into())
    }

    /// The other vCPUs boot with it, in every round, whatever went wrong before.
    fn follow(&self, cpu: &P::Cpu, td: u32, vcpu: (u64, CpuId)) -> Result<u64, HostError> {
        let mut outcome = Ok(0);
        for round in 0.. {
            if !self.rounds.join(cpu, td, round) {
                break;
            }
            let pages = self.life.live(cpu, td, vcpu, round.into());
            outcome = outcome.and_then(|sum: u64| Ok(sum + pages?));
        }
        outcome
    }
}
