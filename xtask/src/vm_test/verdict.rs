//! Whether a guest passed. Nothing passes by accident: every sign must agree.

use super::Seen;

/// QEMU's exit code after the exit device was written with 21: `21 << 1 | 1`.
const PASS: i32 = 43;
/// What a healthy kernel does not print on its console.
const COMPLAINTS: [&str; 5] = ["BUG", "WARNING", "Oops", "Kernel panic", "Call Trace"];

/// How a guest did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All steps passed; their lines.
    Passed(String),
    /// Something did not; what.
    Failed(String),
    /// The guest's init did not start, and the kernel did not complain either: this QEMU cannot run it.
    NeverBooted,
}

/// The first thing that the kernel complains of.
fn complaint(seen: &Seen) -> Option<&str> {
    seen.console.lines().find(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)))
}

/// Init says so before it does anything.
fn started(seen: &Seen) -> bool {
    seen.result.lines().any(|line| line.trim_end() == "HELLO")
}

/// Whether the kernel panicked before init began.
pub(super) fn died_booting(seen: &Seen) -> bool {
    !started(seen) && complaint(seen).is_some()
}

/// Judges a guest.
pub(super) fn of(seen: &Seen) -> Verdict {
    if let Some(line) = complaint(seen) {
        return Verdict::Failed(format!("the kernel complains: {line}"));
    }
    if !started(seen) {
        return Verdict::NeverBooted;
    }
    let lines: Vec<&str> = seen.result.lines().map(str::trim_end).collect();
    if let Some(line) = lines.iter().find(|line| line.starts_with("FAIL")) {
        return Verdict::Failed((*line).to_owned());
    }
    let passed: Vec<&str> = lines.iter().copied().filter(|l| l.starts_with("ok ")).collect();
    let steps = passed.len();
    let done = format!("DONE fail=0 passed={steps} planned={steps}");
    if steps == 0 || !lines.contains(&done.as_str()) {
        return Verdict::Failed(format!("{steps} steps passed, but no line `{done}`"));
    }
    if seen.code != Some(PASS) {
        return Verdict::Failed(format!("QEMU ended with {:?} instead of {PASS}", seen.code));
    }
    Verdict::Passed(passed.iter().map(|line| format!("  {line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(code: i32, console: &str, result: &str) -> Seen {
        Seen { code: Some(code), console: console.to_owned(), result: result.to_owned() }
    }

    const GOOD: &str =
        "HELLO\r\nok leaves 12 SEAMCALLs\r\nok log \r\nDONE fail=0 passed=2 planned=2\r\n";

    #[test]
    fn a_guest_that_says_and_shows_so_in_every_way_passed() {
        assert!(matches!(of(&seen(43, "", GOOD)), Verdict::Passed(_)));
    }

    #[test]
    fn no_single_sign_is_enough() {
        for bad in [
            seen(0, "", GOOD),
            seen(41, "", GOOD),
            seen(43, "WARNING: CPU: 1 PID: 9 at mm/page_alloc.c", GOOD),
            seen(43, "Kernel panic - not syncing", GOOD),
            seen(43, "", "HELLO\nok leaves\n"),
            seen(43, "", "HELLO\nDONE fail=0 passed=0 planned=0\n"),
            seen(43, "", "HELLO\nok leaves\nDONE fail=0 passed=1 planned=2\n"),
            seen(43, "", "HELLO\nok leaves\nFAIL unloading\nDONE fail=0 passed=1 planned=1\n"),
        ] {
            assert!(matches!(of(&bad), Verdict::Failed(_)), "{}", bad.result);
        }
    }

    #[test]
    fn a_kernel_that_died_after_init_had_begun_did_not_die_booting() {
        assert!(died_booting(&seen(0, "Oops: int3: 0000 [#1]", "")));
        assert!(!died_booting(&seen(0, "Oops: int3: 0000 [#1]", "HELLO\r\n")));
        assert!(!died_booting(&seen(124, "", "")));
    }

    #[test]
    fn a_guest_that_never_started_is_a_skip_and_a_panic_is_not() {
        assert_eq!(of(&seen(124, "", "")), Verdict::NeverBooted);
        assert!(matches!(of(&seen(0, "Kernel panic", "")), Verdict::Failed(_)));
    }
}
