//! `mixed`: TDs that are mapped mostly by 2 MiB pages boot, share some pages, and go.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform, Stream};
use pamt_strategies::units::CpuId;

use super::boot::{ALL_FIRMWARE, GUEST, LAUNCH_SOON, NO_PAUSE, OTHERS, RATE};
use super::life::{Life, WHILE};
use super::threads::{self, Thread};
use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, HostError, Vcpu};
use crate::params::{Kind, Param, Settings};

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "mixed",
    summary: "TDs with a share of 2M mappings boot, convert some pages to shared, and are torn down",
    stands_for: "Hosts with huge pages: most memory needs no pair, and what remains of get and put are \
                 tables, control pages, the 4 KiB rest and the 2 MiB mappings that shared pages split. \
                 At which share of 2 MiB the lock stops to matter is asked with --page-size mixed:F.",
    bottleneck: "zeroing of 2 MiB folios; then splits, under the TD's own mmu_lock",
    unit: "pages",
    params: &[
        GUEST,
        RATE,
        LAUNCH_SOON,
        ALL_FIRMWARE,
        OTHERS,
        NO_PAUSE,
        WHILE,
        Param {
            name: "shared",
            kind: Kind::Fraction,
            default: "0.0005",
            help: "share of the pages that the guest converts to shared, one by one, at random",
        },
    ],
    usual: Usual { page_size: Some("mixed:0.9"), ..Usual::NONE },
    large_first: false,
};

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let life = Life::<P>::new(build, host, settings);
    let shared = (host.plan.pages_per_td as f64 * settings.fraction("shared")).ceil() as u64;
    threads::threads(host, progress, "vcpu", threads::all, move |cpu, thread| {
        let Thread { td, index, on } = thread;
        life.live_with(cpu, td, (index, on), 0, || share(cpu, &life.host, (td, on), shared))
    })
}

/// The guest makes `pages` of its pages shared.
fn share<P: Platform>(
    cpu: &P::Cpu,
    host: &Host<P>,
    (td, on): (u32, CpuId),
    pages: u64,
) -> Result<(), HostError> {
    let mut vcpu = Vcpu::new(td, on);
    let outcome = (0..pages).try_for_each(|_| {
        let gfn = P::random(cpu, Stream::Load) % host.plan.pages_per_td;
        host.make_shared(cpu, &mut vcpu, gfn..gfn + 1)
    });
    host.retire(cpu, &mut vcpu);
    outcome
}
