//! Rules that rustfmt and clippy do not know.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::Outcome;

/// More lines than this hold more than one idea.
const LINES_MAX: usize = 600;
/// Sources that may not name a registry host: only lock files do.
/// Each is put together here, so that this file passes its own check.
const HOSTS: [&str; 4] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", "."),
    concat!("deb.", "debian.org"),
];
/// Marks of unfinished work.
const UNFINISHED: [&str; 3] = [concat!("FIX", "ME"), concat!("X", "XX"), concat!("#[", "ignore")];

/// Checks all tracked text files.
pub(crate) fn run() -> Outcome {
    let files = match tracked() {
        Ok(files) => files,
        Err(error) => {
            eprintln!("tidy: {error}");
            return Outcome::Failed;
        }
    };
    let faults: Vec<String> = files.iter().flat_map(|file| faults_of(file)).collect();
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    if faults.is_empty() { Outcome::Passed } else { Outcome::Failed }
}

fn tracked() -> Result<Vec<PathBuf>, String> {
    let listing = Command::new("git").args(["ls-files", "-z"]).output();
    let listing = listing.map_err(|e| format!("git ls-files did not start: {e}"))?;
    let names = String::from_utf8_lossy(&listing.stdout).into_owned();
    Ok(names.split('\0').filter(|n| !n.is_empty()).map(PathBuf::from).collect())
}

fn faults_of(file: &Path) -> Vec<String> {
    let name = file.display();
    let is_lock =
        file.extension().is_some_and(|e| e == "lock") || file.ends_with("package-lock.json");
    let (Ok(text), false) = (std::fs::read_to_string(file), is_lock) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let is_code =
        file.extension().is_some_and(|e| ["rs", "c", "h", "ts", "py"].iter().any(|x| e == *x));
    if is_code && text.lines().count() > LINES_MAX {
        faults.push(format!("{name}: more than {LINES_MAX} lines"));
    }
    for (number, line) in text.lines().enumerate() {
        let words = HOSTS.iter().chain(if is_code { &UNFINISHED[..] } else { &[] });
        for word in words.filter(|word| line.contains(**word)) {
            faults.push(format!("{name}:{}: contains {word:?}", number + 1));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_host_in_a_source_is_a_fault() {
        let folder = std::env::temp_dir().join(format!("pamt-tidy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("temporary folder");
        let file = folder.join("a.rs");
        std::fs::write(&file, format!("// see {}\n", HOSTS[0])).expect("write");
        assert_eq!(faults_of(&file).len(), 1);
        std::fs::write(&file, "// fine\n").expect("write");
        assert!(faults_of(&file).is_empty());
        std::fs::remove_dir_all(&folder).expect("clean up");
    }
}
