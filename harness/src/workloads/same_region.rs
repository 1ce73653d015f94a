//! `same-region`: all TDs of a node map and remove a page of one and the same 2 MiB region.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::{Progress, Usual, WorkloadInfo, flip};
use crate::host::Host;
use crate::params::Settings;

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "same-region",
    summary: "each TD maps and removes one page over and over, all in one 2M region of their node",
    stands_for: "The worst case of every scheme: TDs whose pages the allocator took from one region, \
                 the only place where gets and puts truly conflict (R. Edgecombe, 2025-08-08). The \
                 region's pair comes and goes with its last page, while others are on their way in.",
    bottleneck: "the region: its refcount's line, its PAMT entry, and whatever guards 0->1 and 1->0; \
                 contention is true, and no sharding helps",
    unit: "pages",
    params: flip::PARAMS,
    usual: Usual { placement: Some("interleaved"), ..Usual::NONE },
    large_first: false,
};

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    flip::actors(build, host, progress, settings)
}
