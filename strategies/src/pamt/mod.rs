//! Strategies: one file each. A strategy sits where `tdx_pamt_get()` and `tdx_pamt_put()` sit.
//!
//! Each file has the strategy's entry in the [`registry`](crate::registry) and its `build`. What they
//! share: `refcounts` (the kernel's `pamt_refcounts`), `steps` (spans, ADD and REMOVE as results),
//! `domain` (which lock guards which region), `counted` (upstream v6 over any such domain), `early_drop`
//! (upstream before v6), `state_word` (no lock, but a state machine in the refcount), `parking` (regions
//! that keep their pair for a while), `busy` (what to do about OPERAND_BUSY).

pub(crate) mod address_domain;
mod busy;
mod counted;
mod domain;
mod early_drop;
pub(crate) mod global;
pub(crate) mod global_irqsave;
pub(crate) mod global_rw;
pub(crate) mod kick_lock;
pub(crate) mod lazy;
pub(crate) mod parked;
mod parking;
pub(crate) mod per_2m;
pub(crate) mod prealloc;
mod refcounts;
pub(crate) mod rfc;
pub(crate) mod simple;
pub(crate) mod simple_lean;
pub(crate) mod state;
mod state_word;
pub(crate) mod static_mode;
mod steps;
pub(crate) mod striped;
pub(crate) mod three_region;
pub(crate) mod three_state;
pub(crate) mod v2;
pub(crate) mod v3_07;
pub(crate) mod v4;

use crate::module::{PamtOps, PamtPair, Regs, Status};
use crate::platform::Platform;
use crate::units::{PAGE_BYTES, Pfn, Region};

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

/// Whose presence keeps the pair of a region with the module, when no call is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFor {
    /// Pages of the region that the module uses.
    Pages,
    /// Those, and folios of guest_memfd in the region: each counts once more.
    Folios,
    /// Any TD on the host.
    Tds,
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

/// TDH.MEM.PAGE.DEMOTE with the pair that it takes.
pub type DemoteCall<'a, P> = &'a mut dyn FnMut(&<P as Platform>::Cpu, PamtPair) -> Regs;

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

    /// `get` for a run of `pages` pages of one region that starts with `first`: all or none.
    ///
    /// # Errors
    /// That of `get`.
    fn get_many(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        first: Pfn,
        pages: u32,
        mut cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        for done in 0..pages {
            let pfn = Pfn(first.0 + u64::from(done));
            if let Err(error) = self.get(cpu, env, pfn, cache.as_deref_mut()) {
                self.put_many(cpu, env, first, done)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// `put` for such a run: zap and reclaim go through a region in order.
    ///
    /// # Errors
    /// That of `put`.
    fn put_many(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        first: Pfn,
        pages: u32,
    ) -> Result<(), PamtError> {
        (0..pages).try_for_each(|n| self.put(cpu, env, Pfn(first.0 + u64::from(n))))
    }

    /// A TD is about to be created.
    ///
    /// # Errors
    /// No memory, or a PAMT.ADD that failed.
    fn td_create(&self, _cpu: &P::Cpu, _env: &Env<'_, P>) -> Result<(), PamtError> {
        Ok(())
    }

    /// A TD is gone, all its pages with it.
    ///
    /// # Errors
    /// A PAMT.REMOVE that failed.
    fn td_destroy(&self, _cpu: &P::Cpu, _env: &Env<'_, P>) -> Result<(), PamtError> {
        Ok(())
    }

    /// guest_memfd has allocated a folio that starts with `first` and lies in one region; sleeping is
    /// allowed and `mmu_lock` is not held. Called once a folio.
    ///
    /// # Errors
    /// No memory, or a PAMT.ADD that failed.
    fn memfd_populate(
        &self,
        _cpu: &P::Cpu,
        _env: &Env<'_, P>,
        _first: Pfn,
    ) -> Result<(), PamtError> {
        Ok(())
    }

    /// guest_memfd frees that folio; none of its pages is mapped any more.
    ///
    /// # Errors
    /// A PAMT.REMOVE that failed.
    fn memfd_release(
        &self,
        _cpu: &P::Cpu,
        _env: &Env<'_, P>,
        _first: Pfn,
    ) -> Result<(), PamtError> {
        Ok(())
    }

    /// Splits the 2M mapping of `region`: takes a pair, which `call` (TDH.MEM.PAGE.DEMOTE) gives to
    /// the module, and counts 512 pages if it did.
    ///
    /// # Errors
    /// No memory for the pair; the call's own status is returned as it is.
    fn demote(
        &self,
        cpu: &P::Cpu,
        env: &Env<'_, P>,
        region: Region,
        cache: Option<&mut PamtCache>,
        call: DemoteCall<'_, P>,
    ) -> Result<Regs, PamtError> {
        let pair = env.host.alloc_pair(cpu, cache, region).ok_or(PamtError::NoMemory)?;
        let regs = call(cpu, pair);
        if regs.status().is_error() {
            env.host.free_pair(cpu, pair);
        } else {
            self.demoted(cpu, region);
        }
        Ok(regs)
    }

    /// `region` is about to be mapped as 2M, which the module refuses while the region holds a pair:
    /// a strategy that keeps pairs of unused regions gives this one back.
    ///
    /// # Errors
    /// A PAMT.REMOVE that failed.
    fn before_2m(
        &self,
        _cpu: &P::Cpu,
        _env: &Env<'_, P>,
        _region: Region,
    ) -> Result<(), PamtError> {
        Ok(())
    }

    /// A DEMOTE has given `region` a pair and 512 pages: the count goes from 0 to 512.
    fn demoted(&self, _cpu: &P::Cpu, _region: Region) {}

    /// Joins the 512 pages of `region` to one 2M mapping again: `call` (TDH.MEM.PAGE.PROMOTE) takes
    /// them off the count and returns the pair in R12 and R13. No posted kernel promotes; a storm of
    /// splits needs it to begin again.
    fn promote(&self, cpu: &P::Cpu, env: &Env<'_, P>, region: Region, call: Call<'_, P>) -> Regs {
        let regs = call(cpu);
        if !regs.status().is_error() {
            self.promoted(cpu, region);
            let pair = PamtPair([regs.r12, regs.r13].map(|hpa| Pfn(hpa / PAGE_BYTES)));
            steps::free(cpu, env, pair);
        }
        regs
    }

    /// A PROMOTE has taken the pair and the 512 pages of `region`: the count goes from 512 to 0.
    fn promoted(&self, _cpu: &P::Cpu, _region: Region) {}

    /// End of a run: all TDs are gone; give back what was kept on purpose.
    ///
    /// # Errors
    /// A PAMT.REMOVE that failed.
    fn quiesce(&self, _cpu: &P::Cpu, _env: &Env<'_, P>) -> Result<(), PamtError> {
        Ok(())
    }

    /// What keeps a region's pair, for checkers.
    fn pair_is_for(&self) -> PairFor {
        PairFor::Pages
    }

    /// The refcount of a region, for checkers; `None` for strategies that keep none.
    fn peek_refcount(&self, _cpu: &P::Cpu, _region: Region) -> Option<u64> {
        None
    }

    /// Bytes of memory that the strategy itself occupies on this host (refcounts, locks).
    fn memory_bytes(&self) -> u64;
}
