//! What plots say that they rest on.

use serde_json::Value;

use crate::findings::{Findings, holds_and_can_fail};
use crate::page::{between, elements, figures, plain};
use crate::scene::{Scene, number, text};

fn check_captions(scene: &Scene, findings: &mut Findings) {
    for figure in figures(&scene.page) {
        for inside in ["title", "desc"] {
            let text = elements(figure.svg, inside).into_iter().map(|(_, text)| text).next();
            let text = text.unwrap_or_default();
            findings.expect(figure.caption.contains(&text), || format!("{}: {text}", figure.id));
        }
        let of_an_experiment = figure.id.strip_prefix('s');
        if !of_an_experiment.is_some_and(|id| id.starts_with(|c: char| c.is_ascii_digit())) {
            continue;
        }
        let workload = scene.workload(figure.id);
        let runs = scene.runs().iter().filter(|run| run["experiment"]["workload"] == workload);
        let runs: Vec<&Value> = runs.collect();
        let e = &runs[0]["experiment"];
        let basis = format!(
            "{} runs of {} strategies, seed {}, {} on {}.",
            runs.len(),
            runs.len(),
            e["seed"],
            runs[0]["result"]["world"].as_str().expect("a world"),
            e["machine"].as_str().expect("a machine")
        );
        findings.expect(figure.caption.contains(&basis), || format!("{basis}: {}", figure.caption));
        let op = figure.id.rsplit('-').nth(1).unwrap_or_default();
        let Some((_, rest)) = figure.caption.split_once("At least ") else { continue };
        let counts = runs.iter().filter_map(|run| run["result"]["ops"].get(op));
        let least = counts.map(|row| number(&row["count"])).fold(f64::INFINITY, f64::min);
        findings.text(rest.split(' ').next().unwrap_or_default(), &least.to_string(), figure.id);
    }
}

/// The commands that a plot names.
fn commands(scene: &Scene, id: &str) -> Vec<String> {
    let at = scene.page.find(&format!("<figure class=\"plot\" id=\"{id}\""));
    let (_, figure) = scene.page.split_at(at.expect("the plot"));
    let caption = between(figure, "<figcaption>", "</figcaption>").next().expect("a caption");
    between(caption, "<code>", "</code>").map(plain).collect()
}

fn check_commands(scene: &Scene, findings: &mut Findings) {
    for figure in figures(&scene.page).filter(|figure| figure.id.starts_with('s')) {
        let command = |run: &Value| text(&run["provenance"]["command"]).to_owned();
        let own = ["heat-", "timeline-"].iter().any(|kind| figure.id.contains(kind));
        let expected = if own {
            let index = figure.id.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
            command(&scene.runs()[index.expect("a run")])
        } else {
            let workload = scene.workload(figure.id);
            let runs = scene.runs().iter().filter(|run| run["experiment"]["workload"] == workload);
            let runs: Vec<&Value> = runs.collect();
            let names: Vec<&str> =
                runs.iter().map(|run| text(&run["experiment"]["strategy"])).collect();
            let first = format!("--strategy {} ", names[0]);
            command(runs[0]).replace(&first, &format!("--strategy {} ", names.join(",")))
        };
        let named = commands(scene, figure.id);
        findings.expect(named == [expected.clone()], || format!("{named:?} is not {expected}"));
    }
}

#[test]
fn every_plot_names_the_command_that_repeats_its_runs() {
    let plants = [
        ("s1-throughput", "--seed 1</code>", "--seed 2</code>"),
        ("s0-timeline", "--strategy global", "--strategy static"),
    ];
    holds_and_can_fail(check_commands, 20, &plants);
}

#[test]
fn every_caption_counts_the_runs_and_operations_of_the_result_file() {
    let plants = [
        ("pamt_get-tail", "At least 524288", "At least 524289"),
        ("s1-throughput", "4 runs of", "5 runs of"),
    ];
    holds_and_can_fail(check_captions, 20, &plants);
}
