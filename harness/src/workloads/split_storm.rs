//! `split-storm`: one TD splits its 2 MiB mappings while others boot and go.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::boot::{ALL_FIRMWARE, GUEST, LAUNCH_SOON, NO_PAUSE, OTHERS, RATE};
use super::churn::{Churn, TIME};
use super::life::WHILE;
use super::meeting::Meeting;
use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, HostError, LARGE_PAGES, Vcpu, exponential};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "split-storm",
    summary: "the first TD splits 2M mappings over and over, while the others boot and are torn down",
    stands_for: "A guest that shares pages out of its 2 MiB mappings (virtio buffers, swiotlb) beside \
                 guests that come and go. Each split is a DEMOTE of some 10 us that holds the regions of \
                 its page pair shared, outside the PAMT lock, so it meets PAMT.ADD and PAMT.REMOVE of \
                 others there: one side gets BUSY. When all is split, PROMOTE joins the mappings again \
                 (no posted kernel does that; it keeps the storm going).",
    bottleneck: "the splitting TD: DEMOTE under its mmu_lock. The others: as in fault-storm and teardown; \
                 a put that meets BUSY leaks its pair",
    unit: "pages",
    params: &[
        GUEST,
        RATE,
        LAUNCH_SOON,
        ALL_FIRMWARE,
        OTHERS,
        NO_PAUSE,
        WHILE,
        Param { default: "0ns", ..TIME },
        Param {
            name: "between",
            kind: Kind::Duration,
            default: "0ns",
            help: "mean of the exponential time between two splits",
        },
    ],
    usual: Usual::NONE,
    large_first: true,
};

/// The TD that splits.
const STORM: u32 = 0;

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
            let storm = &prepared.tds[..1];
            let populate = |()| prepared.populate(cpu, storm);
            progressed.prepared(prepared.create_td(cpu, &storm[0]).and_then(populate));
        }),
    );
    let churn = Arc::new(Churn::<P>::new(build, host, settings));
    let gone = Arc::new(Meeting::<P>::new(build, "tds_gone", 1));
    let between = P::clock(build).cycles(settings.duration_ns("between"));
    let splitting = host.vcpus().filter(|(td, index, _)| td.id != STORM || *index == 0);
    splitting
        .map(|(td, index, on)| {
            let (host, churn, gone) = (Arc::clone(host), Arc::clone(&churn), Arc::clone(&gone));
            let (progress, id) = (Arc::clone(progress), td.id);
            progress.enlist();
            let body = move |cpu: &P::Cpu| {
                progress.run(cpu, &host, id, || {
                    if id == STORM {
                        let mut vcpu = Vcpu::new(id, on);
                        let others = u64::from(host.plan.tds) - 1;
                        let over = || others > 0 && gone.arrived(cpu, 0) == others;
                        let pause = || {
                            P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, between));
                        };
                        let outcome = storm(cpu, &host, &mut vcpu, &over, &pause);
                        host.retire(cpu, &mut vcpu);
                        return outcome;
                    }
                    let outcome = churn.run(cpu, id, (index, on));
                    if index == 0 {
                        gone.arrive(cpu, 0);
                    }
                    outcome
                });
            };
            Actor { cpu: on, name: format!("td{id}/vcpu{index}"), body: Box::new(body) }
        })
        .collect()
}

/// Splits everything and joins it again until the others are gone, once if there are none.
fn storm<P: Platform>(
    cpu: &P::Cpu,
    host: &Host<P>,
    vcpu: &mut Vcpu,
    over: &dyn Fn() -> bool,
    pause: &dyn Fn(),
) -> Result<u64, HostError> {
    let stretches = host.tds[vcpu.td as usize].pages() / LARGE_PAGES;
    loop {
        for at in 0..stretches {
            if over() {
                return Ok(0);
            }
            pause();
            host.split(cpu, vcpu, at)?;
        }
        if host.plan.tds == 1 || stretches == 0 {
            return Ok(0);
        }
        (0..stretches).try_for_each(|at| host.promote(cpu, vcpu.td, at))?;
    }
}
