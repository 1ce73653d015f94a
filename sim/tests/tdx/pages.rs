//! Single pages: PAMT.ADD and REMOVE, AUG, PAGE.REMOVE, RECLAIM, RDMD.

use pamt_sim::tdx::PageType;
use pamt_strategies::module::{Leaf, Operand, PamtOps, Regs, Status, StatusName};
use pamt_strategies::units::{Pfn, Region};

use crate::world::{GUEST, TD, World, small, with_world};

fn pfn(region: u32, page: u64) -> Pfn {
    Pfn(Region(region).first_pfn().0 + page)
}

fn guest(page: u64) -> Pfn {
    pfn(GUEST.0, page)
}

#[test]
fn pamt_add_takes_7_to_19_rmw_by_where_the_backing_pages_lie() {
    with_world(small(), |w| {
        // Both inside the target; one inside; both in a region without a pair.
        assert_eq!(w.add(Region(1), pfn(1, 0), pfn(1, 1)).rmw, 7);
        assert_eq!(w.add(Region(2), pfn(2, 0), pfn(0, 0)).rmw, 11);
        assert_eq!(w.add(Region(3), pfn(0, 1), pfn(0, 2)).rmw, 15);
        // One in a region with a pair; both.
        assert_eq!(w.add(Region(4), pfn(0, 3), pfn(1, 2)).rmw, 17);
        assert_eq!(w.add(Region(5), pfn(1, 3), pfn(1, 4)).rmw, 19);
        // One inside the target, one in a region with a pair.
        assert_eq!(w.add(Region(6), pfn(6, 0), pfn(1, 5)).rmw, 13);
    });
}

#[test]
fn pamt_remove_returns_the_pair_in_7_rmw_and_the_bitmap_forgets_it() {
    with_world(small(), |w| {
        w.give_pair(Region(1), pfn(2, 7), pfn(3, 9));
        let got = w.remove_pair(Region(1));
        assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, 7));
        assert_eq!((got.regs.rdx, got.regs.r8), (pfn(2, 7).hpa(), pfn(3, 9).hpa()));
        w.give_pair(Region(4), pfn(2, 7), pfn(3, 9));
    });
}

#[test]
fn each_wrong_pamt_add_names_its_operand() {
    with_world(small(), |w| {
        let status = |got: pamt_sim::tdx::Executed| got.regs.status();
        let with = |name, operand| Status::with(name, operand);
        let range = StatusName::OperandAddrRangeError;
        assert_eq!(status(w.add(Region(99), pfn(1, 0), pfn(1, 1))), with(range, Operand::RCX));
        assert_eq!(status(w.add(Region(1), pfn(99, 0), pfn(1, 1))), with(range, Operand::RDX));
        assert_eq!(status(w.add(Region(1), pfn(1, 0), pfn(99, 1))), with(range, Operand::R8));
        let odd = Regs { rcx: 0x1000 | 1, ..Regs::default() };
        let invalid = with(StatusName::OperandInvalid, Operand::RCX);
        assert_eq!(status(w.call(Leaf::PhymemPamtAdd, odd)), invalid);
        let not_free = StatusName::PageNotFree;
        assert_eq!(status(w.add(Region(1), pfn(2, 0), pfn(2, 0))), with(not_free, Operand::R8));
        w.give_pair(Region(1), pfn(2, 0), pfn(2, 1));
        assert_eq!(status(w.add(Region(3), pfn(2, 1), pfn(2, 2))), with(not_free, Operand::RDX));
        let in_use = with(StatusName::HpaRangeNotFree, Operand::RCX);
        assert_eq!(status(w.add(Region(1), pfn(2, 4), pfn(2, 5))), in_use);
    });
}

#[test]
fn pamt_remove_wants_a_pair_that_is_not_in_use() {
    with_world(small(), |w| {
        let none = Status::with(StatusName::NoPamtPagePair, Operand::RCX);
        assert_eq!(w.remove_pair(Region(5)).regs.status(), none);
        w.with_td();
        let low = w.remove_pair(TD.tdr.region()).regs.status();
        assert_eq!(low, Status::with(StatusName::PamtPageNotEmpty, Operand(0)));
        w.with_tables();
        assert_eq!(w.aug(0, guest(400)).regs.status(), Status::SUCCESS);
        assert_eq!(w.module.pamt_present(w.cpu, GUEST), Ok(true));
        assert_eq!(w.module.pamt_present(w.cpu, Region(5)), Ok(false));
    });
}

#[test]
fn aug_takes_21_rmw_and_a_free_entry() {
    with_world(small(), |w| {
        w.with_td();
        w.with_tables();
        let got = w.aug(0x5000, guest(9));
        assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, 21));
        let again = w.aug(0x5000, guest(10)).regs;
        assert!(again.status().is(StatusName::EptEntryStateIncorrect), "{}", again.status());
        let taken = w.aug(0x6000, guest(9)).regs.status();
        assert_eq!(taken, Status::with(StatusName::PageMetadataIncorrect, Operand::R8));
    });
}

#[test]
fn aug_needs_a_pair_and_a_page_that_backs_none() {
    with_world(small(), |w| {
        w.with_td();
        w.with_tables();
        let missing = Status::with(StatusName::MissingPamtPagePair, Operand::R8);
        assert_eq!(w.aug(0, pfn(5, 3)).regs.status(), missing);
        w.give_pair(Region(5), pfn(5, 0), pfn(5, 1));
        let backing = Status::with(StatusName::PageMetadataIncorrect, Operand::R8);
        assert_eq!(w.aug(0, pfn(5, 1)).regs.status(), backing);
        assert_eq!(w.aug(0, pfn(5, 3)).regs.status(), Status::SUCCESS);
    });
}

#[test]
fn a_2m_page_needs_a_region_without_pair_and_backing_pages() {
    with_world(small(), |w| {
        w.with_td();
        for (level, page) in [(3, 0), (2, 1)] {
            assert_eq!(w.sept_add(level, guest(page)).regs.status(), Status::SUCCESS);
        }
        let wrong = Status::with(StatusName::PageMetadataIncorrect, Operand::R8);
        assert_eq!(w.aug(1, pfn(2, 0)).regs.status(), wrong, "region 2 backs entries");
        assert_eq!(w.aug(1, GUEST.first_pfn()).regs.status(), wrong, "the guest region has a pair");
        let got = w.aug(1, pfn(6, 0));
        assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, 19));
    });
}

#[test]
fn reclaim_takes_10_rmw_hints_at_the_last_page_and_wants_the_tdr_last() {
    with_world(small(), |w| {
        w.with_td();
        w.with_tables();
        assert_eq!(w.aug(0, guest(9)).regs.status(), Status::SUCCESS);
        let early = w.reclaim(guest(9)).regs.status();
        assert_eq!(early, Status::with(StatusName::LifecycleStateIncorrect, Operand::TDR));
        w.module.tear_down_for_setup(w.cpu, TD.tdr).expect("a TD");

        let busy = w.reclaim(TD.tdr).regs.status();
        assert_eq!(busy, Status::with(StatusName::TdAssociatedPagesExist, Operand::TDR));
        let got = w.reclaim(guest(9));
        assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, 10));
        assert_eq!((got.regs.rcx, got.regs.rdx), (PageType::Reg as u64, TD.tdr.hpa()));
        let hints = [0, 1, 2].map(|page| w.reclaim(guest(page)).regs.r9);
        assert_eq!(hints, [0, 0, Regs::REMOVAL_HINT]);
        for page in TD.tdcx {
            assert_eq!(w.reclaim(page).regs.r9, 0);
        }
        let last = w.reclaim(TD.tdr);
        assert_eq!((last.regs.status(), last.rmw), (Status::SUCCESS, 7));
        assert_eq!(last.regs.r9, Regs::REMOVAL_HINT);
        assert_eq!(w.remove_pair(GUEST).regs.status(), Status::SUCCESS);
        assert_eq!(w.remove_pair(TD.tdr.region()).regs.status(), Status::SUCCESS);
    });
}

#[test]
fn in_static_mode_pages_need_no_pair_and_are_not_counted() {
    let config = pamt_sim::tdx::ModuleConfig { dynamic: false, ..small() };
    with_world(config, |w: &World<'_>| {
        w.module.create_td_for_setup(w.cpu, TD).expect("a TD");
        let off = Status::with(StatusName::OperandInvalid, Operand::RAX);
        assert_eq!(w.add(Region(1), pfn(2, 0), pfn(2, 1)).regs.status(), off);
        w.with_tables();
        let got = w.aug(0, guest(9));
        assert_eq!((got.regs.status(), got.rmw), (Status::SUCCESS, 20));
    });
}
