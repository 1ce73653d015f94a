//! What the host kernel's own work costs: the section `[host]` of a machine profile.
//!
//! Memory accesses, locks and SEAMCALLs are priced elsewhere, line by line; here are the stretches of
//! kernel code between them. None of these has a published measurement of its own, so each is an
//! estimate with a range, or fitted on one published row and marked so.

use pamt_strategies::platform::{Platform, Stream};
use pamt_strategies::units::{Clock, Cycles};

/// Costs in cycles of the world's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostCosts {
    /// Pop of an order-0 page from a per-CPU list.
    pub(crate) page_alloc: Cycles,
    /// Push of one.
    pub(crate) page_free: Cycles,
    /// Moving a page between list and buddy under the zone lock.
    pub(crate) zone_page: Cycles,
    /// Taking a page from a list that is at hand, or putting it there.
    pub(crate) list_op: Cycles,
    /// KVM's part of a private fault: dispatch, memslot, walk of its own page table, set of the entry.
    pub(crate) fault_work: Cycles,
    /// guest_memfd's part: lookup, insertion in the page cache, LRU.
    pub(crate) gmem_page: Cycles,
    /// KVM's work a page that is reclaimed, besides RECLAIM, clearing and the put.
    pub(crate) page_work: Cycles,
    /// Interrupting the vCPUs of a TD and waiting until they have left the guest.
    pub(crate) ipi_round_trip: Cycles,
    /// Whether pages that the module wrote must be cleared by MOVDIR64B before they are used again
    /// (the partial-write erratum of SPR and EMR).
    pub(crate) erratum: bool,
}

/// The keys of the section `[host]`, in nanoseconds except for the flag.
pub(crate) const KEYS: [&str; 9] = [
    "host.page_alloc_ns",
    "host.page_free_ns",
    "host.zone_page_ns",
    "host.list_op_ns",
    "host.fault_work_ns",
    "host.gmem_page_ns",
    "host.page_work_ns",
    "host.ipi_round_trip_ns",
    "host.partial_write_erratum",
];

impl HostCosts {
    /// Reads them through `value`, which knows the profile's keys.
    ///
    /// # Errors
    /// The first error of `value`.
    pub(crate) fn load<E>(
        clock: Clock,
        mut value: impl FnMut(&str) -> Result<f64, E>,
    ) -> Result<Self, E> {
        let mut values = [0.0; KEYS.len()];
        for (slot, key) in values.iter_mut().zip(KEYS) {
            *slot = value(key)?;
        }
        let ns = |at: usize| clock.cycles(values[at]);
        Ok(Self {
            page_alloc: ns(0),
            page_free: ns(1),
            zone_page: ns(2),
            list_op: ns(3),
            fault_work: ns(4),
            gmem_page: ns(5),
            page_work: ns(6),
            ipi_round_trip: ns(7),
            erratum: values[8] != 0.0,
        })
    }
}

/// `mean` times an exponential draw, capped at 16 means so that no draw stretches a run alone. libm's
/// logarithm, because the standard library's differs between systems in the last bit.
pub(crate) fn exponential<P: Platform>(cpu: &P::Cpu, mean: Cycles) -> Cycles {
    // In (0, 1]: 53 random bits, never 0.
    let uniform = ((P::random(cpu, Stream::Load) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let draw = (-libm::log(uniform)).min(16.0);
    Cycles((mean.0 as f64 * draw) as u64)
}
