//! `fault-storm`: all vCPUs of all TDs fault 4 KiB pages.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::Cycles;

use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, HostError, Vcpu, exponential, stretches};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "fault-storm",
    summary: "all vCPUs of all TDs fault 4 KiB pages at the same time",
    stands_for: "The first minutes of many TDs: memory is accepted page by page on all vCPUs, each \
                 page a fault with a get and an AUG under mmu_lock held shared. The get sits on the \
                 fault path, so its wait is the guest's wait.",
    bottleneck: "a strategy that takes its lock for each page: the lock; else the module's own locked \
                 lines (PAMT_1G, TDR) and the zeroing of pages",
    unit: "pages",
    params: &[
        Param {
            name: "guest",
            kind: Kind::Duration,
            default: "1us",
            help: "mean of the exponential time in the guest between two faults of a vCPU",
        },
        Param {
            name: "rate",
            kind: Kind::Count { min: 0, max: 1_000_000 },
            default: "0",
            help: "open loop: faults that fall due each second on each vCPU, as a Poisson process; \
                   0: a vCPU's next fault comes `guest` after its last",
        },
        Param {
            name: "skew",
            kind: Kind::Duration,
            default: "10us",
            help: "mean of the exponential delay before each vCPU begins",
        },
    ],
    usual: Usual::NONE,
    large_first: false,
};

/// Open loop: the guest touches `gfns` when each falls due, or as soon after that as the vCPU is back.
fn touch_when_due<P: Platform>(
    cpu: &P::Cpu,
    host: &Host<P>,
    vcpu: &mut Vcpu,
    gap: Cycles,
    gfns: impl Iterator<Item = u64>,
) -> Result<u64, HostError> {
    let (mut pages, mut due) = (0, P::now(cpu));
    for gfn in gfns {
        due += exponential::<P>(cpu, gap);
        P::observe(cpu, Observation::Begin(Op::Guest));
        P::sleep_until(cpu, due);
        P::observe(cpu, Observation::End(Op::Guest));
        pages += host.touch(cpu, vcpu, Cycles(0), core::iter::once(gfn))?;
        P::observe(cpu, Observation::Took(Op::Response, P::now(cpu) - due));
    }
    Ok(pages)
}

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let (prepared, progressed) = (Arc::clone(host), Arc::clone(progress));
    P::prepare(
        build,
        Box::new(move |cpu| {
            progressed.prepared(prepared.create_tds(cpu));
        }),
    );
    let clock = P::clock(build);
    let guest = clock.cycles(settings.duration_ns("guest"));
    let gap = match settings.count("rate") {
        0 => None,
        rate => Some(clock.cycles(1e9 / rate as f64)),
    };
    let skew = clock.cycles(settings.duration_ns("skew"));
    let vcpus = u64::from(host.plan.vcpus);
    host.vcpus()
        .map(|(td, index, on)| {
            let (host, progress, id) = (Arc::clone(host), Arc::clone(progress), td.id);
            progress.enlist();
            let body = move |cpu: &P::Cpu| {
                progress.run(cpu, &host, id, || {
                    P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, skew));
                    let mut vcpu = Vcpu::new(id, on);
                    let order = stretches(host.tds[id as usize].pages(), index, vcpus);
                    let pages = match gap {
                        None => host.touch(cpu, &mut vcpu, guest, order)?,
                        Some(gap) => touch_when_due(cpu, &host, &mut vcpu, gap, order)?,
                    };
                    host.retire(cpu, &mut vcpu);
                    Ok(pages)
                });
            };
            Actor { cpu: on, name: format!("td{id}/vcpu{index}"), body: Box::new(body) }
        })
        .collect()
}
