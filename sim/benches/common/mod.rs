//! Rounds of leaves that leave the module as they found it.

use pamt_sim::tdx::{ExitCause, Module, ModuleConfig};
use pamt_strategies::module::{Leaf, Regs, Status, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{Pfn, Region};

/// A leaf with its registers, or a TD exit.
pub(crate) type Call = Option<(Leaf, Regs)>;

/// Region of control pages, of guest pages and tables, of backing pages, of a 2 MiB page, and one more.
const CONTROL: u32 = 0;
const GUEST: u32 = 1;
const BACKING: u32 = 2;
const LARGE: u32 = 3;
const OTHER: u32 = 4;

pub(crate) fn config() -> ModuleConfig {
    ModuleConfig { sept_pages: 16, ..ModuleConfig::dynamic(5, 1, 1) }
}

fn page(region: u32, number: u64) -> u64 {
    Pfn(Region(region).first_pfn().0 + number).hpa()
}

fn tdr() -> u64 {
    page(CONTROL, 0)
}

fn tdvpr() -> u64 {
    page(CONTROL, 10)
}

fn call(leaf: Leaf, rcx: u64, rdx: u64) -> Call {
    Some((leaf, Regs { rcx, rdx, ..Regs::default() }))
}

fn call3(leaf: Leaf, rcx: u64, rdx: u64, r8: u64) -> Call {
    Some((leaf, Regs { rcx, rdx, r8, ..Regs::default() }))
}

fn add_pair(region: u32) -> Call {
    let first = 2 * u64::from(region);
    let (page0, page1) = (page(BACKING, first), page(BACKING, first + 1));
    call3(Leaf::PhymemPamtAdd, page(region, 0) | 1, page0, page1)
}

fn remove_pair(region: u32) -> Call {
    call(Leaf::PhymemPamtRemove, page(region, 0) | 1, 0)
}

/// The pair of a region comes and goes.
pub(crate) fn pair() -> Vec<Call> {
    vec![add_pair(OTHER), remove_pair(OTHER)]
}

/// The same, and the entries are read in between, so that PAMT.REMOVE finds them in a cache, as it
/// does after a teardown.
pub(crate) fn pair_read() -> Vec<Call> {
    let reads = (0..512).map(|n| call(Leaf::PhymemPageRdmd, page(OTHER, n), 0));
    [add_pair(OTHER)].into_iter().chain(reads).chain([remove_pair(OTHER)]).collect()
}

fn block_and_track(gpa: u64) -> [Call; 2] {
    [call(Leaf::MemRangeBlock, gpa, tdr()), call(Leaf::MemTrack, tdr(), 0)]
}

/// A page comes and goes while the TD runs.
pub(crate) fn guest_page() -> Vec<Call> {
    let gpa = 0x5000;
    let [block, track] = block_and_track(gpa);
    let aug = call3(Leaf::MemPageAug, gpa, tdr(), page(GUEST, 20));
    vec![aug, block, track, call(Leaf::MemPageRemove, gpa, tdr())]
}

/// A VCPU enters its guest and leaves it.
pub(crate) fn guest_run() -> Vec<Call> {
    vec![call(Leaf::VpEnter, tdvpr(), 0), None]
}

/// A TD up to its first entry.
pub(crate) fn build() -> Vec<Call> {
    let mut calls = vec![add_pair(CONTROL), add_pair(GUEST)];
    calls.push(call(Leaf::MngCreate, tdr(), 5));
    calls.push(call(Leaf::MngKeyConfig, tdr(), 0));
    calls.extend((1..=6).map(|n| call(Leaf::MngAddcx, page(CONTROL, n), tdr())));
    calls.push(call(Leaf::MngInit, tdr(), 0));
    calls.push(call(Leaf::VpCreate, tdvpr(), tdr()));
    calls.extend((11..=15).map(|n| call(Leaf::VpAddcx, page(CONTROL, n), tdvpr())));
    calls.push(call(Leaf::VpInit, tdvpr(), 0));
    let table = |level| call3(Leaf::MemSeptAdd, level, tdr(), page(GUEST, 3 - level));
    calls.extend([table(3), table(2), table(1)]);
    calls.push(call3(Leaf::MemPageAdd, 0, tdr(), page(GUEST, 9)));
    calls.extend((0..16).map(|part| call(Leaf::MrExtend, 256 * part, tdr())));
    calls.push(call(Leaf::MrFinalize, tdr(), 0));
    calls
}

/// A 2 MiB page comes, is accepted, split, merged, and goes.
fn large_page() -> Vec<Call> {
    let gpa = 0x20_0000 | 1;
    let [block, track] = block_and_track(gpa);
    let split = Regs {
        rcx: gpa,
        rdx: tdr(),
        r8: page(GUEST, 21),
        r12: page(BACKING, 20),
        r13: page(BACKING, 21),
        ..Regs::default()
    };
    let accept = call(Leaf::TdgMemPageAccept, gpa, 0);
    vec![
        call3(Leaf::MemPageAug, gpa, tdr(), page(LARGE, 0)),
        call(Leaf::VpEnter, tdvpr(), 0),
        accept,
        None,
        block,
        track,
        Some((Leaf::MemPageDemote, split)),
        block,
        track,
        call(Leaf::MemPagePromote, gpa, tdr()),
        block,
        track,
        call(Leaf::MemPageRemove, gpa, tdr()),
        call(Leaf::PhymemPageRdmd, page(LARGE, 0) | 1, 0),
    ]
}

/// A table comes and goes.
fn table() -> Vec<Call> {
    let gpa = 0x40_0000 | 1;
    let [block, track] = block_and_track(gpa);
    let add = call3(Leaf::MemSeptAdd, gpa, tdr(), page(GUEST, 22));
    let flush = call(Leaf::PhymemPageWbinvd, page(GUEST, 22), 0);
    vec![add, block, track, call(Leaf::MemSeptRemove, gpa, tdr()), flush]
}

/// From the last exit to the last page.
fn tear_down() -> Vec<Call> {
    let mut calls = vec![call(Leaf::VpFlush, tdvpr(), 0)];
    let end =
        [Leaf::MngVpflushdone, Leaf::PhymemCacheWb, Leaf::MngKeyReclaimid, Leaf::MngKeyFreeid];
    let operand = |leaf| if leaf == Leaf::PhymemCacheWb { 0 } else { tdr() };
    calls.extend(end.map(|leaf| call(leaf, operand(leaf), 0)));
    let guest = [0, 1, 2, 9].map(|n| page(GUEST, n));
    let control = (1..=6).chain(10..=15).map(|n| page(CONTROL, n));
    let pages = guest.into_iter().chain(control).chain([tdr()]);
    calls.extend(pages.map(|hpa| call(Leaf::PhymemPageReclaim, hpa, 0)));
    calls.extend([remove_pair(GUEST), remove_pair(CONTROL)]);
    calls
}

/// The whole life of a TD: every leaf.
pub(crate) fn life() -> Vec<Call> {
    [build(), guest_page(), guest_run(), large_page(), table(), tear_down()].concat()
}

/// Executes calls that all succeed.
pub(crate) fn execute<P: Platform>(module: &Module<P>, cpu: &P::Cpu, calls: &[Call]) {
    for call in calls {
        let Some((leaf, regs)) = call else {
            module.exit(cpu, ExitCause::Interrupt, None);
            continue;
        };
        let run = |leaf, regs| module.execute(cpu, leaf, regs, None).regs.status();
        let mut status = run(*leaf, *regs);
        // A tick of the clock may fall into CACHE.WB, or into ACCEPT of a 2 MiB page: a TD exit.
        while status.is(StatusName::InterruptedResumable) {
            status = run(*leaf, Regs { rcx: 1, ..Regs::default() });
        }
        while status == ExitCause::Interrupt.status() {
            assert_eq!(
                run(Leaf::VpEnter, Regs { rcx: tdvpr(), ..Regs::default() }),
                Status::SUCCESS
            );
            status = run(*leaf, *regs);
        }
        assert_eq!(status, Status::SUCCESS, "{leaf} {regs:x?}");
    }
}
