//! The two traits through which a host calls the module.

use super::leaf::Leaf;
use super::status::Status;
use crate::platform::Platform;
use crate::units::{CpuId, Pfn, Region};

/// The two backing pages of a region's PAMT_4K entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PamtPair(pub [Pfn; 2]);

/// Argument and result registers of a leaf. RAX carries the leaf number in and the status out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "registers are named by the ABI")]
pub struct Regs {
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
}

impl Regs {
    /// Bit 62 of a returned HPA: the region's page_count went 1 -> 0 at that instant.
    pub const REMOVAL_HINT: u64 = 1 << 62;

    /// The status of a returned call.
    #[must_use]
    pub const fn status(&self) -> Status {
        Status(self.rax)
    }
}

/// The leaves that manage page pairs; present in every world. Who implements them reports each pair
/// that changes hands as an [`Observation::Pair`](crate::measure::Observation::Pair).
pub trait PamtOps<P: Platform>: Send + Sync {
    /// TDH.PHYMEM.PAMT.ADD: gives `pair` to the module as backing of `region`.
    fn pamt_add(&self, cpu: &P::Cpu, region: Region, pair: PamtPair) -> Status;

    /// TDH.PHYMEM.PAMT.REMOVE: takes the pair of `region` back.
    ///
    /// # Errors
    /// The status, when it is not SUCCESS.
    fn pamt_remove(&self, cpu: &P::Cpu, region: Region) -> Result<PamtPair, Status>;

    /// TDH.PHYMEM.PAGE.RDMD at 2 MiB level: whether the region holds a pair.
    ///
    /// # Errors
    /// The status, when it is not SUCCESS.
    fn pamt_present(&self, cpu: &P::Cpu, region: Region) -> Result<bool, Status>;
}

/// Every leaf, by registers; present where the module is modelled.
pub trait TdLeaves<P: Platform>: Send + Sync {
    /// Executes a leaf. Bits 23:16 of `regs.rax` are its version; the rest of RAX is ignored on entry.
    ///
    /// TDH.VP.ENTER returns SUCCESS when the CPU is in the guest: until [`Self::td_exit`] its only
    /// leaves are TDCALLs. A TDCALL that ends in a TD exit returns the exit reason in RAX, as
    /// VP.ENTER would.
    fn seamcall(&self, cpu: &P::Cpu, leaf: Leaf, regs: Regs) -> Regs;

    /// The same in the place of CPU `on`, which does it for the caller while that one waits: a leaf
    /// that acts on the package or the VCPU of the CPU that executes it.
    fn seamcall_on(&self, cpu: &P::Cpu, on: CpuId, leaf: Leaf, regs: Regs) -> Regs;

    /// Ends the guest's run on this CPU (an interrupt arrives): what TDH.VP.ENTER returns.
    fn td_exit(&self, cpu: &P::Cpu) -> Regs;
}
