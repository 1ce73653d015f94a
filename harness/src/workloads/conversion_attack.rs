//! `conversion-attack`: some TDs convert memory between shared and private in a loop, and what it does
//! to the faults of the others is the result.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::boot::{ALL_FIRMWARE, Boot, GUEST, LAUNCH_SOON, NO_PAUSE, OTHERS, RATE};
use super::meeting::Meeting;
use super::threads::{self, Thread};
use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, HostError, LARGE_PAGES, Vcpu};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "conversion-attack",
    summary: "TDs convert memory shared <-> private in a loop; the fault latency of the others is the result",
    stands_for: "A noisy neighbour: a guest may convert its memory as often as it likes, and each way \
                 costs the host puts and gets (asked for by Sean Christopherson, 2025-08-11; called an \
                 easy denial of service across tenants by Kiryl Shutsemau, 2026-06-08; never measured). \
                 Faults of the converting TDs count as conversions, so `fault` is the victims' alone. \
                 --set attackers=0 is the quiet host.",
    bottleneck: "the converting TD: BLOCK, TRACK and the kick. The victims: the strategy's lock, where a \
                 conversion holds it over PAMT.ADD and PAMT.REMOVE (4k-alone, with a placement that \
                 gives each 2 MiB a region of its own, such as contiguous), or for each page",
    unit: "pages",
    params: &[
        GUEST,
        RATE,
        LAUNCH_SOON,
        ALL_FIRMWARE,
        OTHERS,
        NO_PAUSE,
        Param {
            name: "attackers",
            kind: Kind::Count { min: 0, max: 512 },
            default: "1",
            help: "TDs that convert; there is always one victim at least",
        },
        Param {
            name: "unit",
            kind: Kind::Choice(&["4k", "4k-alone", "2m"]),
            default: "4k",
            help: "pages in turn, the only private page of each 2 MiB in turn, or 2 MiB at once",
        },
    ],
    usual: Usual::NONE,
    large_first: false,
};

/// What an attacker converts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    pages: u64,
    step: u64,
}

impl Unit {
    fn of(settings: &Settings) -> Self {
        let (pages, step) = match settings.choice("unit") {
            "4k-alone" => (1, LARGE_PAGES),
            "2m" => (LARGE_PAGES, LARGE_PAGES),
            _ => (1, 1),
        };
        Self { pages, step }
    }
}

/// What all actors share.
struct Shared<P: Platform> {
    host: Arc<Host<P>>,
    boot: Boot<P>,
    done: Meeting<P>,
    attackers: u32,
    unit: Unit,
}

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let shared = Arc::new(Shared::<P> {
        host: Arc::clone(host),
        boot: Boot::new(build, host, settings),
        done: Meeting::new(build, "victims_done", 1),
        attackers: (settings.count("attackers") as u32).min(host.plan.tds - 1),
        unit: Unit::of(settings),
    });
    let (prepared, progressed) = (Arc::clone(&shared), Arc::clone(progress));
    P::prepare(
        build,
        Box::new(move |cpu| {
            progressed.prepared(prepared.populate(cpu));
        }),
    );
    let attackers = shared.attackers;
    let takes_part = |thread: Thread| thread.td >= attackers || thread.index == 0;
    threads::threads(host, progress, "vcpu", takes_part, move |cpu, thread| {
        if thread.td < attackers {
            let mut vcpu = Vcpu::new(thread.td, thread.on);
            let outcome = shared.attack(cpu, &mut vcpu);
            shared.host.retire(cpu, &mut vcpu);
            return outcome;
        }
        let outcome = shared.boot.run(cpu, thread.td, (thread.index, thread.on), 0);
        shared.done.arrive(cpu, 0);
        outcome
    })
}

impl<P: Platform> Shared<P> {
    /// First pages of what attackers convert.
    fn starts(&self) -> impl Iterator<Item = u64> {
        let pages = self.host.plan.pages_per_td;
        (0..pages).step_by(self.unit.step as usize)
    }

    /// Attackers exist, and hold what they will convert.
    fn populate(&self, cpu: &P::Cpu) -> Result<(), HostError> {
        for td in &self.host.tds[..self.attackers as usize] {
            self.host.create_td(cpu, td)?;
            let mut vcpu = Vcpu::new(td.id, td.cpus[0]);
            for start in self.starts() {
                let stop = (start + self.unit.pages).min(td.pages());
                for gfn in (start..stop).filter(|gfn| !td.is_mapped(*gfn)) {
                    self.host.map(cpu, &mut vcpu, gfn)?;
                }
            }
            self.host.retire(cpu, &mut vcpu);
        }
        Ok(())
    }

    /// Converts until all victims are done.
    fn attack(&self, cpu: &P::Cpu, vcpu: &mut Vcpu) -> Result<u64, HostError> {
        let pages = self.host.plan.pages_per_td;
        let victims =
            u64::from(self.host.plan.tds - self.attackers) * u64::from(self.host.plan.vcpus);
        loop {
            for start in self.starts() {
                if self.done.arrived(cpu, 0) == victims {
                    return Ok(0);
                }
                self.host.convert(cpu, vcpu, start..(start + self.unit.pages).min(pages))?;
            }
        }
    }
}
