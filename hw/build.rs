//! Has the C compiler compare `src/abi.rs` with `kernel/include/pamt_hw.h`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

#[path = "src/abi.rs"]
#[expect(dead_code, unreachable_pub, reason = "a library module; only its tables are needed here")]
mod abi;

const HEADER: &str = "kernel/include/pamt_hw.h";

fn main() {
    println!("cargo::rerun-if-changed={HEADER}");
    println!("cargo::rerun-if-changed=src/abi.rs");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CC");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let source = out.join("layout.c");
    fs::write(&source, assertions()).expect("OUT_DIR is writable");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = Command::new(&compiler)
        .args(["-fsyntax-only", "-I", "kernel/include"])
        .arg(&source)
        .status()
        .unwrap_or_else(|e| panic!("no C compiler `{compiler}` ({e}): install gcc or set CC"));
    assert!(
        status.success(),
        "src/abi.rs and {HEADER} differ, or the kernel's user headers are \
        missing (Debian: linux-libc-dev); the compiler's message above names the field"
    );
}

/// One static assertion for each size, offset and constant.
fn assertions() -> String {
    let mut c = String::from("#include <stddef.h>\n#include \"pamt_hw.h\"\n");
    let mut claim = |condition: String| {
        writeln!(c, "_Static_assert({condition}, \"{condition}\");").expect("a String grows");
    };
    for (name, size, fields) in abi::LAYOUT {
        claim(format!("sizeof(struct {name}) == {size}"));
        for (field, offset, bytes) in *fields {
            claim(format!("offsetof(struct {name}, {field}) == {offset}"));
            claim(format!("sizeof(((struct {name} *)0)->{field}) == {bytes}"));
        }
    }
    for (name, value) in abi::CONSTANTS {
        claim(format!("{name} == {value}ULL"));
    }
    c
}
