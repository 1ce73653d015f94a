//! `cargo xtask long mutants`: bugs planted in the strategies' own sources, one at a time, in a copy of
//! the tree. `pamt-bench check` must find each of them (exit code 110), and nothing without them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::Outcome;

/// Where the copy and its build stand.
const TREE: &str = "target/mutants/tree";
const BUILD: &str = "target/mutants/build";
/// What `check` exits with when it has found something.
const VIOLATION: i32 = 110;
/// Schedules of each scenario: all of these are found within a few hundred.
const SCHEDULES: &str = "1000";

/// A bug: this text becomes that one.
struct Mutant {
    what: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
    /// What `check` is asked about.
    strategy: &'static str,
    scope: &'static str,
}

const COUNTED: &str = "strategies/src/pamt/counted.rs";
const SIMPLE: &str = "strategies/src/pamt/simple.rs";
const THREE_REGION: &str = "strategies/src/pamt/three_region.rs";
const STATE_WORD: &str = "strategies/src/pamt/state_word.rs";

const MUTANTS: &[Mutant] = &[
    Mutant {
        what: "the count is not read again under the lock",
        file: COUNTED,
        find: "if self.refcounts.read(cpu, region) != 0 {",
        replace: "if false {",
        strategy: "global",
        scope: "4k",
    },
    Mutant {
        what: "the count is set before PAMT.ADD",
        file: COUNTED,
        find: "        self.on_busy.call(cpu, Op::PamtGet, region, || steps::add(cpu, env, region, pair))?;
        self.refcounts.set(cpu, region, 0, 1);",
        replace: "        self.refcounts.set(cpu, region, 0, 1);
        self.on_busy.call(cpu, Op::PamtGet, region, || steps::add(cpu, env, region, pair))?;",
        strategy: "global",
        scope: "4k",
    },
    Mutant {
        what: "a failed PAMT.REMOVE leaves the count at 0",
        file: COUNTED,
        find: "            if removed.is_err() {",
        replace: "            if false {",
        strategy: "global",
        scope: "4k",
    },
    Mutant {
        what: "the lock is released before PAMT.REMOVE",
        file: COUNTED,
        find: "            let remove = || steps::remove(cpu, env, region);
            let removed = self.on_busy.call(cpu, Op::PamtPut, region, remove);",
        replace: "            self.lock.release(cpu, held);
            let remove = || steps::remove(cpu, env, region);
            let removed = self.on_busy.call(cpu, Op::PamtPut, region, remove);
            let held = self.lock.acquire(cpu, instance, region);",
        strategy: "global",
        scope: "4k",
    },
    Mutant {
        what: "a pair that was not needed is not given back",
        file: COUNTED,
        find: "        if outcome != Ok(true) {",
        replace: "        if outcome.is_err() {",
        strategy: "global",
        scope: "4k",
    },
    Mutant {
        what: "several locks are not taken in order",
        file: THREE_REGION,
        find: "        wanted.sort_unstable();",
        replace: "",
        strategy: "three-region",
        scope: "4k",
    },
    Mutant {
        what: "the regions of the backing pages are not locked",
        file: THREE_REGION,
        find: "            if n > 0 && wanted[n] == wanted[n - 1] {",
        replace: "            if wanted[n] != region || n > 0 && wanted[n] == wanted[n - 1] {",
        strategy: "three-region",
        scope: "4k",
    },
    Mutant {
        what: "the last put leaves the pair",
        file: SIMPLE,
        find: "        if self.refcounts.read(cpu, region) != 1 {",
        replace: "        if self.refcounts.read(cpu, region) != 0 {",
        strategy: "simple",
        scope: "4k",
    },
    Mutant {
        what: "the count drops before PAMT.REMOVE, which may fail",
        file: SIMPLE,
        find: "        let pair = steps::remove(cpu, env, region)?;
        self.refcounts.set(cpu, region, 1, 0);",
        replace: "        self.refcounts.set(cpu, region, 1, 0);
        let pair = steps::remove(cpu, env, region)?;",
        strategy: "simple",
        scope: "4k",
    },
    Mutant {
        what: "a failed PAMT.ADD counts as done",
        file: STATE_WORD,
        find: "if added.is_ok() { PRESENT } else { ABSENT }",
        replace: "PRESENT",
        strategy: "parked",
        scope: "4k",
    },
    Mutant {
        what: "a failed PAMT.REMOVE counts as done",
        file: STATE_WORD,
        find: "if removed.is_ok() { ABSENT } else { PRESENT }",
        replace: "ABSENT",
        strategy: "parked:0",
        scope: "4k",
    },
    Mutant {
        what: "a region in transit is taken for one with a pair",
        file: STATE_WORD,
        find: "        while word & PRESENT == 0 {",
        replace: "        while word & (PRESENT | TRANSIT) == 0 {",
        strategy: "parked:0",
        scope: "4k",
    },
    Mutant {
        what: "a pair goes although somebody has come back for it",
        file: STATE_WORD,
        find: "        if self.enter_transit(cpu, region, PARKED).is_err() {",
        replace: "        let found = self.words.load(cpu, region.0 as usize, Ordering::Acquire);
        if self.enter_transit(cpu, region, found).is_err() {",
        strategy: "parked:0",
        scope: "4k",
    },
    Mutant {
        what: "a get that has failed stays counted",
        file: STATE_WORD,
        find: "        if got.is_err() {",
        replace: "        if false {",
        strategy: "parked",
        scope: "4k",
    },
    Mutant {
        what: "BUSY is handed on instead of done again alone",
        file: "strategies/src/pamt/busy.rs",
        find: "                if !outcome.as_ref().is_err_and(|status| status.is(StatusName::OperandBusy)) {",
        replace: "                if outcome.is_ok() || outcome.as_ref().is_err_and(|status| status.is_error()) {",
        strategy: "parked:0",
        scope: "split",
    },
];

/// Copies every tracked file that differs, so that a build of the copy goes on where it was.
fn copy_tree() -> io::Result<()> {
    let listed = Command::new("git").args(["ls-files"]).output()?;
    for name in String::from_utf8_lossy(&listed.stdout).lines() {
        let (from, to) = (PathBuf::from(name), Path::new(TREE).join(name));
        let content = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(to, content)?;
    }
    Ok(())
}

/// What `check` exits with in the copy.
fn check(strategy: &str, scope: &str) -> io::Result<Option<i32>> {
    let build = std::env::current_dir()?.join(BUILD);
    let words = ["run", "-q", "-p", "pamt-harness", "--", "check", "--strategy", strategy];
    let status = Command::new("cargo")
        .args(words)
        .args(["--scope", scope, "--schedules", SCHEDULES])
        .current_dir(TREE)
        .env("CARGO_TARGET_DIR", build)
        .stdout(Stdio::null())
        .status()?;
    Ok(status.code())
}

/// Whether the bug is found; what there is to say otherwise.
fn planted(mutant: &Mutant) -> io::Result<Result<(), String>> {
    let path = Path::new(TREE).join(mutant.file);
    let whole = fs::read_to_string(&path)?;
    if whole.matches(mutant.find).count() != 1 {
        return Ok(Err(format!("{} does not have the text once", mutant.file)));
    }
    fs::write(&path, whole.replace(mutant.find, mutant.replace))?;
    let code = check(mutant.strategy, mutant.scope);
    fs::write(&path, whole)?;
    Ok(match code? {
        Some(VIOLATION) => Ok(()),
        code => Err(format!("check --strategy {} exits with {code:?}", mutant.strategy)),
    })
}

fn all() -> io::Result<usize> {
    copy_tree()?;
    let mut wrong = 0;
    let mut asked: Vec<_> = MUTANTS.iter().map(|m| (m.strategy, m.scope)).collect();
    asked.sort_unstable();
    asked.dedup();
    for (strategy, scope) in asked {
        let code = check(strategy, scope)?;
        if code != Some(0) {
            eprintln!("mutants: {strategy} is not clean in scope {scope} as it is: {code:?}");
            wrong += 1;
        }
    }
    for mutant in MUTANTS {
        match planted(mutant)? {
            Ok(()) => println!("found   {}: {}", mutant.file, mutant.what),
            Err(why) => {
                eprintln!("MISSED  {}: {}: {why}", mutant.file, mutant.what);
                wrong += 1;
            }
        }
    }
    Ok(wrong)
}

/// Plants them all.
pub(crate) fn run() -> Outcome {
    match all() {
        Ok(0) => Outcome::Passed,
        Ok(_) => Outcome::Failed,
        Err(error) => {
            eprintln!("xtask: mutants: {error}");
            Outcome::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_planted_bug_has_its_place_in_the_sources() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for mutant in MUTANTS {
            let text = fs::read_to_string(top.join(mutant.file)).expect("a source");
            assert_eq!(text.matches(mutant.find).count(), 1, "{}: {}", mutant.file, mutant.what);
        }
    }
}
