//! `fault-storm`: all vCPUs of all TDs fault 4 KiB pages.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::boot::{GUEST, RATE};
use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, Pace, Vcpu, exponential, stretches};
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
        GUEST,
        RATE,
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
    let pace = Pace::new(clock, settings.count("rate"), guest);
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
                    let mut pace = pace;
                    let pages = host.touch(cpu, &mut vcpu, &mut pace, order)?;
                    host.retire(cpu, &mut vcpu);
                    Ok(pages)
                });
            };
            Actor { cpu: on, name: format!("td{id}/vcpu{index}"), body: Box::new(body) }
        })
        .collect()
}
