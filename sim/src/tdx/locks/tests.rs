//! Every transition of `vectors.txt`, on a plain word that counts instructions.

use std::cell::Cell;

use super::sharex_hp::GuestBusy;
use super::*;

/// A word in one thread.
struct Plain {
    value: Cell<u64>,
    instructions: Cell<u32>,
}

impl Plain {
    fn update(&self, f: impl FnOnce(u64) -> u64) -> u64 {
        self.instructions.set(self.instructions.get() + 1);
        let old = self.value.get();
        self.value.set(f(old));
        old
    }

    fn update16(&self, f: impl FnOnce(u16) -> u16) -> u16 {
        self.update(|old| f(old as u16).into()) as u16
    }
}

impl Word16 for Plain {
    fn cas(&self, current: u16, new: u16) -> Result<u16, u16> {
        let old = self.update16(|old| if old == current { new } else { old });
        if old == current { Ok(old) } else { Err(old) }
    }
    fn xadd(&self, value: u16) -> u16 {
        self.update16(|old| old.wrapping_add(value))
    }
    fn or(&self, value: u16) -> u16 {
        self.update16(|old| old | value)
    }
    fn and(&self, value: u16) -> u16 {
        self.update16(|old| old & value)
    }
    fn swap(&self, value: u16) -> u16 {
        self.update16(|_| value)
    }
}

impl sept_entry::Entry for Plain {
    fn bts(&self, bit: u32) -> bool {
        self.update(|old| old | 1 << bit) >> bit & 1 == 1
    }
    fn btr(&self, bit: u32) -> bool {
        self.update(|old| old & !(1 << bit)) >> bit & 1 == 1
    }
    fn load(&self) -> u64 {
        self.value.get()
    }
}

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

fn apply(lock: &str, caller: &str, operation: &str, w: &Plain) -> &'static str {
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

#[test]
fn every_transition_of_the_vector_file_holds() {
    let rows = include_str!("vectors.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut checked = 0;
    for row in rows {
        let cells: Vec<_> = row.split_whitespace().collect();
        let [lock, caller, operation, before, result, after, instructions] = cells[..] else {
            panic!("7 columns expected: {row}");
        };
        let word = Plain { value: Cell::new(number(before)), instructions: Cell::new(0) };
        assert_eq!(apply(lock, caller, operation, &word), result, "{row}");
        assert_eq!(word.value.get(), number(after), "{row}");
        assert_eq!(word.instructions.get().to_string(), instructions, "{row}");
        checked += 1;
    }
    assert!(checked > 50, "only {checked} transitions read");
}
