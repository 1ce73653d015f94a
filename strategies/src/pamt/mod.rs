//! Strategies: one file each. A strategy sits where `tdx_pamt_get()` and `tdx_pamt_put()` sit.
//!
//! Each file has the strategy's entry in the [`registry`](crate::registry) and its `build`. What they
//! share: [`refcounts`] (the kernel's `pamt_refcounts`), [`steps`] (a SEAMCALL with its bookkeeping),
//! [`domain`] (which lock guards which region), [`counted`] (upstream v6 over any such domain).

mod counted;
mod domain;
pub(crate) mod global;
pub(crate) mod lazy;
pub(crate) mod per_2m;
mod refcounts;
pub(crate) mod simple;
pub(crate) mod static_mode;
mod steps;
pub(crate) mod striped;

use crate::module::{PamtOps, PamtPair, Regs, Status};
use crate::platform::Platform;
use crate::units::{Pfn, Region};

/// Why a get or put failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PamtError {
    /// No page for a pair (`-ENOMEM`).
    #[error("no memory for a PAMT page pair")]
    NoMemory,
    /// PAMT.ADD or PAMT.REMOVE failed (`-EIO`).
    #[error("{0}")]
    Module(Status),
}

/// A per-vCPU cache of PAMT pages (`struct tdx_pamt_cache`), topped up where sleeping is allowed.
#[derive(Debug, Default)]
pub struct PamtCache {
    /// Pages in it.
    pub pages: Vec<Pfn>,
}

/// What a strategy may ask of its host about the memory of page pairs.
///
/// Each call costs what it costs in the host model and opens its own span
/// ([`Op::PairAlloc`](crate::measure::Op::PairAlloc), `PairReset`, `PairFree`).
pub trait HostMemory<P: Platform>: Send + Sync {
    /// Two pages: from `cache` when there is one (a list operation), else from the page allocator.
    /// `near` is the region that they will serve, for allocators that place by it.
    fn alloc_pair(
        &self,
        cpu: &P::Cpu,
        cache: Option<&mut PamtCache>,
        near: Region,
    ) -> Option<PamtPair>;
    /// Clears a pair that the module has written with its key; a no-op on machines without the
    /// erratum (partial writes poison memory on SPR and EMR).
    fn reset_pair(&self, cpu: &P::Cpu, pair: PamtPair);
    /// Back to the page allocator.
    fn free_pair(&self, cpu: &P::Cpu, pair: PamtPair);
    /// Back to a cache: a list operation.
    fn recache_pair(&self, cpu: &P::Cpu, cache: &mut PamtCache, pair: PamtPair);
}

/// What a strategy works with on each call.
pub struct Env<'a, P: Platform> {
    /// PAMT.ADD and PAMT.REMOVE.
    pub ops: &'a dyn PamtOps<P>,
    /// Pages for pairs.
    pub host: &'a dyn HostMemory<P>,
}

/// The SEAMCALL that a strategy wraps; may be called more than once.
pub type Call<'a, P> = &'a mut dyn FnMut(&<P as Platform>::Cpu) -> Regs;

/// A way to serialise PAMT.ADD and PAMT.REMOVE.
///
/// `get` and `put` are `tdx_pamt_get()` and `tdx_pamt_put()`. The other hooks have the defaults that
/// every refcounting strategy uses.
pub trait Strategy<P: Platform>: Send + Sync {
    /// Makes sure that `pfn`'s region has a pair, and holds it there.
    ///
    /// # Errors
    /// No memory, or a PAMT.ADD that failed.
    fn get(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError>;

    /// Drops what `get` took. It may not fail: an error here is a leak that the host reports.
    ///
    /// # Errors
    /// A PAMT.REMOVE that failed.
    fn put(&self, cpu: &P::Cpu, env: &Env<'_, P>, pfn: Pfn) -> Result<(), PamtError>;

    /// Gives `pfn` to the module through `call`, with its pair in place: get, call, put on error.
    ///
    /// # Errors
    /// That of `get`; the call's own status is returned as it is.
    fn with_page(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
        call: Call<'_, P>,
    ) -> Result<Regs, PamtError> {
        self.get(cpu, env, pfn, cache)?;
        let regs = call(cpu);
        if regs.status().is_error() {
            self.put(cpu, env, pfn)?;
        }
        Ok(regs)
    }

    /// Takes `pfn` from the module through `call` (REMOVE, RECLAIM): call, and put on success.
    ///
    /// # Errors
    /// That of `put`.
    fn after_page(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        pfn: Pfn,
        call: Call<'_, P>,
    ) -> Result<Regs, PamtError> {
        let regs = call(cpu);
        if !regs.status().is_error() {
            self.put(cpu, env, pfn)?;
        }
        Ok(regs)
    }

    /// End of a run: all TDs are gone; give back what was kept on purpose.
    ///
    /// # Errors
    /// A PAMT.REMOVE that failed.
    fn quiesce(&self, _cpu: &P::Cpu, _env: &Env<'_, P>) -> Result<(), PamtError> {
        Ok(())
    }

    /// The refcount of a region, for checkers; `None` for strategies that keep none.
    fn peek_refcount(&self, _cpu: &P::Cpu, _region: Region) -> Option<u64> {
        None
    }

    /// Bytes of memory that the strategy itself occupies on this host (refcounts, locks).
    fn memory_bytes(&self) -> u64;
}
