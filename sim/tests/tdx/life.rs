//! The life of a TD through all leaves, each with its published number of locked instructions.

use pamt_sim::tdx::{Census, ExitCause, ModuleConfig};
use pamt_strategies::module::{Leaf, Operand, Regs, Status, StatusName};
use pamt_strategies::units::{Pfn, Region};

use crate::world::{World, small, with_world};

const HKID: u64 = 5;

fn pfn(region: u32, page: u64) -> Pfn {
    Pfn(Region(region).first_pfn().0 + page)
}

fn hpa(region: u32, page: u64) -> u64 {
    pfn(region, page).hpa()
}

fn regs(rcx: u64, rdx: u64) -> Regs {
    Regs { rcx, rdx, ..Regs::default() }
}

/// TDR in region 1, guest pages in region 3, backing pages in region 2.
fn tdr() -> u64 {
    hpa(1, 0)
}

fn tdvpr() -> u64 {
    hpa(1, 10)
}

fn build(w: &World<'_>) {
    w.give_pair(Region(1), pfn(2, 0), pfn(2, 1));
    w.give_pair(Region(3), pfn(2, 2), pfn(2, 3));
    w.counts(Leaf::MngCreate, regs(tdr(), HKID), 9);
    w.counts(Leaf::MngKeyConfig, regs(tdr(), 0), 6);
    for page in 1..=6 {
        w.counts(Leaf::MngAddcx, regs(hpa(1, page), tdr()), 13);
    }
    w.counts(Leaf::MngInit, regs(tdr(), hpa(7, 0)), 7);
    w.counts(Leaf::VpCreate, regs(tdvpr(), tdr()), 16);
    for page in 11..=15 {
        w.counts(Leaf::VpAddcx, regs(hpa(1, page), tdvpr()), 18);
    }
    w.counts(Leaf::VpInit, regs(tdvpr(), 0), 12);
    for (level, page) in [(3, 0), (2, 1), (1, 2)] {
        let add = Regs { r8: hpa(3, page), ..regs(level, tdr()) };
        w.counts(Leaf::MemSeptAdd, add, 22);
    }
    let add = Regs { r8: hpa(3, 9), r9: hpa(7, 1), ..regs(0, tdr()) };
    w.counts(Leaf::MemPageAdd, add, 13);
    for part in 0..16 {
        w.counts(Leaf::MrExtend, regs(part * 256, tdr()), 6);
    }
    w.counts(Leaf::MrFinalize, regs(tdr(), 0), 7);
}

/// Through VP.ENTER, `body` in the guest, and the exit.
fn in_guest(w: &World<'_>, entry_rmw: u32, body: impl FnOnce()) {
    w.counts(Leaf::VpEnter, regs(tdvpr(), 0), entry_rmw);
    body();
    assert_eq!(w.module.exit(w.cpu, ExitCause::Interrupt, None).rmw, 5);
}

/// One package, one key id. A timer interrupt may end a call.
fn write_caches_back(w: &World<'_>) {
    let mut got = w.call(Leaf::PhymemCacheWb, regs(0, 0));
    while got.regs.status().is(StatusName::InterruptedResumable) {
        assert_eq!(got.rmw, 4);
        got = w.call(Leaf::PhymemCacheWb, regs(1, 0));
    }
    assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, 5));
}

fn tear_down(w: &World<'_>, pages: &[u64]) {
    w.counts(Leaf::VpFlush, regs(tdvpr(), 0), 9);
    w.counts(Leaf::MngVpflushdone, regs(tdr(), 0), 8);
    write_caches_back(w);
    w.counts(Leaf::MngKeyReclaimid, regs(tdr(), 0), 0);
    w.counts(Leaf::MngKeyFreeid, regs(tdr(), 0), 8);
    let control = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15].map(|page| hpa(1, page));
    for page in control.iter().chain(pages) {
        w.counts(Leaf::PhymemPageReclaim, regs(*page, 0), 10);
    }
    w.counts(Leaf::PhymemPageReclaim, regs(tdr(), 0), 7);
    for region in [1, 3] {
        assert_eq!(w.remove_pair(Region(region)).regs.status(), Status::SUCCESS);
    }
    assert_eq!(w.module.audit(w.cpu, false), Ok(Census::default()));
}

#[test]
fn a_td_is_built_run_and_torn_down_with_the_published_rmw_counts() {
    with_world(small(), |w| {
        build(w);
        let aug = Regs { r8: hpa(3, 10), ..regs(0x1000, tdr()) };
        w.counts(Leaf::MemPageAug, aug, 21);
        in_guest(w, 10, || {
            w.counts(Leaf::TdgMemPageAccept, regs(0x1000, 0), 3);
            let again = w.call(Leaf::TdgMemPageAccept, regs(0x1000, 0)).regs.status();
            assert_eq!(again, Status::with(StatusName::PageAlreadyAccepted, Operand::RCX));
        });
        w.counts(Leaf::VpFlush, regs(tdvpr(), 0), 9);
        in_guest(w, 11, || {});
        assert!(w.module.audit(w.cpu, false).is_ok());
        tear_down(w, &[0, 1, 2, 9, 10].map(|page| hpa(3, page)));
    });
}

#[test]
fn a_page_leaves_a_running_td_only_blocked_and_tracked() {
    with_world(small(), |w| {
        build(w);
        w.counts(Leaf::MemPageAug, Regs { r8: hpa(3, 10), ..regs(0x1000, tdr()) }, 21);
        let remove = || w.call(Leaf::MemPageRemove, regs(0x1000, tdr()));
        let status = |name| Status::with(name, Operand::RCX);
        assert_eq!(remove().regs.status(), status(StatusName::GpaRangeNotBlocked));
        w.counts(Leaf::VpEnter, regs(tdvpr(), 0), 10);
        w.module.exit(w.cpu, ExitCause::Interrupt, None);
        w.counts(Leaf::MemRangeBlock, regs(0x1000, tdr()), 14);
        let again = w.call(Leaf::MemRangeBlock, regs(0x1000, tdr())).regs.status();
        assert_eq!(again, status(StatusName::GpaRangeAlreadyBlocked));
        assert_eq!(remove().regs.status(), status(StatusName::TlbTrackingNotDone));
        w.counts(Leaf::MemTrack, regs(tdr(), 0), 10);
        let got = remove();
        assert_eq!((got.regs.status(), got.rmw, got.regs.rcx), (Status::SUCCESS, 18, hpa(3, 10)));
        w.counts(Leaf::PhymemPageWbinvd, regs(hpa(3, 10), 0), 6);
        assert!(w.module.audit(w.cpu, false).is_ok());
    });
}

#[test]
fn a_large_page_is_split_and_merged_and_its_pair_goes_in_and_out() {
    let config = ModuleConfig { sept_pages: 16, ..small() };
    with_world(config, |w| {
        build(w);
        let gpa = 0x20_0000;
        w.counts(Leaf::MemPageAug, Regs { r8: hpa(5, 0), ..regs(gpa | 1, tdr()) }, 19);
        w.counts(Leaf::MemRangeBlock, regs(gpa | 1, tdr()), 14);
        w.counts(Leaf::MemTrack, regs(tdr(), 0), 10);
        let split =
            Regs { r8: hpa(3, 20), r12: hpa(2, 10), r13: hpa(2, 11), ..regs(gpa | 1, tdr()) };
        let inside = Regs { r12: hpa(5, 10), ..split };
        let busy = w.call(Leaf::MemPageDemote, inside).regs.status();
        assert_eq!(busy, Status::busy(Operand::R12), "a backing page inside the split region");
        // 34 and the tracked check; the failure above has left host priority on the 2 MiB entry.
        w.counts(Leaf::MemPageDemote, split, 36);
        let census = w.module.audit(w.cpu, false).expect("sound");
        assert_eq!(census.pairs, 3);
        w.counts(Leaf::VpEnter, regs(tdvpr(), 0), 10);
        for page in 0..512 {
            w.counts(Leaf::TdgMemPageAccept, regs(gpa + page * 4096, 0), 3);
        }
        w.module.exit(w.cpu, ExitCause::Interrupt, None);
        w.counts(Leaf::MemRangeBlock, regs(gpa | 1, tdr()), 14);
        w.counts(Leaf::MemTrack, regs(tdr(), 0), 10);
        let merged = w.counts(Leaf::MemPagePromote, regs(gpa | 1, tdr()), 23);
        assert_eq!((merged.rcx, merged.r12, merged.r13), (hpa(3, 20), hpa(2, 10), hpa(2, 11)));
        assert_eq!(w.module.audit(w.cpu, false).expect("sound").pairs, 2);
        w.counts(Leaf::MemRangeBlock, regs(gpa | 1, tdr()), 14);
        w.counts(Leaf::MemTrack, regs(tdr(), 0), 10);
        let got = w.call(Leaf::MemPageRemove, regs(gpa | 1, tdr()));
        assert_eq!((got.regs.status(), got.regs.rcx), (Status::SUCCESS, hpa(5, 0)));
        tear_down(w, &[0, 1, 2, 9].map(|page| hpa(3, page)));
    });
}
