//! KVM's paths around a strategy: a file a path.

mod convert;
mod create;
mod fault;
mod guest;
mod guest_memory;
mod key;
mod large;
mod reclaim;
mod removal;
mod replay;
mod setup;
mod split;

pub(crate) use key::GlobalLocks;
pub(crate) use reclaim::share;
pub(crate) use setup::{STRETCH, stretches};

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::module::{Leaf, Regs, Status, StatusName};
use pamt_strategies::pamt::{Call, PamtCache, PamtError};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{Cycles, Pfn};
use thiserror::Error;

use super::Host;

/// A path that could not go on. The run ends with what it has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum HostError {
    /// The page allocator is empty.
    #[error("TD {td} found no free page; give the host more memory (--set host_memory=64GiB)")]
    NoMemory {
        /// Its number.
        td: u32,
    },
    /// A SEAMCALL failed in a way that no retry mends.
    #[error("{} of pfn {pfn:#x} failed: {status}", leaf.name())]
    Leaf {
        /// The leaf.
        leaf: Leaf,
        /// The page.
        pfn: u64,
        /// Its status.
        status: Status,
    },
    /// A TD that its first thread could not create.
    #[error("TD {td} was not created")]
    NotCreated {
        /// Its number.
        td: u32,
    },
    /// A pair could not be had before the run.
    #[error("no PAMT page pair for pfn {pfn:#x} before the run: {error}")]
    Setup {
        /// The page.
        pfn: u64,
        /// What the strategy said.
        error: PamtError,
    },
}

impl<P: Platform> Host<P> {
    /// Work of the host kernel that is accounted to `op`.
    fn spend(&self, cpu: &P::Cpu, op: Op, length: Cycles) {
        P::observe(cpu, Observation::Begin(op));
        P::work(cpu, length);
        P::observe(cpu, Observation::End(op));
    }

    /// Gives `page` to the module through `leaf`, with its pair in place. Ok is the status of the
    /// leaf, or of the PAMT.ADD that failed before it.
    fn give(
        &self,
        cpu: &P::Cpu,
        leaf: Leaf,
        regs: Regs,
        page: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<Status, PamtError> {
        self.give_by(cpu, page, cache, &mut |cpu| self.module.seamcall(cpu, leaf, regs))
    }

    /// The same, the leaf being executed by `call`.
    fn give_by(
        &self,
        cpu: &P::Cpu,
        page: Pfn,
        cache: Option<&mut PamtCache>,
        call: Call<'_, P>,
    ) -> Result<Status, PamtError> {
        self.books.begin::<P>(cpu);
        let mut again = false;
        let mut call = |cpu: &P::Cpu| {
            let out = call(cpu);
            // Lazy strategies are told so once; a pair that is gone again is a race lost.
            if std::mem::replace(&mut again, true)
                && out.status().is(StatusName::MissingPamtPagePair)
            {
                self.books.turned_down::<P>(cpu, page.region(), "the pair was gone again");
            }
            out
        };
        match self.strategy.with_page(cpu, &self.env(), page, cache, &mut call) {
            Ok(out) => {
                let status = out.status();
                if status.is_error() {
                    self.books.refused::<P>(cpu, page, status);
                } else {
                    self.books.used(page);
                }
                Ok(status)
            }
            Err(PamtError::NoMemory) => Err(PamtError::NoMemory),
            Err(error @ PamtError::Module(status)) => {
                self.books.get_failed::<P>(cpu, page, error);
                Ok(status)
            }
        }
    }

    /// Takes `page` from the module through `leaf`, then drops its pair. `gone` runs when the leaf
    /// succeeded, before the put begins. Ok: the page is the host's again (its pair may have leaked,
    /// which the books report).
    fn take(
        &self,
        cpu: &P::Cpu,
        leaf: Leaf,
        regs: Regs,
        page: Pfn,
        gone: impl Fn(),
    ) -> Result<(), HostError> {
        let mut call = |cpu: &P::Cpu| self.module.seamcall(cpu, leaf, regs);
        self.take_by(cpu, leaf, page, &mut call, gone)
    }

    /// The same, the leaf being executed by `call`.
    fn take_by(
        &self,
        cpu: &P::Cpu,
        leaf: Leaf,
        page: Pfn,
        call: Call<'_, P>,
        gone: impl Fn(),
    ) -> Result<(), HostError> {
        self.books.begin::<P>(cpu);
        let mut call = |cpu: &P::Cpu| {
            let out = call(cpu);
            if !out.status().is_error() {
                self.books.unused(page);
                gone();
            }
            out
        };
        match self.strategy.after_page(cpu, &self.env(), page, &mut call) {
            Ok(out) if out.status().is_error() => {
                self.books.put_failed::<P>(cpu, page, &out.status());
                Err(HostError::Leaf { leaf, pfn: page.0, status: out.status() })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                self.books.put_failed::<P>(cpu, page, &error);
                Ok(())
            }
        }
    }

    /// A leaf that cannot fail while `mmu_lock` is held exclusively and no vCPU runs.
    fn demand(&self, cpu: &P::Cpu, leaf: Leaf, regs: Regs, page: Pfn) -> Result<(), HostError> {
        succeeded(leaf, page, self.module.seamcall(cpu, leaf, regs).status())
    }
}

fn succeeded(leaf: Leaf, page: Pfn, status: Status) -> Result<(), HostError> {
    match status {
        Status::SUCCESS => Ok(()),
        status => Err(HostError::Leaf { leaf, pfn: page.0, status }),
    }
}
