//! `neighbour-regions`: each TD maps and removes a page of a region of its own, beside the others'.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};

use super::{Progress, Usual, WorkloadInfo, flip};
use crate::host::Host;
use crate::params::Settings;

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "neighbour-regions",
    summary: "each TD maps and removes one page over and over, in neighbouring 2M regions",
    stands_for: "False sharing and nothing else: no two TDs use one region, each fault is an ADD and \
                 each removal a REMOVE, but 16 refcounts and 4 PAMT entries share a line (K. Shutsemau, \
                 2025-08-14), and a lock for all makes every wait a false one. Pairs come from a \
                 dedicated pool, so that backing pages couple nobody.",
    bottleneck: "one lock for all: the lock, with PAMT.ADD and PAMT.REMOVE under it; a lock for each \
                 region: the module's own lines",
    unit: "pages",
    params: flip::PARAMS,
    usual: Usual {
        placement: Some("neighbours"),
        pamt_pages: Some("dedicated-pool"),
        ..Usual::NONE
    },
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
