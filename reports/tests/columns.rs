//! The column registry and the schema say the same.

mod fixture;

use pamt_reports::columns::{self, Column};
use pamt_reports::figure::Figure;
use serde_json::Value;

fn at<'a>(row: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(row, |value, key| value.get(key))
}

fn agrees(value: &Value, figure: &Figure) -> bool {
    match figure {
        Figure::Int(n) => value.as_u64() == Some(*n),
        Figure::Real(x) => value.as_f64() == Some(*x),
        Figure::Text(text) => value.as_str() == Some(text),
    }
}

/// Each column with a path shows the number that lies there; returns the paths.
fn check<R: serde::Serialize>(columns: &'static [Column<R>], row: &R) -> Vec<&'static str> {
    let json = serde_json::to_value(row).expect("plain data");
    for column in columns {
        let figure = (column.value)(row).unwrap_or_else(|| panic!("{} is unknown", column.id));
        if let Some(path) = column.path {
            let value = at(&json, path).unwrap_or_else(|| panic!("no {path} in {json}"));
            assert!(agrees(value, &figure), "{}: {figure:?} is not {value}", column.id);
        }
    }
    columns.iter().filter_map(|column| column.path).collect()
}

/// No scalar of the row is without a column.
fn complete<R: serde::Serialize>(columns: &'static [Column<R>], row: &R) {
    let paths = check(columns, row);
    let json = serde_json::to_value(row).expect("plain data");
    let scalars = json.as_object().expect("an object").iter().filter(|(_, v)| v.is_number());
    for (key, _) in scalars {
        assert!(paths.contains(&key.as_str()), "{key} has no column");
    }
}

#[test]
fn every_scalar_of_a_row_has_a_column_that_shows_it() {
    let document = fixture::document();
    let global = document.runs.iter().find(|run| run.experiment.strategy == "global");
    let result = &global.expect("in the fixture").result;
    let object = &result.lines["pamt_lock"];
    complete(columns::OP, &result.ops["pamt_get"]);
    complete(columns::LOCK, &result.locks["pamt_lock"]);
    complete(columns::HANDOFF, result.locks["pamt_lock"].handoffs.as_ref().expect("filled"));
    complete(columns::LINE, &object.counts);
    complete(columns::FIELD, &object.top[0].fields[0]);
    complete(columns::MEMORY, &result.memory);
    complete(columns::TD, &result.tds[0]);
    check(columns::RUN, result);
    check(columns::SETTING, global.expect("in the fixture"));
}

#[test]
fn lock_stats_columns_keep_their_names_and_order() {
    let ours: Vec<_> =
        columns::LOCK.iter().filter(|c| c.group == "lock_stat").map(|c| c.header).collect();
    assert_eq!(
        ours,
        [
            "con-bounces",
            "contentions",
            "waittime-min",
            "waittime-max",
            "waittime-total",
            "waittime-avg",
            "acq-bounces",
            "acquisitions",
            "holdtime-min",
            "holdtime-max",
            "holdtime-total",
            "holdtime-avg",
        ]
    );
}

#[test]
fn ids_are_unique_within_a_registry() {
    fn unique<R>(columns: &[Column<R>]) {
        let mut ids: Vec<_> = columns.iter().map(|c| c.id).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    }
    unique(columns::SETTING);
    unique(columns::RUN);
    unique(columns::OP);
    unique(columns::LOCK);
    unique(columns::LINE);
    unique(columns::FIELD);
    unique(columns::MEMORY);
    unique(columns::TD);
    unique(columns::LOCK_BENCH);
}

/// The page of the docs that lists all columns.
fn reference_path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/columns.md")
}

#[test]
fn the_docs_list_the_columns_of_the_registry() {
    let page = format!(
        "# Columns\n\nEvery column of the tables, with its key in the result file. Made from the \
         registry in `reports/src/columns`;\n`UPDATE_DOCS=1 cargo test -p pamt-reports --test columns` \
         writes it anew.\n\n{}",
        columns::markdown_reference()
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(reference_path(), page).expect("writable checkout");
        return;
    }
    let checked_in = std::fs::read_to_string(reference_path()).unwrap_or_default();
    assert!(checked_in == page, "run this test with UPDATE_DOCS=1 and commit docs/columns.md");
}
