//! The checked-in schema of machine profiles says what the reader of profiles says.

use std::path::Path;

use pamt_harness::machine_schema::machine_schema;
use pamt_sim::machine::Profile;
use serde_json::Value;

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/machine.schema.json")
}

#[test]
fn the_checked_in_schema_is_the_one_of_the_keys() {
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path(), machine_schema()).expect("writable checkout");
        return;
    }
    let checked_in = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(checked_in == machine_schema(), "run with UPDATE_SCHEMA=1 and commit the file");
}

fn accepts(text: &str) -> bool {
    let schema: Value = serde_json::from_str(&machine_schema()).expect("JSON");
    let profile: Value = toml::from_str(text).expect("TOML");
    jsonschema::validator_for(&schema).expect("a schema").is_valid(&profile)
}

#[test]
fn every_shipped_profile_matches_it() {
    for (name, text) in Profile::builtins() {
        assert!(accepts(text), "{name}");
    }
}

#[test]
fn what_the_reader_refuses_in_one_value_the_schema_refuses_too() {
    const HEAD: &str = "[machine]\nname = 'x'\ninherit = 'spr-2s'\n";
    for fault in [
        "[core]\nclock_ghz = { v = 99, kind = 'measured', source = 's' }",
        "[core]\nclock_ghz = { v = 2, kind = 'guess', source = 's' }",
        "[core]\nclock_ghz = { v = 2, kind = 'estimate', source = 's' }",
        "[core]\nclock_ghz = { v = 2, kind = 'measured' }",
        "[core]\nclock = { v = 2, kind = 'measured', source = 's' }",
        "[topology]\nsockets = 9\nsource = 's'",
    ] {
        let text = format!("{HEAD}{fault}\n");
        assert!(Profile::parse(&text, "x.toml").is_err() && !accepts(&text), "{fault}");
    }
    assert!(accepts(HEAD));
}
