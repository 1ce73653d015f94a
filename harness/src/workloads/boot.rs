//! `boot`: TDs are created and boot side by side, each in two phases.
//!
//! Firmware accepts the memory below 4 GiB on all vCPUs in stride, a stretch of 2 MiB each in turn.
//! Then the guest's kernel accepts what it comes to need, mostly on the vCPU that boots: a stretch at
//! a time, with a pause before each. (Inferred from the published call counts and from what firmware
//! and kernel do; no trace of a boot was published.)
//!
//! A TD of 8 GiB with QEMU's memory layout has 2 GiB of RAM below 4 GiB, the rest lies above, and it
//! touches 2.7 GiB (Yan Zhao, 2026-06-08): three quarters are firmware's. A run with less memory keeps
//! that share; with more, firmware's part stays at 2 GiB.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::{CpuId, Cycles, PAGE_BYTES};

use super::meeting::Meeting;
use super::{Progress, Usual, WorkloadInfo, threads};
use crate::host::{Host, HostError, Pace, STRETCH, Vcpu, exponential, stretches};
use crate::params::{Kind, Param, Settings};

/// RAM below 4 GiB of a larger VM (QEMU, q35).
const LOW_RAM_PAGES: u64 = (2 << 30) / PAGE_BYTES;

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "boot",
    summary: "TDs boot: firmware accepts low memory on all vCPUs, then mostly one vCPU goes on",
    stands_for: "TDs that are launched shortly after each other. While firmware runs, all vCPUs of a \
                 TD fault and get; in the long phase one vCPU does, in bursts of 2 MiB. Pages that the \
                 vCPUs of a TD fault side by side lie in the same regions, so their gets share a \
                 refcount, and its line.",
    bottleneck: "in the first phase as in fault-storm; in the second KVM's own work and exits",
    unit: "pages",
    params: &[GUEST, RATE, LAUNCH, FIRMWARE, OTHERS, PAUSE],
    usual: Usual::NONE,
    large_first: false,
};

pub(super) const GUEST: Param = Param {
    name: "guest",
    kind: Kind::Duration,
    default: "1us",
    help: "mean of the exponential time in the guest between two faults of a vCPU",
};
pub(super) const RATE: Param = Param {
    name: "rate",
    kind: Kind::Count { min: 0, max: 1_000_000 },
    default: "0",
    help: "open loop: faults that fall due each second on each vCPU, as a Poisson process; \
           0: a vCPU's next fault comes `guest` after its last",
};
pub(super) const LAUNCH: Param = Param {
    name: "launch",
    kind: Kind::Duration,
    default: "10ms",
    help: "mean of the exponential delay before each TD is launched",
};
pub(super) const FIRMWARE: Param = Param {
    name: "firmware",
    kind: Kind::Fraction,
    default: "0.75",
    help: "share of the memory that firmware accepts on all vCPUs, 2 GiB at most",
};
pub(super) const OTHERS: Param = Param {
    name: "others",
    kind: Kind::Fraction,
    default: "0.1",
    help: "share of the rest that is accepted on another than the booting vCPU",
};
pub(super) const PAUSE: Param = Param {
    name: "pause",
    kind: Kind::Duration,
    default: "10ms",
    help: "mean of the exponential time between two stretches of 2 MiB that the booting vCPU accepts",
};

// For TDs that boot as fast as they can, on all vCPUs at once.
pub(super) const LAUNCH_SOON: Param = Param { default: "10us", ..LAUNCH };
pub(super) const ALL_FIRMWARE: Param = Param { default: "1", ..FIRMWARE };
pub(super) const NO_PAUSE: Param = Param { default: "0ns", ..PAUSE };

/// How TDs boot.
pub(super) struct Boot<P: Platform> {
    host: Arc<Host<P>>,
    launched: Meeting<P>,
    accepted: Meeting<P>,
    booted: Meeting<P>,
    pace: Pace,
    launch: Cycles,
    pause: Cycles,
    firmware_share: f64,
    others_share: f64,
}

impl<P: Platform> Boot<P> {
    pub(super) fn new(build: &mut P::Build, host: &Arc<Host<P>>, settings: &Settings) -> Self {
        let clock = P::clock(build);
        let length = |name| clock.cycles(settings.duration_ns(name));
        let tds = host.tds.len();
        Self {
            host: Arc::clone(host),
            launched: Meeting::new(build, "td_launched", tds),
            accepted: Meeting::new(build, "td_accepted", tds),
            booted: Meeting::new(build, "td_booted", tds),
            pace: Pace::new(clock, settings.count("rate"), length("guest")),
            launch: length("launch"),
            pause: length("pause"),
            firmware_share: settings.fraction("firmware"),
            others_share: settings.fraction("others"),
        }
    }

    /// The part of vCPU `index` in boot number `round` of `td`; returns the pages that it accepted. The
    /// first vCPU creates the TD, and returns last.
    pub(super) fn run(
        &self,
        cpu: &P::Cpu,
        td: u32,
        (index, on): (u64, CpuId),
        round: u64,
    ) -> Result<u64, HostError> {
        let vcpus = u64::from(self.host.plan.vcpus);
        let mut created = Ok(());
        if index == 0 {
            P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, self.launch));
            P::observe(cpu, Observation::Begin(Op::TdBoot));
            created = self.host.create_td(cpu, &self.host.tds[td as usize]);
            self.launched.arrive(cpu, td);
        }
        self.launched.wait_for(cpu, td, round + 1);
        let mut vcpu = Vcpu::new(td, on);
        let outcome = self.phases(cpu, &mut vcpu, (index, round), created);
        self.host.retire(cpu, &mut vcpu);
        self.booted.arrive(cpu, td);
        if index == 0 {
            self.booted.wait_for(cpu, td, vcpus * (round + 1));
            P::observe(cpu, Observation::End(Op::TdBoot));
        }
        outcome
    }

    fn phases(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        (index, round): (u64, u64),
        created: Result<(), HostError>,
    ) -> Result<u64, HostError> {
        let vcpus = u64::from(self.host.plan.vcpus);
        let td = &self.host.tds[vcpu.td as usize];
        let pages = td.pages();
        let low = self.firmware_pages(pages);
        let mut pace = self.pace;
        let firmware = created
            .and_then(|()| {
                if td.is_created() { Ok(()) } else { Err(HostError::NotCreated { td: td.id }) }
            })
            .and_then(|()| self.host.touch(cpu, vcpu, &mut pace, stretches(low, index, vcpus)));
        self.accepted.arrive(cpu, vcpu.td);
        self.accepted.wait_for(cpu, vcpu.td, vcpus * (round + 1));
        let mut done = firmware?;
        pace.resume::<P>(cpu);
        let long = LongPhase::new(low, pages, vcpus, self.others_share);
        let pause = long.pause_of(index, self.pause);
        for start in long.starts(index) {
            pace.pause::<P>(cpu, pause);
            let stretch = start..(start + STRETCH).min(pages);
            done += self.host.touch(cpu, vcpu, &mut pace, stretch)?;
        }
        Ok(done)
    }

    fn firmware_pages(&self, pages: u64) -> u64 {
        ((pages as f64 * self.firmware_share).round() as u64).min(LOW_RAM_PAGES)
    }
}

/// Who accepts which stretch after firmware's phase: every n-th one is another vCPU's, in turn.
#[derive(Clone, Copy, Debug)]
struct LongPhase {
    from: u64,
    pages: u64,
    vcpus: u64,
    /// One stretch of so many is not the booting vCPU's; 0 if all are.
    every: u64,
}

impl LongPhase {
    fn new(from: u64, pages: u64, vcpus: u64, others_share: f64) -> Self {
        let alone = vcpus == 1 || others_share == 0.0;
        let every = if alone { 0 } else { (1.0 / others_share).round() as u64 };
        Self { from, pages, vcpus, every }
    }

    fn owner(self, stretch: u64) -> u64 {
        match self.every {
            0 => 0,
            every if stretch % every == every - 1 => 1 + stretch / every % (self.vcpus - 1),
            _ => 0,
        }
    }

    /// First pages of the stretches of vCPU `index`.
    fn starts(self, index: u64) -> impl Iterator<Item = u64> {
        let starts = (self.from..self.pages).step_by(STRETCH as usize);
        let own = move |(stretch, _): &(u64, u64)| self.owner(*stretch) == index;
        (0..).zip(starts).filter(own).map(|(_, start)| start)
    }

    /// The pause of a vCPU before each of its stretches, so that all are done over the same time.
    fn pause_of(self, index: u64, booting: Cycles) -> Cycles {
        let count = |index| self.starts(index).count() as u64;
        let own = count(index).max(1);
        Cycles(booting.0 * count(0).max(1) / own)
    }
}

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let boot = Boot::<P>::new(build, host, settings);
    threads::threads(host, progress, "vcpu", threads::all, move |cpu, thread| {
        boot.run(cpu, thread.td, (thread.index, thread.on), 0)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_stretch_of_the_long_phase_is_accepted_by_one_vcpu(
            from in 0_u64..5000, more in 0_u64..20_000, vcpus in 1_u64..9, share in 0.0_f64..1.0,
        ) {
            let long = LongPhase::new(from, from + more, vcpus, share);
            let mut seen = BTreeSet::new();
            for index in 0..vcpus {
                for start in long.starts(index) {
                    prop_assert!(seen.insert(start));
                }
            }
            prop_assert_eq!(seen.len() as u64, more.div_ceil(STRETCH));
        }
    }

    #[test]
    fn the_vcpus_of_a_long_phase_are_done_over_the_same_time() {
        let long = LongPhase::new(0, 1000 * STRETCH, 5, 0.1);
        let time = |index| long.pause_of(index, Cycles(9000)).0 * long.starts(index).count() as u64;
        for index in 1..5 {
            assert!(time(index).abs_diff(time(0)) * 100 < time(0), "vCPU {index}");
        }
    }
}
