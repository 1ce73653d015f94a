//! Writes the pages that the browser tests of `web/` open: `cargo run --example report_pages -- DIR`.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::path::Path;
use std::process::ExitCode;

use pamt_reports::html::{Input, Skipped, render};
use pamt_reports::schema::Document;

/// The same result as often as it takes to have `count` runs, each with a seed of its own.
fn many(count: u64) -> Document {
    let mut document = fixture::document();
    let runs = std::mem::take(&mut document.runs);
    let seeded = runs.iter().cycle().zip(0..count).map(|(run, index)| {
        let mut run = run.clone();
        run.experiment.seed = 1 + index / runs.len() as u64;
        run
    });
    document.runs = seeded.collect();
    document
}

/// The same runs at as many sizes as it takes to have `count` runs.
fn wide(count: u64) -> Document {
    let mut document = fixture::document();
    let runs = std::mem::take(&mut document.runs);
    let sized = runs.iter().cycle().zip(0..count).map(|(run, index)| {
        let mut run = run.clone();
        run.experiment.vcpus = Some(1 + index / runs.len() as u64);
        run
    });
    document.runs = sized.collect();
    document
}

fn pages() -> Vec<(&'static str, String)> {
    let input = |document| Input { name: "r.json".into(), document };
    let skipped = Skipped { name: "notes.txt".into(), reason: "it is not a result".into() };
    let mut single = fixture::document();
    single.runs.truncate(1);
    vec![
        ("empty.html", render(&[], &[])),
        ("single.html", render(&[input(single)], &[])),
        ("typical.html", render(&[input(fixture::document())], &[skipped])),
        ("many.html", render(&[input(many(200))], &[])),
        ("wide.html", render(&[input(wide(200))], &[])),
    ]
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("report_pages: name a folder for the pages");
        return ExitCode::from(2);
    };
    let folder = Path::new(&folder);
    for (name, page) in pages() {
        let written =
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(name), page));
        if let Err(error) = written {
            eprintln!("report_pages: cannot write {name} in {}: {error}", folder.display());
            return ExitCode::from(74);
        }
    }
    ExitCode::SUCCESS
}
