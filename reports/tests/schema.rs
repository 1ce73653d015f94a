//! The form of a result file: what is checked in, what is written, what is refused.

use std::path::{Path, PathBuf};

use pamt_reports::csv;
use pamt_reports::schema::{
    Correctness, Document, Experiment, LineCounts, LineRow, LockBenchDocument, LockBenchRow,
    LockRow, ObjectRow, OpRow, Provenance, ReadError, Run, RunResult, SCHEMA_VERSION,
    fidelity_schema, json_schema, lock_bench_schema,
};
use serde_json::Value;

fn schema_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/result.schema.json")
}

fn document() -> Document {
    let counts = LineCounts { rmt_hitm: 3, rfo: Some(4), ..LineCounts::default() };
    let top = vec![LineRow { counts, line: 7, ..LineRow::default() }];
    let object = ObjectRow { counts, lines_touched: Some(1), top, transfers: None };
    let result = RunResult {
        locks: [(
            "pamt_lock".to_owned(),
            LockRow { kind: "spinlock".into(), ..LockRow::default() },
        )]
        .into(),
        lines: [("pamt_lock".to_owned(), object)].into(),
        ops: [("pamt_get".to_owned(), OpRow { count: 1, ..OpRow::default() })].into(),
        correctness: Correctness::default(),
        ..RunResult::default()
    };
    let experiment = Experiment { strategy: "global".into(), ..Experiment::default() };
    let provenance =
        Some(Provenance { time: Some("2026-01-01T00:00:00Z".into()), ..Provenance::default() });
    Document::new(vec![Run { comparability: Default::default(), experiment, provenance, result }])
}

#[test]
fn the_checked_in_schema_is_the_one_of_the_types() {
    let checked_in = std::fs::read_to_string(schema_path()).unwrap_or_default();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(schema_path(), json_schema()).expect("writable checkout");
        return;
    }
    assert!(checked_in == json_schema(), "run this test with UPDATE_SCHEMA=1 and commit the file");
}

#[test]
fn a_written_document_matches_the_schema_and_reads_back_equal() {
    let text = document().to_json();
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let schema: Value = serde_json::from_str(&json_schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!validator.is_valid(&serde_json::json!({ "schema_version": 1 })));
    assert_eq!(Document::from_json(&text, Path::new("r.json")).expect("own file"), document());
}

#[test]
fn line_columns_lie_directly_under_their_object() {
    let value: Value = serde_json::from_str(&document().to_json()).expect("JSON");
    assert_eq!(value["runs"][0]["result"]["lines"]["pamt_lock"]["rmt_hitm"], 3);
    assert_eq!(value["runs"][0]["result"]["lines"]["pamt_lock"]["top"][0]["line"], 7);
}

#[test]
fn unknown_figures_are_absent_and_not_null() {
    assert!(!document().to_json().contains("null"));
}

#[test]
fn keys_are_written_in_sorted_order() {
    fn check(value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(check),
            Value::Object(map) => {
                assert!(map.keys().is_sorted(), "{:?}", map.keys().collect::<Vec<_>>());
                map.values().for_each(check);
            }
            _ => {}
        }
    }
    check(&serde_json::from_str(&document().to_json()).expect("JSON"));
}

#[test]
fn provenance_is_all_that_separates_two_writings_of_one_result() {
    let mut later = document();
    later.runs[0].provenance =
        Some(Provenance { time: Some("2026-02-02T00:00:00Z".into()), ..Provenance::default() });
    assert_ne!(later.to_json(), document().to_json());
    assert_eq!(later.without_provenance().to_json(), document().without_provenance().to_json());
}

#[test]
fn foreign_newer_and_broken_files_are_refused_by_name_and_place() {
    let read = |text: &str| Document::from_json(text, Path::new("r.json")).expect_err("refused");
    assert!(matches!(read("{}"), ReadError::Foreign { .. }));
    assert!(read("{\"a\": 1}").to_string().contains("r.json"));
    let newer = format!("{{\"schema_version\": {}}}", SCHEMA_VERSION + 1);
    assert!(matches!(read(&newer), ReadError::Newer { .. }));
    let broken = read("{\n \"schema_version\": 1,\n \"runs\": 5}").to_string();
    assert!(broken.contains("line 3"), "{broken}");
}

fn lock_bench_document() -> LockBenchDocument {
    let row = LockBenchRow {
        acquires: 4000,
        backend: "sim".into(),
        critical_ns: 200.0,
        elapsed_ns: 1_600_000,
        fairness_jain: 0.75,
        lock: "mcs".into(),
        machine: "spr-2s".into(),
        mva_ns_per_acquire: Some(350.0),
        ns_per_acquire: 400.0,
        parallel_ns: 1000.0,
        pin: "cores-first".into(),
        seed: 1,
        threads: 4,
        transfers_per_acquire: Some(3.0),
        ..LockBenchRow::default()
    };
    LockBenchDocument::new(vec![row])
}

#[test]
fn the_checked_in_schema_of_lock_rows_is_the_one_of_the_types() {
    let path = schema_path().with_file_name("lock.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, lock_bench_schema()).expect("writable checkout");
        return;
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == lock_bench_schema(), "run with UPDATE_SCHEMA=1 and commit the file");
}

#[test]
fn written_lock_rows_match_their_schema() {
    let value: Value = serde_json::from_str(&lock_bench_document().to_json()).expect("JSON");
    let schema: Value = serde_json::from_str(&lock_bench_schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&value));
    assert!(!validator.is_valid(&serde_json::json!({ "schema_version": 1 })));
}

#[test]
fn the_csv_of_lock_rows_has_the_columns_that_scripts_rely_on() {
    let mut document = lock_bench_document();
    document.rows[0].transfers_per_acquire = None;
    assert_eq!(
        csv::lock_bench(&document),
        "lock,threads,critical_ns,parallel_ns,ns_per_acquire,fairness_jain,\
         transfers_per_acquire,machine,seed,backend\nmcs,4,200,1000,400,0.75,,spr-2s,1,sim\n"
    );
}

#[test]
fn the_checked_in_schema_of_fidelity_reports_is_the_one_of_the_types() {
    let path = schema_path().with_file_name("fidelity.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, fidelity_schema()).expect("writable checkout");
        return;
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == fidelity_schema(), "run with UPDATE_SCHEMA=1 and commit the file");
}
