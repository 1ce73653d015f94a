//! The conformance suite of the module model: every script of `suites/conformance` holds.

use std::path::{Path, PathBuf};

use pamt_harness::seamcall::{self, Failure};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/conformance")
}

fn failures(path: &Path) -> Vec<String> {
    let load = |name: &str| std::fs::read_to_string(folder().join(name)).map_err(|e| e.to_string());
    let name = path.file_name().expect("a file").to_string_lossy();
    let text = std::fs::read_to_string(path).expect("a script");
    let script = match seamcall::parse(&name, &text, &load) {
        Ok(script) => script,
        Err(error) => return vec![error.to_string()],
    };
    let report = seamcall::run(&script).expect("a module");
    report.failures.iter().map(Failure::to_string).collect()
}

#[test]
fn every_script_of_the_suite_holds() {
    let entries = std::fs::read_dir(folder()).expect("the suite");
    let mut scripts: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "seam"));
    scripts.sort();
    assert!(scripts.len() > 10, "only {} scripts found", scripts.len());
    let failed: Vec<_> = scripts.iter().flat_map(|path| failures(path)).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}
