//! A page that is mapped and removed over and over, by one thread of each TD: the body of
//! `same-region` and `neighbour-regions`, which differ in where the page lies.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::Cycles;

use super::{Progress, threads};
use crate::host::{Host, HostError, Pace, Vcpu};
use crate::params::{Kind, Param, Settings};

/// The guest page that flips: the first.
const PAGE: u64 = 0;

pub(super) const PARAMS: &[Param] = &[
    Param {
        name: "rounds",
        kind: Kind::Count { min: 1, max: 1_000_000 },
        default: "500",
        help: "how often each TD maps and removes its page",
    },
    Param {
        name: "guest",
        kind: Kind::Duration,
        default: "1us",
        help: "mean of the exponential time before each fault",
    },
];

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let (prepared, progressed) = (Arc::clone(host), Arc::clone(progress));
    P::prepare(build, Box::new(move |cpu| progressed.prepared(prepared.create_tds(cpu))));
    let guest = P::clock(build).cycles(settings.duration_ns("guest"));
    let rounds = settings.count("rounds");
    let of = Arc::clone(host);
    threads::threads(host, progress, "vcpu", threads::first, move |cpu, thread| {
        let mut vcpu = Vcpu::new(thread.td, thread.on);
        let outcome = (0..rounds).try_for_each(|_| flip(cpu, &of, &mut vcpu, guest));
        of.retire(cpu, &mut vcpu);
        outcome.map(|()| rounds)
    })
}

fn flip<P: Platform>(
    cpu: &P::Cpu,
    host: &Host<P>,
    vcpu: &mut Vcpu,
    guest: Cycles,
) -> Result<(), HostError> {
    host.touch(cpu, vcpu, &mut Pace::After(guest), core::iter::once(PAGE))?;
    host.remove_guest(cpu, vcpu.td, PAGE..PAGE + 1)
}
