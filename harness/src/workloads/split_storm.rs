//! `split-storm`: one TD splits its 2 MiB mappings while others boot and go.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::boot::{ALL_FIRMWARE, GUEST, LAUNCH_SOON, NO_PAUSE, OTHERS, RATE};
use super::churn::{Churn, TIME};
use super::life::WHILE;
use super::meeting::Meeting;
use super::threads::{self, Thread};
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
    let churn = Churn::<P>::new(build, host, settings);
    let gone = Meeting::<P>::new(build, "tds_gone", 1);
    let between = P::clock(build).cycles(settings.duration_ns("between"));
    let takes_part = |thread: Thread| thread.td != STORM || thread.index == 0;
    let of = Arc::clone(host);
    threads::threads(host, progress, "vcpu", takes_part, move |cpu, thread| {
        if thread.td != STORM {
            let outcome = churn.run(cpu, thread.td, (thread.index, thread.on));
            if thread.index == 0 {
                gone.arrive(cpu, 0);
            }
            return outcome;
        }
        let mut vcpu = Vcpu::new(thread.td, thread.on);
        let others = u64::from(of.plan.tds) - 1;
        let over = || others > 0 && gone.arrived(cpu, 0) == others;
        let pause = || {
            P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, between));
        };
        let outcome = storm(cpu, &of, &mut vcpu, &over, &pause);
        of.retire(cpu, &mut vcpu);
        outcome
    })
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
