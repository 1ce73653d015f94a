//! TDG.MEM.PAGE.ACCEPT: the guest takes a page that the host added (`tdg_mem_page_accept.c`).
//!
//! It takes neither the Secure EPT tree's lock nor any PAMT lock, only the entry's, and as a guest: it
//! yields to a host caller that has failed there. A page that is not there ends in a TD exit. An interrupt
//! ends the acceptance of a 2 MiB page after any 4 KiB, also in a TD exit: how far it came is kept in
//! the entry, and the guest's instruction, executed again, goes on there.

use pamt_strategies::module::{Operand, Regs, Status, StatusName};
use pamt_strategies::platform::{BulkKind, Platform};
use pamt_strategies::units::{PAGE_BYTES, Pfn};

use crate::tdx::cx::{Cx, Exit, Step, fail};
use crate::tdx::layout::{tdcs, tdvps};
use crate::tdx::leaves::sheets::notation::*;
use crate::tdx::leaves::vp_enter::{self, ExitCause};
use crate::tdx::locks::sharex_hp::GuestBusy;
use crate::tdx::memory::Object;
use crate::tdx::sept::{self, EntryAt, EntryState, Gpa, ROOT_LEVEL};
use crate::tdx::vcpu::Vcpu;

/// What VP.ENTER returns after an EPT violation: the exit reason.
pub const EPT_VIOLATION: Status = Status(48);
/// How long a VCPU may be turned away by host priority (default of TDCS.HP_LOCK_TIMEOUT).
const HP_LOCK_TIMEOUT_NS: f64 = 1e9;

/// Sheet of [`accept`].
pub(super) const ACCEPT: LeafSheet = LeafSheet {
    leaf: Leaf::TdgMemPageAccept,
    summary: "the guest accepts a pending page; a hole or a blocked page ends in a TD exit",
    locks: &[lock("Secure EPT entry, as a guest", X, O::RCX)],
    rmw: (3, 3),
    pamt: "none",
    work: "4 KiB MOVDIR64B, 512 times for a 2 MiB page",
    costs: &[DIRECT_STORE],
    statuses: &[
        (St::OperandInvalid, &[O::RCX]),
        (St::PageAlreadyAccepted, &[O::RCX]),
        (St::PageSizeMismatch, &[O::RCX]),
        (St::HostPriorityBusyTimeout, &[]),
    ],
};

/// TDG.MEM.PAGE.ACCEPT: RCX = GPA | level.
pub(super) fn accept<P: Platform>(cx: &Cx<'_, P>, tdvpr: Pfn, regs: &mut Regs) -> Step {
    let gpa = sept::gpa_operand(regs.rcx, 0..=1)?;
    let (vcpu, td) = vp_enter::running(cx, tdvpr)?;
    let root = Pfn(cx.load(Object::Tdcs, td.tdcs + tdcs::EPTP));
    let entry = find(cx, root, gpa, &vcpu)?;
    lock_as_guest(cx, entry, &vcpu)?;
    let found = cx.entry(entry);
    match EntryState::of(found) {
        EntryState::Pending => {}
        EntryState::Mapped => return fail(StatusName::PageAlreadyAccepted, Operand::RCX),
        EntryState::NlMapped => return fail(StatusName::PageSizeMismatch, Operand::RCX),
        _ => return ept_violation(cx, &vcpu, gpa),
    }
    cx.store(Object::Tdvps, vcpu.tdvps + tdvps::SAME_FAULTS, 0);
    let page = sept::page_of(found, entry);
    let pages = gpa.page_level().pages();
    let watch = cx.watch_interrupts();
    for done in sept::accepted(found) + 1..=pages {
        P::bulk(cx.cpu, BulkKind::DirectStore, PAGE_BYTES, cx.module.node_of(page));
        if done < pages && cx.interrupted(watch) {
            cx.write_entry_locked(entry, sept::with_accepted(found, done));
            return td_exit(cx, ExitCause::Interrupt.status().0);
        }
    }
    cx.write_entry_locked(
        entry,
        sept::with_state(sept::with_accepted(found, 0), EntryState::Mapped),
    );
    Ok(())
}

/// The walk of a guest's leaf: a larger page on the way is a mismatch, a hole an EPT violation.
fn find<P: Platform>(cx: &Cx<'_, P>, root: Pfn, gpa: Gpa, vcpu: &Vcpu) -> Step<EntryAt> {
    let mut table = root;
    let mut level = ROOT_LEVEL;
    loop {
        let entry = EntryAt { word: cx.sept_table(table)? + gpa.index(level), level };
        if level == gpa.level {
            return Ok(entry);
        }
        let found = cx.entry(entry);
        match EntryState::of(found) {
            EntryState::NlMapped => table = sept::page_of(found, entry),
            EntryState::Mapped | EntryState::Pending => {
                return fail(StatusName::PageSizeMismatch, Operand::RCX);
            }
            _ => return ept_violation(cx, vcpu, gpa),
        }
        level -= 1;
    }
}

/// Host priority reads as plain OPERAND_BUSY in the guest, until the VCPU has met it for too long:
/// then the TD exits.
fn lock_as_guest<P: Platform>(cx: &Cx<'_, P>, entry: EntryAt, vcpu: &Vcpu) -> Step {
    let since_at = vcpu.tdvps + tdvps::HOST_PRIORITY_SINCE;
    let since = cx.load(Object::Tdvps, since_at);
    match cx.acquire_entry_as_guest(entry) {
        Ok(()) if since == 0 => return Ok(()),
        Ok(()) => {
            cx.store(Object::Tdvps, since_at, 0);
            return Ok(());
        }
        Err(GuestBusy::Busy) => {}
        Err(GuestBusy::HostPriority) => {
            let now = P::now(cx.cpu).0.max(1);
            if since == 0 {
                cx.store(Object::Tdvps, since_at, now);
            } else if now - since > cx.module.cycles(HP_LOCK_TIMEOUT_NS).0 {
                let name = StatusName::HostPriorityBusyTimeout;
                return td_exit(cx, Status::with(name, Operand(0)).0);
            }
        }
    }
    fail(StatusName::OperandBusy, Operand::RCX)
}

/// A TD exit that VP.ENTER counts: a host that lets a guest fault on one address again and again may be
/// stepping it.
fn ept_violation<P: Platform, T>(cx: &Cx<'_, P>, vcpu: &Vcpu, gpa: Gpa) -> Step<T> {
    let (last, count) = (vcpu.tdvps + tdvps::LAST_FAULT, vcpu.tdvps + tdvps::SAME_FAULTS);
    let page = gpa.page_number() + 1;
    let same = cx.load(Object::Tdvps, last) == page;
    let before = if same { cx.load(Object::Tdvps, count) } else { 0 };
    cx.store(Object::Tdvps, last, page);
    cx.store(Object::Tdvps, count, before + 1);
    td_exit(cx, EPT_VIOLATION.0)
}

/// Leaves the guest: what VP.ENTER returns in RAX.
fn td_exit<P: Platform, T>(cx: &Cx<'_, P>, rax: u64) -> Step<T> {
    vp_enter::leave(cx)?;
    Err(Exit::Status(Status(rax)))
}
