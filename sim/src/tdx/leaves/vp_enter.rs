//! TDH.VP.ENTER and the TD exit that ends it (`td_transitions/tdh_vp_enter.c`, tdx-module.md 3.2).
//!
//! While the guest runs, the CPU keeps the TDVPR page's three PAMT entries and the TDR page's 4 KiB
//! entry shared. So a PAMT.ADD or PAMT.REMOVE whose target holds a TDVPR page is BUSY until the exit,
//! and so is every leaf that wants the TD exclusively.

use pamt_strategies::module::{Operand, Regs, Status, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use crate::tdx::cx::{Cx, Mode, Step, fail, fatal};
use crate::tdx::layout::{Level, tdcs, tdr, tdvps};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::memory::Object;
use crate::tdx::pamt::{Walked, entry_at, entry_lock};
use crate::tdx::td::{OpState, Td};
use crate::tdx::vcpu::{Vcpu, VcpuState};

/// EPT violations on one address in a row after which zero-stepping is suspected.
const STEPPING_FAULTS: u64 = 6;

/// Sheet of [`enter`].
pub(super) const ENTER: LeafSheet = LeafSheet {
    leaf: Leaf::VpEnter,
    summary: "enters a VCPU's guest; 5 more locked instructions at the exit",
    locks: &[
        lock("walk to TDVPR (held until the exit)", S, O::RCX),
        lock("4 KiB entry of the owning TDR (held until the exit)", S, O::TDR),
        OP_STATE,
        lock("TD epoch", S, O::TD_EPOCH),
        TREE_S,
    ],
    rmw: (10, 13),
    pamt: "none",
    work: "state restore; association CMPXCHG; epoch refcount",
    costs: &[],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::OperandAddrRangeError, &[O::RCX]),
        (St::PageMetadataIncorrect, &[O::RCX]),
        (St::TdFatal, &[O::TDR]),
        (St::TdKeysNotConfigured, &[O::TDR]),
        (St::OpStateIncorrect, &[]),
        (St::VcpuStateIncorrect, &[]),
        (St::VcpuAssociated, &[]),
        (St::TscRollback, &[]),
    ],
};

/// TDH.VP.ENTER: RCX = TDVPR. On success the CPU is in the guest, and holds what `leave` releases.
pub(super) fn enter<P: Platform>(cx: &Cx<'_, P>, regs: &mut Regs) -> Step {
    let vcpu = cx.vcpu(regs.rcx & !(PAGE_BYTES - 1), Mode::Shared, Operand::RCX)?;
    let td = cx.owning_td(vcpu.at, Mode::Shared)?;
    cx.lock_op_state(&td, &[OpState::Runnable])?;
    cx.need_vcpu_state(&vcpu, VcpuState::Ready)?;
    associate(cx, &td, &vcpu)?;
    if cx.load(Object::Tdvps, vcpu.tdvps + tdvps::LAST_EXIT_TSC) > P::now(cx.cpu).0 {
        return fail(StatusName::TscRollback, Operand(0));
    }
    cx.acquire(td.epoch_lock(), Mode::Shared, Operand::TD_EPOCH)?;
    let epoch = cx.load(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH);
    let refcount = tdcs::EPOCH_REFCOUNT[(epoch & 1) as usize];
    cx.add16(Object::Tdcs, td.tdcs, refcount, 1);
    cx.store(Object::Tdvps, vcpu.tdvps + tdvps::VCPU_EPOCH, epoch);
    cx.release(td.epoch_lock())?;
    let looked = suspect_stepping(cx, &td, &vcpu);
    if looked.is_err() {
        cx.add16(Object::Tdcs, td.tdcs, refcount, 1_u16.wrapping_neg());
    }
    looked?;
    cx.set_vcpu_state(&vcpu, VcpuState::Active);
    cx.release(td.op_state_lock())?;
    cx.keep_all();
    cx.module.guests.enter(P::cpu(cx.cpu), vcpu.at.pfn);
    Ok(())
}

/// After many EPT violations on one address the entry looks at the Secure EPT whether the host could
/// have resolved them; the tree is shared for that long.
fn suspect_stepping<P: Platform>(cx: &Cx<'_, P>, td: &Td, vcpu: &Vcpu) -> Step {
    if cx.load(Object::Tdvps, vcpu.tdvps + tdvps::SAME_FAULTS) < STEPPING_FAULTS {
        return Ok(());
    }
    cx.acquire(td.sept_lock(), Mode::Shared, Operand::SEPT_TREE)?;
    cx.release(td.sept_lock())
}

/// One CMPXCHG; a VCPU that no CPU had is counted with its TD.
fn associate<P: Platform>(cx: &Cx<'_, P>, td: &Td, vcpu: &Vcpu) -> Step {
    let lpid = u64::from(cx.on.0);
    match cx.cas(Object::Tdvps, vcpu.tdvps + tdvps::ASSOC_LPID, tdvps::NO_LPID, lpid) {
        Ok(_) => {
            cx.add16(Object::Tdcs, td.tdcs, tdcs::NUM_ASSOC_VCPUS, 1);
            Ok(())
        }
        Err(found) if found == lpid => Ok(()),
        Err(_) => fail(StatusName::VcpuAssociated, Operand(0)),
    }
}

/// The VCPU that runs on this CPU, and its TD; their entries are held shared since the entry.
pub(in crate::tdx) fn running<P: Platform>(cx: &Cx<'_, P>, tdvpr: Pfn) -> Step<(Vcpu, Td)> {
    let walked = |pfn| {
        let (object, base) = entry_at(pfn, Level::K4);
        Walked { pfn, level: Level::K4, q0: cx.load(object, base) }
    };
    let at = walked(tdvpr);
    Ok((cx.vcpu_at(at)?, cx.td_at(walked(at.owner()))?))
}

/// Why a guest's run ends, other than by its own TDCALL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCause {
    /// An interrupt arrived.
    Interrupt,
    /// The guest met a memory error: the TD is fatal from now on, and can only be torn down.
    MachineCheck,
}

impl ExitCause {
    /// What VP.ENTER returns in RAX: the exit reason (1: external interrupt), or TD_FATAL.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Interrupt => Status(1),
            Self::MachineCheck => Status::with(StatusName::TdFatal, Operand(0)),
        }
    }
}

/// The TD exit for a cause outside of the guest's own doing.
pub(in crate::tdx) fn leave_because<P: Platform>(cx: &Cx<'_, P>, cause: ExitCause) -> Step {
    if let (ExitCause::MachineCheck, Some(tdvpr)) = (cause, cx.module.guests.on(P::cpu(cx.cpu))) {
        let (_, td) = running(cx, tdvpr)?;
        cx.store16(Object::Tdr, td.tdr, tdr::FATAL, 1);
    }
    leave(cx)
}

/// The TD exit.
pub(in crate::tdx) fn leave<P: Platform>(cx: &Cx<'_, P>) -> Step {
    let Some(tdvpr) = cx.module.guests.leave(P::cpu(cx.cpu)) else {
        return fail(StatusName::OperandInvalid, Operand::RAX);
    };
    let (vcpu, td) = running(cx, tdvpr)?;
    let epoch = cx.load(Object::Tdvps, vcpu.tdvps + tdvps::VCPU_EPOCH);
    let refcount = tdcs::EPOCH_REFCOUNT[(epoch & 1) as usize];
    let inside = cx.add16(Object::Tdcs, td.tdcs, refcount, 1_u16.wrapping_neg());
    if inside == 0 {
        return fatal("a TD exit in an epoch that nobody has entered", Some(tdvpr), epoch);
    }
    cx.store(Object::Tdvps, vcpu.tdvps + tdvps::LAST_EXIT_TSC, P::now(cx.cpu).0);
    cx.set_vcpu_state(&vcpu, VcpuState::Ready);
    for level in [Level::G1, Level::M2, Level::K4] {
        cx.adopt(entry_lock(tdvpr, level), Mode::Shared);
    }
    cx.adopt(entry_lock(td.pfn(), Level::K4), Mode::Shared);
    Ok(())
}
