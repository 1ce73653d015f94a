//! `teardown`: TDs that hold memory are reclaimed at the same time.

use std::sync::Arc;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Platform};

use super::meeting::Meeting;
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
    let joined = Arc::new(Meeting::<P>::new(build, "td_join", host.tds.len()));
    let mut actors = Vec::new();
    for (td, thread, on) in host.vcpus().filter(|(_, index, _)| *index < threads) {
        let (host, progress, joined) =
            (Arc::clone(host), Arc::clone(progress), Arc::clone(&joined));
        let id = td.id;
        progress.enlist();
        actors.push(Actor {
            cpu: on,
            name: format!("td{id}/reclaim{thread}"),
            body: Box::new(move |cpu: &P::Cpu| {
                progress.run(cpu, &host, id, || {
                    P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, skew));
                    let part = share(&host.tds[id as usize], thread, threads);
                    let pages = part.end - part.start;
                    let empty = |part| match runnable {
                        true => host.remove_guest(cpu, id, part),
                        false => host.reclaim_guest(cpu, id, part),
                    };
                    if thread != 0 {
                        let outcome = empty(part);
                        joined.arrive(cpu, id);
                        return outcome.map(|()| pages);
                    }
                    P::observe(cpu, Observation::Begin(Op::TdTeardown));
                    let mut outcome = empty(part);
                    joined.wait_for(cpu, id, threads - 1);
                    if outcome.is_ok() && runnable {
                        outcome = host.release_keys(cpu, id);
                    }
                    if outcome.is_ok() {
                        outcome = host.reclaim_td(cpu, id);
                    }
                    P::observe(cpu, Observation::End(Op::TdTeardown));
                    outcome.map(|()| pages)
                });
            }),
        });
    }
    actors
}
