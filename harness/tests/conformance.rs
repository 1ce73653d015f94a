//! The conformance suite of the module model: every script of `suites/conformance` holds, and together
//! they state each status of each leaf's sheet, and nothing that a sheet does not know.

use std::path::{Path, PathBuf};

use pamt_harness::seamcall::{self, Failure, Script, ScriptError, Stated};
use pamt_sim::tdx::{LeafSheet, leaf_sheet};
use pamt_strategies::module::{Leaf, Operand, StatusName};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/conformance")
}

fn scripts() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the suite");
    let mut scripts: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "seam"));
    scripts.sort();
    scripts
}

fn parsed(path: &Path) -> Result<Script, ScriptError> {
    let load = |name: &str| std::fs::read_to_string(folder().join(name)).map_err(|e| e.to_string());
    let name = path.file_name().expect("a file").to_string_lossy();
    let text = std::fs::read_to_string(path).expect("a script");
    seamcall::parse(&name, &text, &load)
}

fn failures(path: &Path) -> Vec<String> {
    match parsed(path) {
        Ok(script) => {
            let report = seamcall::run(&script).expect("a module");
            report.failures.iter().map(Failure::to_string).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn every_script_of_the_suite_holds() {
    let scripts = scripts();
    assert!(scripts.len() > 10, "only {} scripts found", scripts.len());
    let failed: Vec<_> = scripts.iter().flat_map(|path| failures(path)).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// A status that a leaf must be seen to return, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Duty {
    name: StatusName,
    /// The operand, where the status names one.
    operand: Option<Operand>,
}

impl Duty {
    fn meets(self, stated: &Stated) -> bool {
        self.name == stated.name && (self.operand.is_none() || self.operand == stated.details)
    }
}

impl std::fmt::Display for Duty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.name())?;
        self.operand.map_or(Ok(()), |operand| write!(f, "|{operand}"))
    }
}

/// What every leaf can return.
fn common() -> [Duty; 3] {
    let duty = |name, operand| Duty { name, operand };
    [
        duty(StatusName::OperandInvalid, Some(Operand::RAX)),
        duty(StatusName::SysNotReady, None),
        duty(StatusName::SysShutdown, None),
    ]
}

/// All that a sheet names besides SUCCESS.
fn duties(sheet: &LeafSheet) -> Vec<Duty> {
    let busy = sheet.locks.iter().map(|lock| (StatusName::OperandBusy, Some(lock.busy)));
    let others = sheet.statuses.iter().flat_map(|(name, operands)| {
        let named = operands.iter().map(|operand| (*name, Some(*operand)));
        named.chain(operands.is_empty().then_some((*name, None)))
    });
    let mut duties: Vec<_> =
        busy.chain(others).map(|(name, operand)| Duty { name, operand }).collect();
    duties.extend(common());
    duties
}

fn stated() -> Vec<Stated> {
    let of = |path: &PathBuf| parsed(path).expect("a script").stated();
    scripts().iter().flat_map(of).collect()
}

#[test]
fn every_status_and_every_busy_operand_of_every_leaf_is_in_a_script() {
    let stated = stated();
    let mut missing = Vec::new();
    for leaf in Leaf::ALL {
        let of_leaf: Vec<_> = stated.iter().filter(|stated| stated.leaf == *leaf).collect();
        for duty in duties(leaf_sheet(*leaf)) {
            if !of_leaf.iter().any(|stated| duty.meets(stated)) {
                missing.push(format!("{leaf}: {duty}"));
            }
        }
    }
    assert!(missing.is_empty(), "{} not covered:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn scripts_state_no_status_that_a_sheet_does_not_know() {
    let guest_exits = |stated: &Stated| {
        // RAX of a TDCALL that ends in a TD exit is the exit reason.
        stated.leaf == Leaf::TdgMemPageAccept && stated.name == StatusName::Success
    };
    let unknown: Vec<_> = stated()
        .into_iter()
        .filter(|stated| stated.name != StatusName::Success && !guest_exits(stated))
        .filter(|stated| !duties(leaf_sheet(stated.leaf)).iter().any(|duty| duty.meets(stated)))
        .map(|stated| format!("{}: {} {:?}", stated.leaf, stated.name.name(), stated.details))
        .collect();
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

#[test]
fn every_leaf_succeeds_in_a_script_that_counts_its_locked_instructions() {
    let stated = stated();
    for leaf in Leaf::ALL {
        let (least, most) = leaf_sheet(*leaf).rmw;
        let counts: Vec<_> = stated
            .iter()
            .filter(|s| s.leaf == *leaf && s.name == StatusName::Success)
            .filter_map(|s| s.rmw)
            .collect();
        // The least is always reached; the most of CACHE.WB would take 2047 key ids.
        assert!(counts.contains(&least), "{leaf}: no SUCCESS with rmw={least}, only {counts:?}");
        let reached = counts.contains(&most) || *leaf == Leaf::PhymemCacheWb;
        assert!(reached, "{leaf}: no SUCCESS with rmw={most}, only {counts:?}");
    }
}
