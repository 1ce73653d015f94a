//! A script's report as text.

use std::fmt::Write;

use pamt_sim::tdx::{LockEvent, Mode};
use pamt_strategies::module::{Regs, Status};

use super::run::{Called, Entry, Outcomes, Report, Steps};
use super::script::REGISTERS;

/// Everything that a script did, as text.
#[must_use]
pub fn print(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.entries {
        match entry {
            Entry::Called(called) => print_call(&mut text, called),
            Entry::Par(outcomes) => print_outcomes(&mut text, outcomes),
            Entry::Audited(census) => {
                let _ = writeln!(
                    text,
                    "audit: {} TDs, {} VCPUs, {} tables, {} pairs, {} pages; all invariants hold",
                    census.tds, census.vcpus, census.tables, census.pairs, census.pages
                );
            }
        }
    }
    text
}

fn print_call(text: &mut String, called: &Called) {
    let _ = writeln!(text, "cpu {}: {}{}", called.cpu, called.leaf.name(), given(&called.given));
    let _ = writeln!(text, "  status {}", status(called.regs.status()));
    let changed = REGISTERS.iter().filter(|r| (r.get)(&called.regs) != (r.get)(&called.given));
    for register in changed {
        let _ = writeln!(text, "  {:<6} {:#x}", register.name, (register.get)(&called.regs));
    }
    let _ = writeln!(text, "  rmw    {}", called.rmw);
    print_locks(text, &called.steps);
    print_lines(text, &called.steps);
    for violation in &called.violations {
        let _ = writeln!(text, "  fatal  {violation}");
    }
}

fn given(regs: &Regs) -> String {
    let set = REGISTERS.iter().filter(|register| (register.get)(regs) != 0);
    set.map(|register| format!(" {}={:#x}", register.name, (register.get)(regs))).collect()
}

/// By name and by value.
fn status(status: Status) -> String {
    format!("{status} ({:#018x})", status.0)
}

/// In the order of the code: `S` and `X` when taken, `S->X` promoted, `!` when busy.
fn print_locks(text: &mut String, steps: &Steps) {
    let taken = steps.locks.iter().filter(|(.., event)| *event != LockEvent::Released);
    for (index, (object, byte, mode, event)) in taken.enumerate() {
        let head = if index == 0 { "locks" } else { "" };
        let how = match (event, mode) {
            (LockEvent::Promoted, _) => "S->X",
            (LockEvent::Busy, Mode::Shared) => "S busy",
            (LockEvent::Busy, Mode::Exclusive) => "X busy",
            (_, Mode::Shared) => "S",
            (_, Mode::Exclusive) => "X",
        };
        let _ = writeln!(text, "  {head:<6} {} {how}", object.name_at(*byte));
    }
}

fn print_lines(text: &mut String, steps: &Steps) {
    for (index, ((object, line), (accesses, locked))) in steps.lines.iter().enumerate() {
        let head = if index == 0 { "lines" } else { "" };
        let name = object.name_at(64 * line);
        let _ = writeln!(text, "  {head:<6} {name}: {accesses} accesses, {locked} locked");
    }
}

fn print_outcomes(text: &mut String, outcomes: &Outcomes) {
    let cut = if outcomes.complete { "" } else { " (cut off: give fewer preemptions)" };
    let _ = writeln!(text, "par: {} schedules{cut}", outcomes.schedules);
    for (index, (cpu, leaf)) in outcomes.calls.iter().enumerate() {
        let _ = writeln!(text, "  [{index}] cpu {cpu}: {}", leaf.name());
    }
    for (statuses, count) in &outcomes.found {
        let names: Vec<_> = statuses.iter().map(Status::to_string).collect();
        let _ = writeln!(text, "  {count:>8}  {}", names.join(", "));
    }
    for violation in &outcomes.violations {
        let _ = writeln!(text, "  fatal     {violation}");
    }
}
