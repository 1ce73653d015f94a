//! The leaves: a file a family, each leaf its steps in the order of the code that it models.

mod mem_page;
mod mem_sept;
mod phymem_page;
mod phymem_pamt;

use pamt_strategies::module::{Leaf, Operand, Regs, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use super::cost::{Costs, Draw};
use super::cx::{Cx, Step, fail};

/// Runs the steps of a leaf. Output registers are written in place.
pub(super) fn run<P: Platform>(cx: &Cx<'_, P>, leaf: Leaf, regs: &mut Regs) -> Step {
    match leaf {
        Leaf::PhymemPamtAdd => phymem_pamt::add(cx, regs),
        Leaf::PhymemPamtRemove => phymem_pamt::remove(cx, regs),
        Leaf::PhymemPageRdmd => phymem_page::rdmd(cx, regs),
        Leaf::PhymemPageReclaim => phymem_page::reclaim(cx, regs),
        Leaf::PhymemPageWbinvd => phymem_page::wbinvd(cx, regs),
        Leaf::MemPageAug => mem_page::aug(cx, regs),
        Leaf::MemPageRemove => mem_page::remove(cx, regs),
        Leaf::MemSeptAdd => mem_sept::add(cx, regs),
        _ => fail(StatusName::OperandInvalid, Operand::RAX),
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
