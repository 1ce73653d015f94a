//! The SEAM emulator's locks make the transitions of the vector file that the simulated module's
//! locks are tested with. The emulator's own source is compiled for userspace here.

use std::path::Path;
use std::process::Command;

#[test]
fn the_emulators_sharex_hp_makes_every_transition_of_the_vector_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = tempfile::tempdir().expect("temp dir");
    let program = out.path().join("check_vectors");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let compiled = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(root.join("kernel/test/check_vectors.c"))
        .status()
        .expect("a C compiler");
    assert!(compiled.success());

    let vectors = root.join("../sim/src/tdx/locks/vectors.txt");
    let run = Command::new(&program).arg(&vectors).output().expect("runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(&vectors).expect("the vector file");
    let expected = text.lines().filter(|line| {
        let mut cells = line.split_whitespace();
        cells.next() == Some("sharex_hp") && cells.next() == Some("host")
    });
    let replayed = String::from_utf8_lossy(&run.stdout).trim().parse();
    assert_eq!(replayed, Ok(expected.count()), "every row was replayed");
}
