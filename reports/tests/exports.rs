//! Each export format: a snapshot, and what makes it fit for the tool that opens it.

mod fixture;

use std::path::{Path, PathBuf};

use pamt_reports::export::{self, EXPORTERS, ExportError, Part, by_name, by_path, citation_id};
use pamt_reports::html::{Input, render};
use pamt_reports::schema::Document;

fn parts(format: &str, document: &Document) -> Vec<Part> {
    by_name(format).expect("a format").export(document).expect("not empty")
}

fn text(part: &Part) -> &str {
    std::str::from_utf8(&part.bytes).expect("text")
}

/// The made-up result with the runs of one strategy and workload only.
fn one(strategy: &str, workload: &str) -> Document {
    let mut document = fixture::document();
    document
        .runs
        .retain(|run| run.experiment.strategy == strategy && run.experiment.workload == workload);
    document
}

#[test]
fn folded_stacks() {
    insta::assert_snapshot!(text(&parts("folded", &fixture::document())[0]));
}

#[test]
fn speedscope() {
    let part = &parts("speedscope", &one("global", "teardown"))[0];
    let value: serde_json::Value = serde_json::from_str(text(part)).expect("JSON");
    insta::assert_json_snapshot!(value, { ".exporter" => "[tool and version]" });
}

#[test]
fn hdr_histogram() {
    let parts = parts("hgrm", &one("global", "teardown"));
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    insta::assert_snapshot!(format!("{names:#?}\n{}", text(&parts[1])));
}

#[test]
fn mail() {
    insta::assert_snapshot!(text(&parts("mail", &fixture::document())[0]));
}

#[test]
fn perf_c2c() {
    insta::assert_snapshot!(text(&parts("c2c", &one("global", "teardown"))[0]));
}

#[test]
fn lock_stat() {
    insta::assert_snapshot!(text(&parts("lock_stat", &one("global", "teardown"))[0]));
}

#[test]
fn every_plot_of_the_report_is_a_complete_svg_file() {
    let document = fixture::document();
    let parts = parts("svg", &document);
    let input = Input { name: "r.json".into(), document };
    let page = render(&[input], &[]);
    assert_eq!(parts.len(), page.matches("<svg ").count());
    for part in &parts {
        assert!(page.contains(&format!("data-plot=\"{}\"", part.name)), "{}", part.name);
        assert!(
            text(part).starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
            "{}",
            part.name
        );
        assert!(text(part).trim_end().ends_with("</svg>"), "{}", part.name);
        let inside = text(part).split_once('>').expect("a tag").1;
        assert!(inside.starts_with("<title>"), "{}", part.name);
    }
}

#[test]
fn a_mail_has_no_line_over_72_columns_and_no_tab() {
    let part = &parts("mail", &fixture::document())[0];
    let text = text(part);
    let widest = text.lines().max_by_key(|line| line.chars().count()).expect("lines");
    assert!(widest.chars().count() <= 72, "{widest}");
    assert!(!text.contains('\t'));
}

#[test]
fn every_result_in_a_mail_is_cited_and_every_citation_explained() {
    let document = fixture::document();
    let part = &parts("mail", &document)[0];
    let text = text(part);
    for run in &document.runs {
        assert_eq!(text.matches(&format!("[{}]", citation_id(run))).count(), 2);
    }
}

#[test]
fn a_citation_names_the_result_and_not_its_provenance() {
    let mut run = fixture::document().runs.remove(2);
    let id = citation_id(&run);
    run.provenance = None;
    assert_eq!(citation_id(&run), id);
    run.result.virtual_time_ns += 1;
    assert_ne!(citation_id(&run), id);
}

#[test]
fn folded_stacks_and_speedscope_add_up_to_the_span_total() {
    let document = one("global", "teardown");
    let total: u64 = document.runs[0].result.spans.iter().map(|span| span.self_ns).sum();
    let part = &parts("folded", &document)[0];
    let folded = text(part);
    let counts = folded.lines().filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), total);
    let part = &parts("speedscope", &document)[0];
    let value: serde_json::Value = serde_json::from_str(text(part)).expect("JSON");
    let profile = &value["profiles"][0];
    assert_eq!(profile["endValue"], total);
    let frames = value["shared"]["frames"].as_array().expect("frames").len() as u64;
    let samples = profile["samples"].as_array().expect("samples");
    assert_eq!(samples.len(), profile["weights"].as_array().expect("weights").len());
    let indices = samples.iter().flat_map(|stack| stack.as_array().expect("a stack"));
    assert!(indices.into_iter().all(|index| index.as_u64().is_some_and(|i| i < frames)));
}

#[test]
fn each_format_has_a_name_and_a_suffix_of_its_own() {
    for exporter in EXPORTERS {
        assert_eq!(by_name(exporter.name()).map(|e| e.name()), Some(exporter.name()));
        let file = format!("result{}", exporter.suffix());
        assert_eq!(by_path(Path::new(&file)).map(|e| e.name()), Some(exporter.name()));
    }
    assert!(by_path(Path::new("result.json")).is_none());
}

#[test]
fn several_parts_go_to_files_beside_the_named_one() {
    let part = |name: &str| Part::text(name.into(), String::new());
    let paths = |parts: &[Part]| export::paths(Path::new("out/r.hgrm"), ".hgrm", parts);
    assert_eq!(paths(&[part("a")]), [PathBuf::from("out/r.hgrm")]);
    let two = [PathBuf::from("out/r.a.hgrm"), PathBuf::from("out/r.b.hgrm")];
    assert_eq!(paths(&[part("a"), part("b")]), two);
}

#[test]
fn a_result_without_the_figures_of_a_format_is_refused_by_name() {
    let mut document = one("global", "teardown");
    document.runs.clear();
    document.rankings.clear();
    for exporter in EXPORTERS {
        let error = exporter.export(&document).expect_err("nothing to write");
        let ExportError::Empty { format, .. } = &error;
        assert_eq!(*format, exporter.name());
        assert!(error.to_string().contains("export a result that has some"), "{error}");
    }
}
