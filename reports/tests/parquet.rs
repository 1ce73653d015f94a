//! The Parquet table, read back, holds the cells of the CSV table with their types.
#![cfg(feature = "parquet")]

mod fixture;

use std::io::Write as _;

use pamt_reports::parquet::Writer;
use pamt_reports::schema::Run;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

fn written(runs: &[Run]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes).expect("memory takes all writes");
    runs.iter().for_each(|run| writer.add(run).expect("memory takes all writes"));
    writer.finish().expect("memory takes all writes");
    bytes
}

/// All rows, each as name and value of its columns.
fn read(bytes: &[u8]) -> Vec<Vec<(String, Field)>> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| {
        row.expect("a row").get_column_iter().map(|(n, f)| (n.clone(), f.clone())).collect()
    })
    .collect()
}

/// A field as CSV writes it.
fn raw(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::ULong(value) => value.to_string(),
        Field::Double(value) => value.to_string(),
        other => panic!("no column is of this type: {other:?}"),
    }
}

#[test]
fn every_cell_is_that_of_the_csv_table() {
    let document = fixture::document();
    let csv = pamt_reports::csv::render(&document);
    let rows = read(&written(&document.runs));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len() + 1, lines.len());
    let names: Vec<&str> = rows[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.join(","), lines[0]);
    for (row, line) in rows.iter().zip(&lines[1..]) {
        let cells: Vec<String> = row.iter().map(|(_, field)| raw(field)).collect();
        assert_eq!(cells.join(","), **line, "the fixture needs no quotes");
    }
}

#[test]
fn what_is_not_known_is_null_and_the_largest_seed_stays_exact() {
    let mut run = fixture::document().runs.swap_remove(0);
    run.experiment.seed = u64::MAX;
    run.experiment.tds = None;
    run.result.throughput = None;
    let row = read(&written(&[run])).swap_remove(0);
    let field = |name: &str| &row.iter().find(|(n, _)| n == name).expect("a column").1;
    assert_eq!(field("seed"), &Field::ULong(u64::MAX));
    for unknown in ["tds", "throughput_per_second", "work_unit"] {
        assert_eq!(field(unknown), &Field::Null, "{unknown}");
    }
}

#[test]
fn rows_of_many_groups_keep_their_order_and_their_bytes_repeat() {
    let run = fixture::document().runs.swap_remove(0);
    let runs: Vec<Run> = (0..40_000)
        .map(|seed| {
            let mut run = run.clone();
            run.experiment.seed = seed;
            run
        })
        .collect();
    let bytes = written(&runs);
    assert_eq!(bytes, written(&runs));
    let rows = read(&bytes);
    let seed =
        |row: &Vec<(String, Field)>| row.iter().find(|(n, _)| n == "seed").map(|f| f.1.clone());
    assert!((0..40_000).eq(rows.iter().filter_map(|row| match seed(row) {
        Some(Field::ULong(seed)) => Some(seed),
        _ => None,
    })));
}

#[test]
fn a_sweep_without_results_is_a_table_without_rows() {
    assert!(read(&written(&[])).is_empty());
}
