//! `balloon`: guests give part of their memory back and take it again.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform, Stream};
use pamt_strategies::units::Cycles;

use super::{Progress, Usual, WorkloadInfo, threads};
use crate::host::{Host, HostError, LARGE_PAGES, Pace, Vcpu, exponential};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "balloon",
    summary: "guests inflate and deflate a balloon: random parts of their memory go and come back",
    stands_for: "Memory overcommit among TDs that run: a balloon or free page reporting returns memory \
                 to the host in pieces, and faults bring it back. Small pieces leave most regions in \
                 use, so that puts stay on the fast path; a 2 MiB mapping of which a piece goes is \
                 split.",
    bottleneck: "removal while runnable: BLOCK, TRACK, the kick and WBINVD of each page, under the TD's \
                 own mmu_lock",
    unit: "pages",
    params: &[
        Param {
            name: "rounds",
            kind: Kind::Count { min: 1, max: 10_000 },
            default: "4",
            help: "how often each balloon is inflated and deflated",
        },
        Param {
            name: "share",
            kind: Kind::Fraction,
            default: "0.25",
            help: "share of the memory that a balloon takes",
        },
        Param {
            name: "piece",
            kind: Kind::Count { min: 1, max: LARGE_PAGES },
            default: "1",
            help: "4 KiB pages that are returned at once; a piece ends with its 2 MiB",
        },
        Param {
            name: "guest",
            kind: Kind::Duration,
            default: "1us",
            help: "mean of the exponential time before each piece and each fault",
        },
    ],
    usual: Usual::NONE,
    large_first: false,
};

/// How balloons work.
#[derive(Clone, Copy, Debug)]
struct Balloon {
    rounds: u64,
    pieces: u64,
    piece: u64,
    guest: Cycles,
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
            let populate = |()| prepared.populate(cpu, &prepared.tds);
            progressed.prepared(prepared.create_tds(cpu).and_then(populate));
        }),
    );
    let piece = settings.count("piece");
    let taken = host.plan.pages_per_td as f64 * settings.fraction("share");
    let balloon = Balloon {
        rounds: settings.count("rounds"),
        pieces: taken as u64 / piece,
        piece,
        guest: P::clock(build).cycles(settings.duration_ns("guest")),
    };
    let of = Arc::clone(host);
    threads::threads(host, progress, "balloon", threads::first, move |cpu, thread| {
        let mut vcpu = Vcpu::new(thread.td, thread.on);
        let outcome = (0..balloon.rounds)
            .try_fold(0, |pages, _| Ok(pages + balloon.round(cpu, &of, &mut vcpu)?));
        of.retire(cpu, &mut vcpu);
        outcome
    })
}

impl Balloon {
    /// Inflates and deflates; gives the pages that came back.
    fn round<P: Platform>(
        self,
        cpu: &P::Cpu,
        host: &Host<P>,
        vcpu: &mut Vcpu,
    ) -> Result<u64, HostError> {
        let pages = host.plan.pages_per_td;
        let mut taken = Vec::new();
        for _ in 0..self.pieces {
            P::sleep_until(cpu, P::now(cpu) + exponential::<P>(cpu, self.guest));
            let start = P::random(cpu, Stream::Load) % pages.div_ceil(self.piece) * self.piece;
            let stop = (start + self.piece).min(start / LARGE_PAGES * LARGE_PAGES + LARGE_PAGES);
            let piece = start..stop.min(pages);
            host.make_shared(cpu, vcpu, piece.clone())?;
            taken.push(piece);
        }
        let mut pace = Pace::After(self.guest);
        host.touch(cpu, vcpu, &mut pace, taken.into_iter().flatten())
    }
}
