//! `teardown`: TDs that hold memory are reclaimed at the same time.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Platform};

use super::meeting::Meeting;
use super::threads::{self, Thread};
use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, exponential, share};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "teardown",
    summary: "all TDs are torn down at once: reclaimed after their key ids are released, or removed while runnable",
    stands_for: "Several TDs shut down at the same moment: a host is drained, a batch job ends. Each \
                 TD is a stream of PHYMEM.PAGE.RECLAIM and put, and the streams meet only in the PAMT \
                 lock and in the module (R. Edgecombe's third point of 2025-08-08).",
    bottleneck: "the strategy's lock with PAMT.REMOVE under it where it is taken for each page; else \
                 RECLAIM itself and the clearing of pages",
    unit: "pages",
    params: &[
        Param {
            name: "threads",
            kind: Kind::Count { min: 1, max: 512 },
            default: "1",
            help: "host threads that reclaim one TD, at most its vCPUs; they take turns on mmu_lock",
        },
        Param {
            name: "while",
            kind: Kind::Choice(&["released", "runnable"]),
            default: "released",
            help: "pages are reclaimed after the key id is released, or removed one by one before that",
        },
        Param {
            name: "skew",
            kind: Kind::Duration,
            default: "10us",
            help: "mean of the exponential delay before each TD begins",
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
    let runnable = settings.choice("while") == "runnable";
    P::prepare(
        build,
        Box::new(move |cpu| {
            let populated =
                prepared.create_tds(cpu).and_then(|()| prepared.populate(cpu, &prepared.tds));
            let release = |()| if runnable { Ok(()) } else { prepared.release_all_keys(cpu) };
            progressed.prepared(populated.and_then(release));
        }),
    );
    let skew = P::clock(build).cycles(settings.duration_ns("skew"));
    let threads = settings.count("threads").min(u64::from(host.plan.vcpus));
    // Threads of a TD that are done; the first one waits for the others.
    let joined = Meeting::<P>::new(build, "td_join", host.tds.len());
    let (of, takes_part) = (Arc::clone(host), |thread: Thread| thread.index < threads);
    threads::threads(host, progress, "reclaim", takes_part, move |cpu, thread| {
        let Thread { td, index, .. } = thread;
        P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, skew));
        let part = share(&of.tds[td as usize], index, threads);
        let pages = part.end - part.start;
        let empty = |part| match runnable {
            true => of.remove_guest(cpu, td, part),
            false => of.reclaim_guest(cpu, td, part),
        };
        if index != 0 {
            let outcome = empty(part);
            joined.arrive(cpu, td);
            return outcome.map(|()| pages);
        }
        P::observe(cpu, Observation::Begin(Op::TdTeardown));
        let mut outcome = empty(part);
        joined.wait_for(cpu, td, threads - 1);
        if outcome.is_ok() && runnable {
            outcome = of.release_keys(cpu, td);
        }
        if outcome.is_ok() {
            outcome = of.reclaim_td(cpu, td);
        }
        P::observe(cpu, Observation::End(Op::TdTeardown));
        outcome.map(|()| pages)
    })
}
