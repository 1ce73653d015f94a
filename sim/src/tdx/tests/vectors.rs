//! Every transition of `vectors.txt`, by the locked instructions of each world. (The C emulator of the
//! kernel helper reads the same file in the tests of `pamt-hw`.)

use std::sync::{Arc, Mutex};

use pamt_strategies::platform::explore::Shuttle;
use pamt_strategies::platform::{Platform, Words};

use super::worlds::{Body, LoomWorld, Plan, in_explorer, in_loom, on_native, on_sim};
use crate::stepped::{Stepped, SteppedBuild};
use crate::tdx::cx::{Cx, LockAt, LockType, LockWord};
use crate::tdx::layout::Half;
use crate::tdx::locks::sharex_hp::GuestBusy;
use crate::tdx::locks::{WrongRelease, mutex, sept_entry, sharex, sharex_hp};
use crate::tdx::memory::Object;
use crate::tdx::{CostTable, Module, ModuleConfig};

fn tried(ok: bool) -> &'static str {
    if ok { "ok" } else { "busy" }
}

fn released(result: Result<(), WrongRelease>) -> &'static str {
    result.map_or("wrong", |()| "ok")
}

fn guest(result: Result<(), GuestBusy>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(GuestBusy::Busy) => "busy",
        Err(GuestBusy::HostPriority) => "host_priority",
    }
}

fn apply<P: Platform>(
    (lock, caller, operation): (&str, &str, &str),
    w: &LockWord<'_, '_, P>,
) -> &'static str {
    match (lock, caller, operation) {
        ("mutex", "host", "acquire") => tried(mutex::acquire(w)),
        ("mutex", "host", "release") => released(mutex::release(w)),
        ("sharex", "host", "acquire_shared") => tried(sharex::acquire_shared(w)),
        ("sharex", "host", "acquire_exclusive") => tried(sharex::acquire_exclusive(w)),
        ("sharex", "host", "release_shared") => released(sharex::release_shared(w)),
        ("sharex", "host", "release_exclusive") => released(sharex::release_exclusive(w)),
        ("sharex_hp", "host", "acquire_shared") => tried(sharex_hp::acquire_shared(w)),
        ("sharex_hp", "host", "acquire_exclusive") => tried(sharex_hp::acquire_exclusive(w)),
        ("sharex_hp", "host", "promote") => tried(sharex_hp::promote(w)),
        ("sharex_hp", "host", "release_shared") => released(sharex_hp::release_shared(w)),
        ("sharex_hp", "host", "release_exclusive") => released(sharex_hp::release_exclusive(w)),
        ("sharex_hp", "guest", "acquire_shared") => guest(sharex_hp::acquire_shared_guest(w)),
        ("sept_entry", "host", "acquire") => tried(sept_entry::acquire(w)),
        ("sept_entry", "host", "release") => released(sept_entry::release(w)),
        ("sept_entry", "guest", "acquire") => guest(sept_entry::acquire_guest(w)),
        _ => panic!("unknown transition: {lock} {caller} {operation}"),
    }
}

fn number(text: &str) -> u64 {
    let digits = text.strip_prefix("0x").expect("a hexadecimal word");
    u64::from_str_radix(digits, 16).expect("a hexadecimal word")
}

/// Goes through the file on a word of the module; returns the number of transitions.
fn every_row_holds<P: Platform>(module: &Module<P>, cpu: &P::Cpu) -> usize {
    let rows = include_str!("../locks/vectors.txt");
    let rows = rows.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut checked = 0;
    for row in rows {
        let cells: Vec<_> = row.split_whitespace().collect();
        let [lock, caller, operation, before, result, after, instructions] = cells[..] else {
            panic!("7 columns expected: {row}");
        };
        // A Secure EPT entry is a word of its own; a 16-bit lock may be any quarter of one.
        let (object, half) =
            if lock == "sept_entry" { (Object::Sept, 0) } else { (Object::Pamt2m, 2) };
        let at = LockAt::new(LockType::SharexHp, object, 0, Half { word: 0, half });
        let cx = Cx::new(module, cpu, None);
        cx.store(object, 0, number(before) << (16 * half));
        let found = apply((lock, caller, operation), &cx.lock_word(at));
        assert_eq!(found, result, "{row}");
        let word = module.words(object).peek(cpu, 0) >> (16 * half);
        assert_eq!(word, number(after), "{row}");
        assert_eq!(cx.rmw().to_string(), instructions, "{row}");
        checked += 1;
    }
    checked
}

fn config() -> ModuleConfig {
    ModuleConfig::dynamic(1, 1, 1)
}

/// One CPU that goes through the file, and where it leaves the number of transitions.
fn plan<P: Platform>() -> (Plan<P>, Arc<Mutex<usize>>) {
    let checked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&checked);
    let body: Body<P> = Box::new(move |module, cpu| {
        *count.lock().expect("one thread") = every_row_holds(module, cpu);
    });
    let prepare: Body<P> = Box::new(|_, _| {});
    (Plan { config: config(), prepare, bodies: vec![body] }, checked)
}

fn all(checked: &Mutex<usize>) {
    let checked = *checked.lock().expect("one thread");
    assert!(checked > 50, "only {checked} transitions read");
}

#[test]
fn every_transition_holds_natively() {
    let (plan, checked) = plan();
    assert_eq!(on_native(plan), [""; 0]);
    all(&checked);
}

#[test]
fn every_transition_holds_on_the_simulated_machine() {
    let (plan, checked) = plan();
    assert_eq!(on_sim(plan, 1), [""; 0]);
    all(&checked);
}

#[test]
fn every_transition_holds_in_the_stepped_world() {
    let mut build = SteppedBuild::new(1, 1);
    let module = Module::<Stepped>::new(&mut build, &config(), &CostTable::default());
    let cpus = build.start();
    assert!(every_row_holds(&module.expect("valid"), &cpus[0]) > 50);
}

#[test]
fn every_transition_holds_under_loom() {
    in_loom(0, || {
        let (plan, checked) = plan::<LoomWorld>();
        assert_eq!(in_explorer(plan).0, [""; 0]);
        all(&checked);
    });
}

#[test]
fn every_transition_holds_under_shuttle() {
    shuttle::check_random(
        || {
            let (plan, checked) = plan::<Shuttle>();
            assert_eq!(in_explorer(plan).0, [""; 0]);
            all(&checked);
        },
        1,
    );
}
