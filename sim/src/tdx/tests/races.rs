//! Races of two leaves, in each world: what comes out is what the module's locks allow
//! (tdx-module.md 2.6), and where the world tries every order, all of it comes out.
//!
//! Loom adds weak memory on the entries of the 2 MiB level and above; the simulated machine and real
//! threads show that nothing else comes out where time decides.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pamt_strategies::module::{Leaf, Operand, Regs, Status, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::platform::explore::{Explorer, Shuttle};
use pamt_strategies::units::{Cycles, Pfn, Region};

use super::worlds::{Body, LoomWorld, Plan, in_explorer, in_loom, on_native, on_sim};
use crate::tdx::{Module, ModuleConfig, TdPages};

/// Statuses of the two leaves.
type Outcome = [Status; 2];
type Call = (Leaf, Regs);

/// Two leaves at once, in a module that others have prepared.
struct Race {
    name: &'static str,
    before: Vec<Call>,
    calls: [Call; 2],
    /// What can come out.
    outcomes: Vec<Outcome>,
}

/// Region of the TD's control pages, of guest pages and tables, and of backing pages.
const CONTROL: u32 = 0;
const GUEST: u32 = 1;
const BACKING: u32 = 2;
/// The regions that race.
const A: u32 = 3;
const B: u32 = 4;

fn page(region: u32, number: u64) -> u64 {
    Pfn(Region(region).first_pfn().0 + number).hpa()
}

fn add(region: u32, page0: u64, page1: u64) -> Call {
    let rcx = page(region, 0) | 1;
    (Leaf::PhymemPamtAdd, Regs { rcx, rdx: page0, r8: page1, ..Regs::default() })
}

fn backed(region: u32) -> Call {
    let first = 2 * u64::from(region);
    add(region, page(BACKING, first), page(BACKING, first + 1))
}

fn remove(region: u32) -> Call {
    (Leaf::PhymemPamtRemove, Regs { rcx: page(region, 0) | 1, ..Regs::default() })
}

fn of_td(leaf: Leaf, rcx: u64, r8: u64) -> Call {
    (leaf, Regs { rcx, rdx: page(CONTROL, 0), r8, ..Regs::default() })
}

fn aug(gpa: u64, hpa: u64) -> Call {
    of_td(Leaf::MemPageAug, gpa, hpa)
}

/// A TD with tables for its first 2 MiB.
fn with_td() -> Vec<Call> {
    let table = |level: u64| of_td(Leaf::MemSeptAdd, level, page(GUEST, 3 - level));
    vec![backed(GUEST), table(3), table(2), table(1)]
}

fn busy(operand: Operand) -> Status {
    Status::busy(operand)
}

fn status(name: StatusName, operand: Operand) -> Status {
    Status::with(name, operand)
}

const OK: Status = Status::SUCCESS;

fn both_ways(outcome: Outcome) -> [Outcome; 2] {
    [outcome, [outcome[1], outcome[0]]]
}

fn add_add() -> Race {
    let late = status(StatusName::HpaRangeNotFree, Operand::RCX);
    let mut outcomes = vec![[busy(Operand::RCX); 2]];
    outcomes.extend(both_ways([OK, busy(Operand::RCX)]));
    outcomes.extend(both_ways([OK, late]));
    let second = add(A, page(BACKING, 20), page(BACKING, 21));
    Race { name: "ADD(A) / ADD(A)", before: vec![], calls: [backed(A), second], outcomes }
}

fn add_remove() -> Race {
    let late = status(StatusName::HpaRangeNotFree, Operand::RCX);
    let outcomes = vec![
        [late, OK],
        [OK, OK],
        [busy(Operand::RCX), OK],
        [late, busy(Operand::RCX)],
        [busy(Operand::RCX); 2],
    ];
    let second = add(A, page(BACKING, 20), page(BACKING, 21));
    let calls = [second, remove(A)];
    Race { name: "ADD(A) / REMOVE(A)", before: vec![backed(A)], calls, outcomes }
}

fn foreign_backing_page() -> Race {
    let outcomes = vec![[OK, OK], [busy(Operand::RDX), OK], [OK, busy(Operand::RCX)]];
    let calls = [add(A, page(B, 0), page(BACKING, 20)), remove(B)];
    Race { name: "ADD(A, page in B) / REMOVE(B)", before: vec![backed(B)], calls, outcomes }
}

fn crosswise() -> Race {
    let mut outcomes = vec![[OK, OK], [busy(Operand::RDX); 2]];
    outcomes.extend(both_ways([OK, busy(Operand::RDX)]));
    outcomes.extend(both_ways([OK, busy(Operand::RCX)]));
    let calls = [add(A, page(B, 0), page(BACKING, 20)), add(B, page(A, 0), page(BACKING, 21))];
    Race { name: "ADD(A, page in B) / ADD(B, page in A)", before: vec![], calls, outcomes }
}

fn remove_aug() -> Race {
    let outcomes = vec![
        [OK, status(StatusName::MissingPamtPagePair, Operand::R8)],
        [OK, busy(Operand::R8)],
        [busy(Operand::RCX), OK],
        [status(StatusName::PamtPageNotEmpty, Operand(0)), OK],
    ];
    let mut before = with_td();
    before.push(backed(A));
    let calls = [remove(A), aug(0x1000, page(A, 0))];
    Race { name: "REMOVE(A) / AUG in A", before, calls, outcomes }
}

fn aug_aug() -> Race {
    let mut before = with_td();
    before.push(backed(A));
    let calls = [aug(0x1000, page(A, 0)), aug(0x2000, page(A, 1))];
    Race { name: "AUG / AUG in A", before, calls, outcomes: vec![[OK, OK]] }
}

/// What the VMM must not do: the module does not keep the two apart. The violations are its own.
fn remove_page_remove() -> Race {
    let shut_down = status(StatusName::SysShutdown, Operand(0));
    let outcomes =
        vec![[status(StatusName::PamtPageNotEmpty, Operand(0)), OK], [OK, OK], [shut_down, OK]];
    let mut before = with_td();
    before.extend([backed(A), aug(0x1000, page(A, 0))]);
    before.push(of_td(Leaf::MemRangeBlock, 0x1000, 0));
    before.push((Leaf::MemTrack, Regs { rcx: page(CONTROL, 0), ..Regs::default() }));
    let calls = [remove(A), of_td(Leaf::MemPageRemove, 0x1000, 0)];
    Race { name: "REMOVE(A) / PAGE.REMOVE in A", before, calls, outcomes }
}

fn legal_races() -> Vec<Race> {
    vec![add_add(), add_remove(), foreign_backing_page(), crosswise(), remove_aug(), aug_aug()]
}

type Results = Arc<Mutex<[Status; 2]>>;

/// `delay` is how long the second CPU waits first, in worlds where time passes.
fn plan<P: Platform>(race: &Race, delay: u64) -> (Plan<P>, Results) {
    let results: Results = Arc::new(Mutex::new([Status(u64::MAX); 2]));
    let before = race.before.clone();
    let prepare: Body<P> = Box::new(move |module, cpu| {
        let run = |(leaf, regs): Call| module.execute(cpu, leaf, regs, None).regs.status();
        let control = add(CONTROL, page(BACKING, 0), page(BACKING, 1));
        assert_eq!(run(control), OK);
        let first = Region(CONTROL).first_pfn().0;
        let tdcx = [1, 2, 3, 4, 5, 6].map(|n| Pfn(first + n));
        module.create_td_for_setup(cpu, TdPages { tdr: Pfn(first), tdcx }).expect("a TD");
        for call in before {
            assert_eq!(run(call), OK, "{call:x?}");
        }
    });
    let body = |n: usize| -> Body<P> {
        let (results, (leaf, regs)) = (Arc::clone(&results), race.calls[n]);
        Box::new(move |module, cpu| {
            P::work(cpu, Cycles(n as u64 * delay));
            let status = module.execute(cpu, leaf, regs, None).regs.status();
            results.lock().unwrap_or_else(PoisonError::into_inner)[n] = status;
        })
    };
    let config = ModuleConfig { sept_pages: 8, ..ModuleConfig::dynamic(5, 1, 1) };
    (Plan { config, prepare, bodies: vec![body(0), body(1)] }, results)
}

fn outcome(results: &Results) -> Outcome {
    *results.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One execution of a legal race: nothing breaks, and the module is sound after it.
fn sound_execution<P: Explorer>(race: &Race) -> Outcome
where
    Module<P>: Send + Sync,
    P::Words<u64>: Send + Sync,
{
    let (plan, results) = plan::<P>(race, 0);
    let (broken, module, cpu) = in_explorer(plan);
    assert_eq!(broken, [""; 0], "{}", race.name);
    assert!(module.audit(&cpu, false).is_ok(), "{}: {:?}", race.name, module.audit(&cpu, false));
    outcome(&results)
}

/// Exactly the outcomes of the race have been found.
fn judge(race: &Race, found: &BTreeSet<Outcome>) {
    let allowed: BTreeSet<_> = race.outcomes.iter().copied().collect();
    assert_eq!(*found, allowed, "{}", race.name);
}

/// Runs executions of a race in an explorer and returns what came out.
fn explored(
    race: Race,
    execution: impl Fn(&Race) -> Outcome + Send + Sync + 'static,
    explorer: impl FnOnce(Arc<dyn Fn() + Send + Sync>),
) -> (Arc<Race>, BTreeSet<Outcome>) {
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let race = Arc::new(race);
    let (seen, of) = (Arc::clone(&found), Arc::clone(&race));
    explorer(Arc::new(move || {
        let outcome = execution(&of);
        seen.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
    }));
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (race, found)
}

#[test]
fn loom_finds_all_outcomes_of_two_leaves_and_no_other() {
    for race in legal_races() {
        let (race, found) =
            explored(race, sound_execution::<LoomWorld>, |run| in_loom(2, move || run()));
        judge(&race, &found);
    }
}

#[test]
fn shuttle_finds_all_outcomes_of_two_leaves_and_no_other() {
    for race in legal_races() {
        // Random schedules switch all the time, those of PCT hardly ever.
        let (race, found) = explored(race, sound_execution::<Shuttle>, |run| {
            let again = Arc::clone(&run);
            shuttle::check_random(move || run(), 500);
            shuttle::check_pct(move || again(), 500, 3);
        });
        judge(&race, &found);
    }
}

#[test]
fn loom_finds_what_breaks_when_a_pair_goes_before_page_remove_is_done() {
    let broken = Arc::new(Mutex::new(BTreeSet::new()));
    let heard = Arc::clone(&broken);
    let execution = move |race: &Race| {
        let (plan, results) = plan::<LoomWorld>(race, 0);
        let violations = in_explorer(plan).0;
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend(violations);
        outcome(&results)
    };
    let (race, found) = explored(remove_page_remove(), execution, |run| {
        in_loom(2, move || run());
    });
    judge(&race, &found);
    let broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
    let said = |what: &str| broken.iter().any(|detail| detail.contains(what));
    assert!(said("whose page_count is not 0"), "{broken:?}");
    assert!(said("after its page pair was taken back"), "{broken:?}");
}

#[test]
fn on_real_threads_no_other_outcome_comes() {
    for race in legal_races() {
        for delay in [0, 400, 800] {
            for _ in 0..10 {
                let (plan, results) = plan(&race, delay);
                assert_eq!(on_native(plan), [""; 0], "{}", race.name);
                let found = outcome(&results);
                assert!(race.outcomes.contains(&found), "{}: {found:?}", race.name);
            }
        }
    }
}

#[test]
fn on_the_simulated_machine_no_other_outcome_comes_and_time_decides_which() {
    for race in legal_races() {
        let mut found = BTreeSet::new();
        for seed in 0..40 {
            let (plan, results) = plan(&race, 150 * seed);
            assert_eq!(on_sim(plan, seed), [""; 0], "{}", race.name);
            found.insert(outcome(&results));
        }
        assert!(found.iter().all(|f| race.outcomes.contains(f)), "{}: {found:?}", race.name);
        // Far enough apart, the first one wins; close together it may not.
        assert!(found.len() > 1 || race.outcomes.len() == 1, "{}: only {found:?}", race.name);
    }
}
