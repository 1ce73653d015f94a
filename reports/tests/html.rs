//! The HTML report: self-contained, complete, and every number in it is in the result file.

mod fixture;

use pamt_reports::html::{Input, Skipped, read_all, render};
use pamt_reports::schema::{Document, SCHEMA_VERSION};
use serde_json::Value;

fn page() -> String {
    render(&[Input { name: "r.json".into(), document: fixture::document() }], &[])
}

/// Text between `open` and the next `close`, for each `open`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

#[test]
fn nothing_is_loaded() {
    let page = page();
    for forbidden in [" src=", "@import", "url(http", "<link", "<iframe", "href=\"http"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("Content-Security-Policy\" content=\"default-src &#39;none&#39;"), "CSP");
}

#[test]
fn every_number_cell_is_found_in_the_result_file_at_the_place_that_it_names() {
    let page = page();
    let json: Value = serde_json::from_str(&fixture::document().to_json()).expect("own JSON");
    let mut checked = 0;
    for table in between(&page, "<table class=\"data", "</table>") {
        let heads: Vec<&str> = between(table, "<th scope=\"col\"", ">").collect();
        for row in table.split("<tr").skip(1) {
            let Some(pointer) = attribute(row.split('>').next().expect("a tag"), "data-row") else {
                continue;
            };
            // The first column is the row's heading.
            let cells: Vec<&str> = row.split("<td").skip(1).collect();
            assert_eq!(cells.len(), heads.len() - 1, "{row}");
            let numbers = cells.iter().zip(&heads[1..]);
            for (cell, head) in numbers.filter(|(_, head)| head.contains(" class=\"n\"")) {
                assert!(!cell.starts_with(" class=w"), "{cell}");
                let path = attribute(head, "data-path");
                let (tag, shown) = cell.split_once('>').expect("a tag");
                let shown = shown.split('<').next().expect("text").trim();
                let raw = tag.split_once("data-v=").map_or(shown, |(_, raw)| raw);
                let Some(path) = path.filter(|_| !shown.is_empty()) else { continue };
                let value = json.pointer(&format!("{pointer}{path}"));
                let value = value.unwrap_or_else(|| panic!("no {pointer}{path}"));
                assert_eq!(raw.parse::<f64>().ok(), value.as_f64(), "{pointer}{path}");
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "{checked} cells");
}

#[test]
fn hostile_names_stay_text() {
    let mut document = fixture::document();
    for run in &mut document.runs {
        run.experiment.strategy = "</script><img src=x>\"'&".into();
    }
    let page = render(&[Input { name: "<b>.json".into(), document }], &[]);
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("</script>").count(), 2, "the plots and the script");
}

#[test]
fn files_left_out_are_named_with_their_reason() {
    let skipped = Skipped { name: "old.json".into(), reason: "it is not a result".into() };
    let page =
        render(&[Input { name: "r.json".into(), document: fixture::document() }], &[skipped]);
    assert!(page.contains("old.json: it is not a result"));
}

#[test]
fn ids_are_unique_and_every_link_has_its_target() {
    let page = page();
    let mut ids: Vec<&str> = between(&page, " id=\"", "\"").collect();
    ids.sort_unstable();
    let twice: Vec<_> = ids.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for target in between(&page, "href=\"#", "\"") {
        assert!(ids.contains(&target), "#{target}");
    }
}

#[test]
fn the_first_screen_answers_the_four_questions_or_says_what_to_run() {
    let page = page();
    let summary = between(&page, "<section id=\"summary\">", "<section class=\"scenario\"").next();
    let summary = summary.expect("a summary");
    for number in 1..=4 {
        assert!(summary.contains(&format!("{number}. ")), "{summary}");
    }
    assert!(
        summary.contains("<a href=\"#s0-locks\">teardown, 8 TDs x 8 vCPUs on spr-2s, modelled")
    );
}

/// A typical report shows five strategies under three workloads in less than a megabyte.
const TYPICAL_RUNS: usize = 15;

#[test]
fn an_empty_report_is_below_150_kb_and_each_run_adds_its_share_of_a_megabyte_at_most() {
    let empty = render(&[], &[]).len();
    assert!(empty < 150_000, "{empty}");
    let share = (1_000_000 - empty) / TYPICAL_RUNS;
    let (runs, size) = (fixture::document().runs.len(), page().len() - empty);
    assert!(size < runs * share, "{size} of {runs} runs, {share} each");
}

#[test]
fn every_plot_has_a_title_and_says_what_it_rests_on() {
    let page = page();
    let figures: Vec<&str> = between(&page, "<figure class=\"plot\"", "</figure>").collect();
    assert!(figures.len() > 10, "{}", figures.len());
    for figure in figures {
        let title = between(figure, "<title>", "</title>").next().expect("a title");
        let caption = between(figure, "<figcaption>", "</figcaption>").next().expect("a caption");
        assert!(!title.is_empty() && caption.len() > title.len(), "{figure}");
        for word in ["modelled", "seed", "spr-2s", "#method"] {
            assert!(caption.contains(word), "{word}: {caption}");
        }
    }
}

#[test]
fn the_licence_of_what_is_bundled_travels_with_the_page() {
    let licence = "Permission is hereby granted, free of charge";
    assert!(render(&[], &[]).contains(licence), "uPlot's notice");
}

/// A result of each older version of the schema, written by a build of its time.
fn older() -> (Vec<Input>, Vec<Skipped>) {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let versions = 1..SCHEMA_VERSION;
    let paths: Vec<_> = versions.map(|v| fixtures.join(format!("result_v{v}.json"))).collect();
    read_all(&paths)
}

#[test]
fn results_of_every_older_schema_version_still_render() {
    let (inputs, skipped) = older();
    assert!(skipped.is_empty(), "{skipped:?}");
    assert_eq!(inputs.len() as u32, SCHEMA_VERSION - 1);
    for Input { name, document } in inputs {
        assert!(document.schema_version < SCHEMA_VERSION, "{name}");
        let runs = document.runs.len();
        let page = render(&[Input { name: name.clone(), document }], &[]);
        assert_eq!(between(&page, "<td>pamt-bench --", "<").count(), runs, "{name}");
        assert!(page.contains("Lock contention") && page.contains("Cache bouncing"), "{name}");
    }
}

#[test]
fn a_result_of_an_older_version_stands_beside_one_of_this_version() {
    let (mut inputs, _) = older();
    inputs.push(Input { name: "r.json".into(), document: fixture::document() });
    let runs: usize = inputs.iter().map(|input| input.document.runs.len()).sum();
    let merged = Document::merged(inputs.iter().map(|input| &input.document));
    assert_eq!((merged.runs.len(), merged.schema_version), (runs, SCHEMA_VERSION));
    assert!(render(&inputs, &[]).contains(&format!("from {} files", inputs.len())));
}

#[test]
fn what_a_reader_must_know_stands_on_the_page() {
    let mut document = fixture::document();
    document.runs[0].result.notes = vec!["made of glass".into()];
    let page = render(&[Input { name: "r.json".into(), document }], &[]);
    assert!(page.contains("Note: made of glass"));
}
