//! Steps that all strategies share: spans around a get and a put, and PAMT.ADD and PAMT.REMOVE as results.

use super::{Env, PamtCache};
use crate::measure::{Chronicle, Observation, Op};
use crate::module::{PamtPair, Status};
use crate::platform::Platform;
use crate::units::{Pfn, Region};

/// Runs a get inside its span.
pub(super) fn get_span<P: Platform, T>(cpu: &P::Cpu, pfn: Pfn, get: impl FnOnce() -> T) -> T {
    P::observe(cpu, Observation::Chronicle(pfn.region(), Chronicle::Get(pfn)));
    span::<P, T>(cpu, Op::PamtGet, get)
}

/// Runs a put inside its span.
pub(super) fn put_span<P: Platform, T>(cpu: &P::Cpu, pfn: Pfn, put: impl FnOnce() -> T) -> T {
    P::observe(cpu, Observation::Chronicle(pfn.region(), Chronicle::Put(pfn)));
    span::<P, T>(cpu, Op::PamtPut, put)
}

/// Runs `body` inside a span.
pub(super) fn span<P: Platform, T>(cpu: &P::Cpu, op: Op, body: impl FnOnce() -> T) -> T {
    P::observe(cpu, Observation::Begin(op));
    let value = body();
    P::observe(cpu, Observation::End(op));
    value
}

/// PAMT.ADD.
pub(super) fn add<P: Platform>(
    cpu: &P::Cpu,
    env: &Env<'_, P>,
    region: Region,
    pair: PamtPair,
) -> Result<(), Status> {
    match env.ops.pamt_add(cpu, region, pair) {
        Status::SUCCESS => Ok(()),
        status => Err(status),
    }
}

/// PAMT.REMOVE.
pub(super) fn remove<P: Platform>(
    cpu: &P::Cpu,
    env: &Env<'_, P>,
    region: Region,
) -> Result<PamtPair, Status> {
    env.ops.pamt_remove(cpu, region)
}

/// Resets and frees a pair, as `free_pamt_array()` does whether the module ever had it or not.
pub(super) fn free<P: Platform>(cpu: &P::Cpu, env: &Env<'_, P>, pair: PamtPair) {
    env.host.reset_pair(cpu, pair);
    env.host.free_pair(cpu, pair);
}

/// Gives back a pair that the module never had: to the cache it came from if there is one, and
/// without a reset.
pub(super) fn unused<P: Platform>(
    cpu: &P::Cpu,
    env: &Env<'_, P>,
    cache: Option<&mut PamtCache>,
    pair: PamtPair,
) {
    match cache {
        Some(cache) => env.host.recache_pair(cpu, cache, pair),
        None => env.host.free_pair(cpu, pair),
    }
}
