//! `parked`: a pair's presence in the refcount word, pairs that stay for a while, and no BUSY.
//!
//! [`StateWord`] with two additions. *Parking* keeps the pairs of a few regions whose last page is
//! gone. And every PAMT.ADD, PAMT.REMOVE and DEMOTE holds the read side of its NUMA node's read-write
//! lock; one that gets BUSY takes the write side of all nodes and is done again, when no other such
//! call is under way. The read side costs two RMWs on a line of the node, and only where a region
//! gains or loses its pair, which a SEAMCALL of microseconds hides.
//!
//! # What it guarantees
//! * A get of a region that has its pair, and a put that is not the last, are one LOCK XADD each.
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
//!         int word = atomic_inc_return(ref);
//!
//!         return word & PAMT_PRESENT ? 0 : pamt_get_slow(pfn, ref, word, cache);
//! }
//!
//! static int pamt_get_slow(kvm_pfn_t pfn, atomic_t *ref, int word, struct tdx_pamt_cache *cache)
//! {
//!         struct page *pair[2] = {};
//!         int ret = 0;
//!
//!         while (!(word & PAMT_PRESENT)) {
//!                 if (word & PAMT_TRANSIT) {
//!                         word = atomic_cond_read_acquire(ref, !(VAL & PAMT_TRANSIT));
//!                         continue;
//!                 }
//!                 if (!pair[0] && alloc_pamt_array(pair, cache)) {
//!                         ret = -ENOMEM;
//!                         break;
//!                 }
//!                 preempt_disable();
//!                 if (atomic_try_cmpxchg(ref, &word, word | PAMT_TRANSIT)) {
//!                         ret = pamt_guarded(tdh_phymem_pamt_add, pfn, pair);
//!                         atomic_add((ret ? 0 : PAMT_PRESENT) - PAMT_TRANSIT, ref);
//!                         preempt_enable();
//!                         if (!ret)
//!                                 return 0;
//!                         break;
//!                 }
//!                 preempt_enable();
//!         }
//!         pamt_recache(cache, pair);
//!         if (ret)
//!                 tdx_pamt_put(pfn);
//!         return ret;
//! }
//!
//! void tdx_pamt_put(kvm_pfn_t pfn)
//! {
//!         atomic_t *ref = tdx_find_pamt_refcount(pfn);
//!
//!         if (atomic_dec_return(ref) == PAMT_PRESENT && pamt_park(&pfn))
//!                 pamt_evict(pfn, tdx_find_pamt_refcount(pfn));
//! }
//!
//! static void pamt_evict(kvm_pfn_t pfn, atomic_t *ref)
//! {
//!         int ret, parked = PAMT_PRESENT;
//!         struct page *pair[2] = {};
//!
//!         preempt_disable();
//!         if (atomic_try_cmpxchg(ref, &parked, PAMT_TRANSIT)) {
//!                 ret = pamt_guarded(tdh_phymem_pamt_remove, pfn, pair);
//!                 atomic_add((ret ? PAMT_PRESENT : 0) - PAMT_TRANSIT, ref);
//!         }
//!         preempt_enable();
//!         free_pamt_array(pair);
//! }
//! ```
//! `pamt_park()` puts the region into the CPU's ring and tells which must go for it, if any;
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
    summary: "the refcount word says whether a pair is present; unused pairs stay for a while; no BUSY",
    origin: "this project",
    protocol: "As state. A region whose last page went is parked in a ring of its CPU, and loses its pair \
               when the ring comes round. PAMT.ADD, PAMT.REMOVE and DEMOTE hold the read side of their \
               node's read-write lock; after BUSY the write side of all nodes, once.",
    memory: "4 B a region: 2 MiB a TiB; 128 B a CPU, a bit a CPU and a line a node; up to `park` pairs a \
             CPU kept",
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
