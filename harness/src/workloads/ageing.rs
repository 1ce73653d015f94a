//! `ageing`: TDs of all sizes come and go until the host's free memory is scattered.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform, Stream};
use pamt_strategies::units::{CpuId, Cycles};

use super::boot::{ALL_FIRMWARE, GUEST, LAUNCH_SOON, NO_PAUSE, OTHERS, RATE};
use super::life::{Life, WHILE};
use super::{Progress, Usual, WorkloadInfo, threads};
use crate::host::{Host, HostError, Pace, Vcpu, exponential};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "ageing",
    summary: "TDs of random size come and go many times: pairs held against the minimum, lost 2M regions",
    stands_for: "Days of churn in short: what remains of a region when its TDs leave at different times. \
                 Pages of short and long lived TDs come to lie in the same regions, so that pairs stay \
                 for a few pages, and backing pages in otherwise free regions keep those from being \
                 mapped as 2 MiB. result.memory.samples has pairs, the minimum and the lost regions \
                 each time a TD has all its memory. --set ageing=F starts with scattered memory.",
    bottleneck: "none: it is about memory, not time",
    unit: "pages",
    params: &[
        GUEST,
        RATE,
        LAUNCH_SOON,
        ALL_FIRMWARE,
        OTHERS,
        NO_PAUSE,
        WHILE,
        Param {
            name: "lives",
            kind: Kind::Count { min: 1, max: 100_000 },
            default: "10",
            help: "lives of each TD; in each it touches a random part of its memory",
        },
        Param {
            name: "stay",
            kind: Kind::Duration,
            default: "20ms",
            help: "mean of the exponential time that a TD runs before it goes; every fourth TD stays ten \
                   times as long, and lives a tenth of the lives",
        },
    ],
    usual: Usual::NONE,
    large_first: false,
};

/// Every so many TDs one is long lived, by this factor.
const LONG_EVERY: u32 = 4;
const LONG_FACTOR: u64 = 10;

struct Ageing<P: Platform> {
    life: Life<P>,
    pace: Pace,
    lives: u64,
    stay: Cycles,
}

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let length = |build: &P::Build, name| P::clock(build).cycles(settings.duration_ns(name));
    let ageing = Ageing::<P> {
        pace: Pace::new(P::clock(build), settings.count("rate"), length(build, "guest")),
        stay: length(build, "stay"),
        life: Life::new(build, host, settings),
        lives: settings.count("lives"),
    };
    threads::threads(host, progress, "vcpu", threads::first, move |cpu, thread| {
        ageing.lives(cpu, thread.td, thread.on)
    })
}

impl<P: Platform> Ageing<P> {
    fn lives(&self, cpu: &P::Cpu, td: u32, on: CpuId) -> Result<u64, HostError> {
        let long = td % LONG_EVERY == LONG_EVERY - 1;
        let (lives, stay) = if long {
            (self.lives.div_ceil(LONG_FACTOR), Cycles(self.stay.0 * LONG_FACTOR))
        } else {
            (self.lives, self.stay)
        };
        (0..lives).try_fold(0, |pages, _| Ok(pages + self.live(cpu, (td, on), stay)?))
    }

    /// One life: a random number of pages, a random time.
    fn live(&self, cpu: &P::Cpu, (td, on): (u32, CpuId), stay: Cycles) -> Result<u64, HostError> {
        let host = &self.life.host;
        host.create_td(cpu, &host.tds[td as usize])?;
        let size = 1 + P::random(cpu, Stream::Load) % host.plan.pages_per_td;
        let mut vcpu = Vcpu::new(td, on);
        let mut pace = self.pace;
        let pages = host.touch(cpu, &mut vcpu, &mut pace, 0..size);
        host.retire(cpu, &mut vcpu);
        host.take_census(cpu);
        P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, stay));
        self.life.tear_down(cpu, td).and(pages)
    }
}
