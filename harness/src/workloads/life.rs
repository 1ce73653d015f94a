//! The life of a TD: it boots on all its vCPUs, and its first vCPU's thread tears it down.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::CpuId;

use super::boot::Boot;
use crate::host::{Host, HostError};
use crate::params::{Kind, Param, Settings};

pub(super) const WHILE: Param = Param {
    name: "while",
    kind: Kind::Choice(&["released", "runnable"]),
    default: "runnable",
    help: "pages are removed one by one while the TD has its key id, or reclaimed after that",
};

/// What the lives of all TDs share.
pub(super) struct Life<P: Platform> {
    pub(super) host: Arc<Host<P>>,
    boot: Boot<P>,
    runnable: bool,
}

impl<P: Platform> Life<P> {
    pub(super) fn new(build: &mut P::Build, host: &Arc<Host<P>>, settings: &Settings) -> Self {
        Self {
            host: Arc::clone(host),
            boot: Boot::new(build, host, settings),
            runnable: settings.choice("while") == "runnable",
        }
    }

    /// The part of a vCPU in life number `round` of a TD; the first vCPU's begins and ends with the TD.
    pub(super) fn live(
        &self,
        cpu: &P::Cpu,
        td: u32,
        vcpu: (u64, CpuId),
        round: u64,
    ) -> Result<u64, HostError> {
        self.live_with(cpu, td, vcpu, round, || Ok(()))
    }

    /// The same; the first vCPU does `work` when the TD has booted.
    pub(super) fn live_with(
        &self,
        cpu: &P::Cpu,
        td: u32,
        vcpu: (u64, CpuId),
        round: u64,
        work: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<u64, HostError> {
        let booted = self.boot.run(cpu, td, vcpu, round);
        if vcpu.0 != 0 {
            return booted;
        }
        self.host.take_census(cpu);
        let worked = booted.and_then(|pages| work().map(|()| pages));
        self.tear_down(cpu, td).and(worked)
    }

    /// Everything of a TD goes.
    pub(super) fn tear_down(&self, cpu: &P::Cpu, td: u32) -> Result<(), HostError> {
        P::observe(cpu, Observation::Begin(Op::TdTeardown));
        let outcome = self.take_all(cpu, td);
        P::observe(cpu, Observation::End(Op::TdTeardown));
        outcome
    }

    fn take_all(&self, cpu: &P::Cpu, td: u32) -> Result<(), HostError> {
        let own = &self.host.tds[td as usize];
        if !own.exists() {
            return Ok(());
        }
        let all = 0..own.pages();
        if self.runnable {
            self.host.remove_guest(cpu, td, all)?;
            self.host.release_keys(cpu, td)?;
        } else {
            self.host.release_keys(cpu, td)?;
            self.host.reclaim_guest(cpu, td, all)?;
        }
        self.host.reclaim_td(cpu, td)
    }
}
