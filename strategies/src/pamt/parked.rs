//! `parked`: a state machine in the refcount, pairs that stay for a while, and no BUSY.
//!
//! [`StateWord`] with two additions. *Parking* keeps the pairs of a few regions whose last page is
//! gone. And every PAMT.ADD, PAMT.REMOVE and DEMOTE holds the read side of its NUMA node's read-write
//! lock; one that gets BUSY takes the write side of all nodes and is done again, when no other such
//! call is under way. The read side costs two RMWs on a line of the node, and only where a region
//! gains or loses its pair, which a SEAMCALL of microseconds hides.
//!
//! # What it guarantees
//! * Callers of different regions never wait for each other, except behind a call that has met BUSY.
//! * BUSY that ADD, REMOVE and DEMOTE cause each other is answered by one more call each: no loop.
//! * A put never fails: a pair that the module does not give back stays parked.
//! * At most `park` regions a CPU keep a pair without a page, until a TD goes at the latest.
//!
//! # As a kernel patch
//! ```c
//! int tdx_pamt_get(kvm_pfn_t pfn, struct tdx_pamt_cache *cache)
//! {
//!         atomic_t *ref = tdx_find_pamt_refcount(pfn);
//!         struct page *pair[2] = {};
//!         int ret;
//!
//!         while (!pamt_count_up(ref)) {                /* absent */
//!                 if (!pair[0] && alloc_pamt_array(pair, cache))
//!                         return -ENOMEM;
//!                 preempt_disable();
//!                 if (atomic_cmpxchg(ref, PAMT_ABSENT, PAMT_TRANSIT) == PAMT_ABSENT) {
//!                         ret = pamt_guarded(tdh_phymem_pamt_add, pfn, pair);
//!                         atomic_set_release(ref, ret ? PAMT_ABSENT : 1);
//!                         preempt_enable();
//!                         return ret;
//!                 }
//!                 preempt_enable();
//!         }
//!         pamt_recache(cache, pair);
//!         return 0;
//! }
//! ```
//! `pamt_count_up()` is a CAS loop over a load that waits while the word is in transit;
//! `pamt_guarded()` is read_lock, call, read_unlock, and on BUSY the same with write_lock.

use super::Strategy;
use super::busy::OnBusy;
use super::state_word::StateWord;
use crate::platform::Platform;
use crate::registry::{ModuleMode, StrategyInfo, StrategyParams, StrategySpec, Verdict};
use crate::spec::{Param, ParamKind};

pub(crate) static INFO: StrategyInfo = StrategyInfo {
    name: "parked",
    aliases: &[],
    summary: "a state machine in the refcount; unused pairs stay parked for a while; no BUSY, no lock",
    origin: "this project",
    protocol: "As state. A region whose last page went is parked in a ring of its CPU, and loses its pair \
               when the ring comes round. PAMT.ADD, PAMT.REMOVE and DEMOTE hold the read side of their \
               node's read-write lock; after BUSY the write side of all nodes, once.",
    memory: "4 B a region: 2 MiB a TiB; 128 B a CPU and a line a node; up to `park` pairs a CPU kept",
    scope_4k: Verdict::Sound,
    scope_split: Verdict::Sound,
    module: ModuleMode::Dynamic,
    argument: Some("park"),
    params: &[Param {
        name: "park",
        kind: ParamKind::Integer { min: 0, max: 64 },
        default: "4",
        help: "regions without a page whose pair a CPU keeps",
    }],
};

pub(crate) fn build<P: Platform>(
    spec: &StrategySpec,
    build: &mut P::Build,
    params: &StrategyParams<'_, P>,
) -> Box<dyn Strategy<P>> {
    let on_busy = OnBusy::per_node(build, params);
    Box::new(StateWord::new(build, params, on_busy, spec.number("park") as usize))
}
