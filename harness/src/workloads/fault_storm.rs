//! `fault-storm`: all vCPUs of all TDs fault 4 KiB pages.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::boot::{GUEST, RATE};
use super::{Progress, Usual, WorkloadInfo, threads};
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
    let of = Arc::clone(host);
    threads::threads(host, progress, "vcpu", threads::all, move |cpu, thread| {
        P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, skew));
        let mut vcpu = Vcpu::new(thread.td, thread.on);
        let order = stretches(of.tds[thread.td as usize].pages(), thread.index, vcpus);
        let mut pace = pace;
        let pages = of.touch(cpu, &mut vcpu, &mut pace, order)?;
        of.retire(cpu, &mut vcpu);
        Ok(pages)
    })
}
