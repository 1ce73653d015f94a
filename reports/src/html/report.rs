//! The page as a whole.

use askama::Template;

use super::block::{Block, Blocks, Section};
use super::input::{Input, Skipped};
use super::pages::{self, Page};
use super::plots::Plots;
use super::script;
use crate::conclude::conclude;
use crate::scenario::{Scenario, scenarios};
use crate::schema::{Document, SCHEMA_VERSION, World};

const CSS: &str = include_str!("../../web/report.css");

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    csp: String,
    title: String,
    subtitle: String,
    css: &'static str,
    script_css: &'static str,
    script: &'static str,
    skipped: Vec<String>,
    summary: Blocks,
    scenarios: Vec<ScenarioView>,
    tail: Vec<Section>,
    footer: String,
    plots_json: String,
}

struct ScenarioView {
    id: String,
    short: String,
    title: String,
    world: &'static str,
    sentences: Vec<String>,
    sections: Vec<Section>,
}

/// The report over all `inputs`: one HTML file that needs nothing else.
#[must_use]
pub fn render(inputs: &[Input], skipped: &[Skipped]) -> String {
    let document = Document::merged(inputs.iter().map(|input| &input.document));
    let scenarios = scenarios(&document.runs);
    let mut plots = Plots::default();
    let views = scenarios.iter().enumerate().map(|(index, s)| view(index, s, &mut plots)).collect();
    let tail = [
        pages::scaling(&scenarios, &mut plots),
        pages::machines(&document),
        pages::method(),
        pages::reproduce(&document),
    ];
    let report = Report {
        csp: script::csp(),
        title: "Lock strategies for TDX Dynamic PAMT".into(),
        subtitle: subtitle(inputs, &document, &scenarios),
        css: CSS,
        script_css: script::CSS,
        script: script::SCRIPT,
        skipped: skipped.iter().map(|s| format!("{}: {}", s.name, s.reason)).collect(),
        summary: summary(&scenarios),
        scenarios: views,
        tail: tail.into_iter().flatten().collect(),
        footer: format!(
            "pamt-bench {}, result schema {SCHEMA_VERSION}. This file loads nothing.",
            env!("CARGO_PKG_VERSION")
        ),
        plots_json: plots.json(),
    };
    report.render().expect("writing to a string cannot fail")
}

fn view(index: usize, scenario: &Scenario<'_>, plots: &mut Plots) -> ScenarioView {
    let id = format!("s{index}");
    let e = scenario.experiment();
    ScenarioView {
        short: format!("{} on {}", e.workload, e.machine),
        title: scenario.title(),
        world: scenario.world().name(),
        sentences: conclude(scenario),
        sections: pages::sections(&Page { scenario, id: &id }, plots),
        id,
    }
}

fn subtitle(inputs: &[Input], document: &Document, scenarios: &[Scenario<'_>]) -> String {
    let of = |world: World| document.runs.iter().filter(|run| run.result.world == world).count();
    let worlds = [World::Modelled, World::Measured, World::Published].map(|w| (w.name(), of(w)));
    let worlds = worlds.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}"));
    let worlds: Vec<String> = worlds.collect();
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let files = match names.as_slice() {
        [] => "no file".to_owned(),
        [name] => (*name).to_owned(),
        names => format!("{} files", names.len()),
    };
    if worlds.is_empty() {
        return format!("No run, from {files}.");
    }
    let experiments = if scenarios.len() == 1 { "experiment" } else { "experiments" };
    format!("{} runs in {} {experiments}, from {files}.", worlds.join(" and "), scenarios.len())
}

/// The verdicts, then the four questions.
fn summary(scenarios: &[Scenario<'_>]) -> Blocks {
    if scenarios.is_empty() {
        return Blocks::new(vec![Block::Warn("There is no run in this report.".into())]);
    }
    let verdict = |scenario: &Scenario<'_>| {
        let e = scenario.experiment();
        let first = conclude(scenario).into_iter().next().unwrap_or_default();
        format!("{} on {} ({}): {first}", e.workload, e.machine, scenario.world().name())
    };
    let mut blocks = vec![Block::List(scenarios.iter().map(verdict).collect())];
    blocks.extend(pages::questions(scenarios));
    Blocks::new(blocks)
}
