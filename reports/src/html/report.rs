//! The page as a whole.

use askama::Template;

use super::block::{Block, Blocks, Section};
use super::input::{Input, Skipped};
use super::pages::{self, Detail, Page};
use super::plots::Plots;
use super::script;
use crate::conclude::conclude;
use crate::scenario::{Scenario, undrawn};
use crate::schema::{Document, Experiment, SCHEMA_VERSION, World};

/// Most experiments that a report shows in full.
const FULL: usize = 8;

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
    /// So many experiments that their links are folded away.
    many: bool,
    tail: Vec<Section>,
    footer: String,
    plots_json: String,
}

struct ScenarioView {
    id: String,
    short: String,
    /// All sizes and parameters.
    setting: String,
    world: &'static str,
    sentences: Vec<String>,
    sections: Vec<Section>,
}

/// The report over all `inputs`: one HTML file that needs nothing else.
#[must_use]
pub fn render(inputs: &[Input], skipped: &[Skipped]) -> String {
    let document = Document::merged(inputs.iter().map(|input| &input.document));
    let scenarios = undrawn(&document);
    let mut plots = Plots::default();
    let detail = if scenarios.len() > FULL { Detail::Brief } else { Detail::Full };
    let views =
        scenarios.iter().enumerate().map(|(index, s)| view(index, s, detail, &mut plots)).collect();
    let tail = [
        pages::scaling(&scenarios, &mut plots),
        pages::what_if(&scenarios),
        pages::rankings(&document),
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
        many: scenarios.len() > FULL,
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

fn view(index: usize, scenario: &Scenario<'_>, detail: Detail, plots: &mut Plots) -> ScenarioView {
    let id = format!("s{index}");
    let e = scenario.experiment();
    let notes = scenario.notes().into_iter().map(|note| format!("Note: {note}"));
    ScenarioView {
        short: short(e),
        setting: scenario.title(),
        world: scenario.world().name(),
        sentences: conclude(scenario).into_iter().chain(notes).collect(),
        sections: pages::sections(&Page { scenario, id: &id }, detail, plots),
        id,
    }
}

/// Workload, size and machine: what tells most experiments of a report apart.
fn short(e: &Experiment) -> String {
    let size = match (e.tds, e.vcpus) {
        (Some(tds), Some(vcpus)) => format!(", {tds} x {vcpus} vCPUs"),
        _ => String::new(),
    };
    format!("{}{size} on {}", e.workload, e.machine)
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
    let shown: usize = scenarios.iter().flat_map(|s| &s.cells).map(|cell| cell.runs.len()).sum();
    let draws = match document.runs.len() - shown {
        0 => String::new(),
        n => format!(" {n} of them are draws, shown as rankings."),
    };
    let (runs, count) = (worlds.join(" and "), scenarios.len());
    format!("{runs} runs in {count} {experiments}, from {files}.{draws}")
}

/// The verdicts, then the four questions.
fn summary(scenarios: &[Scenario<'_>]) -> Blocks {
    if scenarios.is_empty() {
        return Blocks::new(vec![Block::Warn("There is no run in this report.".into())]);
    }
    let verdict = |scenario: &Scenario<'_>| {
        let first = conclude(scenario).into_iter().next().unwrap_or_default();
        format!("{} ({}): {first}", short(scenario.experiment()), scenario.world().name())
    };
    let verdicts = Block::List(scenarios.iter().map(verdict).collect());
    let mut questions = pages::questions(scenarios);
    let claims = |scenario: &Scenario<'_>| scenario.claims_ranking();
    if !scenarios.iter().all(claims) {
        questions.push(Block::Text(
            "What was run with few seeds is an example: a ranking needs 30 seeds, and draws over the \
             uncertain values of the machine."
                .into(),
        ));
    }
    if scenarios.len() <= FULL {
        return Blocks::new(std::iter::once(verdicts).chain(questions).collect());
    }
    // The first screen belongs to the answers; of so many experiments each has less of its own.
    let text = format!(
        "{} experiments, each with its strategies, causes, locks and correctness; a report over at most \
         {FULL} of them shows latencies, time, cache lines and memory, too.",
        scenarios.len()
    );
    let all = Block::Fold {
        summary: "Which strategy does most work in each experiment".into(),
        inner: Blocks::new(vec![verdicts]),
    };
    Blocks::new(questions.into_iter().chain([Block::Text(text), all]).collect())
}
