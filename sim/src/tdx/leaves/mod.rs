//! The leaves: a file a family, each leaf its steps in the order of the code that it models.

pub(super) mod accept;
mod mem_build;
mod mem_page;
mod mem_sept;
mod mem_split;
mod mem_track;
pub(super) mod migration;
mod mng;
mod mng_key;
mod phymem_page;
mod phymem_pamt;
pub(super) mod sheets;
mod vp;
pub(super) mod vp_enter;

use pamt_strategies::module::{Leaf, Operand, Regs, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use super::cost::{Costs, Draw};
use super::cx::{Cx, Step, fail};

/// Runs the steps of a leaf. Output registers are written in place. A CPU that is in a guest can make
/// a TDCALL, any other a SEAMCALL.
pub(super) fn run<P: Platform>(cx: &Cx<'_, P>, leaf: Leaf, regs: &mut Regs) -> Step {
    if regs.rax >> 16 & 0xff > sheets::leaf_sheet(leaf).most_version() {
        return fail(StatusName::OperandInvalid, Operand::RAX);
    }
    // A CPU that acts for another has been called out of its guest.
    match (leaf, cx.module.guests.on(P::cpu(cx.cpu))) {
        (Leaf::TdgMemPageAccept, Some(tdvpr)) => return accept::accept(cx, tdvpr, regs),
        (Leaf::TdgMemPageAccept, None) | (_, Some(_)) => {
            return fail(StatusName::OperandInvalid, Operand::RAX);
        }
        (_, None) => {}
    }
    match leaf {
        Leaf::MngCreate => mng::create(cx, regs),
        Leaf::MngKeyConfig => mng::key_config(cx, regs),
        Leaf::MngAddcx => mng::addcx(cx, regs),
        Leaf::MngInit => mng::init(cx, regs),
        Leaf::VpCreate => vp::create(cx, regs),
        Leaf::VpAddcx => vp::addcx(cx, regs),
        Leaf::VpInit => vp::init(cx, regs),
        Leaf::VpEnter => vp_enter::enter(cx, regs),
        Leaf::VpFlush => vp::flush(cx, regs),
        Leaf::MemSeptAdd => mem_sept::add(cx, regs),
        Leaf::MemSeptRemove => mem_sept::remove(cx, regs),
        Leaf::MemPageAdd => mem_build::add(cx, regs),
        Leaf::MrExtend => mem_build::extend(cx, regs),
        Leaf::MrFinalize => mem_build::finalize(cx, regs),
        Leaf::MemPageAug => mem_page::aug(cx, regs),
        Leaf::MemPageRemove => mem_page::remove(cx, regs),
        Leaf::MemRangeBlock => mem_track::block(cx, regs),
        Leaf::MemTrack => mem_track::track(cx, regs),
        Leaf::MemPageDemote => mem_split::demote(cx, regs),
        Leaf::MemPagePromote => mem_split::promote(cx, regs),
        Leaf::MngVpflushdone => mng_key::vpflushdone(cx, regs),
        Leaf::PhymemCacheWb => mng_key::cache_wb(cx, regs),
        // A no-op of the ABI that always succeeds.
        Leaf::MngKeyReclaimid => Ok(()),
        Leaf::MngKeyFreeid => mng_key::freeid(cx, regs),
        Leaf::PhymemPageReclaim => phymem_page::reclaim(cx, regs),
        Leaf::PhymemPageWbinvd => phymem_page::wbinvd(cx, regs),
        Leaf::PhymemPageRdmd => phymem_page::rdmd(cx, regs),
        Leaf::PhymemPamtAdd => phymem_pamt::add(cx, regs),
        Leaf::PhymemPamtRemove => phymem_pamt::remove(cx, regs),
        // Answered above.
        Leaf::TdgMemPageAccept => fail(StatusName::OperandInvalid, Operand::RAX),
    }
}

/// The cost of getting into the module and out again.
pub(super) fn transition(costs: &Costs, leaf: Leaf) -> Draw {
    match leaf {
        Leaf::VpEnter => costs.td_enter_exit,
        Leaf::TdgMemPageAccept => costs.tdcall,
        _ => costs.seamcall,
    }
}

/// The page whose region's history a leaf belongs to: the one that it gives, takes or reads.
pub(super) fn page_of(leaf: Leaf, regs: &Regs) -> Option<Pfn> {
    let hpa = match leaf {
        Leaf::PhymemPamtAdd
        | Leaf::PhymemPamtRemove
        | Leaf::PhymemPageReclaim
        | Leaf::PhymemPageRdmd
        | Leaf::PhymemPageWbinvd
        | Leaf::MngCreate
        | Leaf::MngAddcx
        | Leaf::VpCreate
        | Leaf::VpAddcx => regs.rcx,
        Leaf::MemPageAug | Leaf::MemPageAdd | Leaf::MemSeptAdd | Leaf::MemPageDemote => regs.r8,
        _ => return None,
    };
    Some(Pfn(hpa / PAGE_BYTES))
}
