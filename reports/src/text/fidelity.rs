//! The fidelity report: error of each curve, skill over the baselines, and where along N the errors lie.

use super::table::{Emphasis, Head, Table};
use super::terminal::{View, wrap};
use crate::fidelity::{Score, Skill, skill};
use crate::schema::{FidelityCurve, FidelityDocument, FidelityPoint};

/// A curve's errors along N, a character a point: what each stands for.
const LEGEND: &str = "each character a number of threads, ascending: `=` within 5 %, `-` and `+` \
                      within 20 %, `<` and `>` beyond (below and above the source)";

/// The report as text for a terminal.
#[must_use]
pub fn terminal(document: &FidelityDocument, view: View) -> String {
    let mut lines = vec!["error of the model against published or measured curves".to_owned()];
    let mut table = |heading: &str, table: &Table| {
        if !table.rows.is_empty() {
            lines.push(String::new());
            lines.push(Emphasis::Heading.paint(heading, view.colour));
            lines.extend(table.lines(view.width, view.colour));
        }
    };
    table("curves", &curves(document));
    table("unseen points by lock, and skill over the baselines", &by_lock(document));
    lines.push(String::new());
    lines.push(Emphasis::Heading.paint("signed error along the number of threads", view.colour));
    lines.extend(strips(document));
    lines.extend(wrap(LEGEND, view.width, "  "));
    lines.push(String::new());
    lines.extend(wrap(&total(document), view.width, "  "));
    for note in &document.notes {
        lines.extend(wrap(&format!("note: {note}"), view.width, "      "));
    }
    lines.join("\n") + "\n"
}

/// The report as GitHub's Markdown.
#[must_use]
pub fn markdown(document: &FidelityDocument) -> String {
    let mut text = format!("{}\n\n{}\n", total(document), curves(document).markdown());
    text.push_str(&by_lock(document).markdown());
    text.push_str(&format!("\n```\n{}\n```\n\n{LEGEND}\n", strips(document).join("\n")));
    for note in &document.notes {
        text.push_str(&format!("\nnote: {note}\n"));
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn signed(share: f64) -> String {
    format!("{:+.1}%", share * 100.0)
}

fn setting(curve: &FidelityCurve) -> String {
    format!("{}/{}", curve.critical_ns, curve.parallel_ns)
}

/// Whether the profile was fitted on the points.
fn seen(curve: &FidelityCurve) -> &'static str {
    match curve.points.iter().filter(|point| point.fitted).count() {
        n if n == curve.points.len() => "fitted",
        _ => "unseen",
    }
}

fn curves(document: &FidelityDocument) -> Table {
    let mut table = Table::new([
        Head::word("host"),
        Head::word("lock"),
        Head::word("crit/par"),
        Head::word("rows"),
        Head::number("points", 3),
        Head::number("signed", 0),
        Head::number("|median|", 0),
        Head::number("|p90|", 0),
        Head::number("worst", 2),
        Head::number("outside", 1),
    ]);
    for curve in &document.curves {
        let seen = seen(curve);
        let points = curve.points.iter().filter(|point| seen == "fitted" || !point.fitted);
        let Some(score) = Score::of(points) else { continue };
        table.push(
            vec![
                curve.host.clone(),
                curve.lock.clone(),
                setting(curve),
                seen.to_owned(),
                score.points.to_string(),
                signed(score.signed_median),
                percent(score.median),
                percent(score.p90),
                percent(score.worst),
                percent(score.outside),
            ],
            Emphasis::None,
        );
    }
    table
}

/// A lock that has unseen points, its score on them, and the skill over both baselines.
fn by_lock(document: &FidelityDocument) -> Table {
    let mut table = Table::new([
        Head::word("lock"),
        Head::number("points", 2),
        Head::number("|median|", 0),
        Head::number("|p90|", 0),
        Head::number("birth-death", 1),
        Head::number("skill", 0),
        Head::number("fixed point", 1),
        Head::number("skill", 0),
    ]);
    for lock in document.locks() {
        let of_lock = || document.curves.iter().filter(move |curve| curve.lock == lock);
        let unseen = of_lock().flat_map(|curve| &curve.points).filter(|point| !point.fitted);
        let Some(score) = Score::of(unseen) else { continue };
        let counts = of_lock().any(|curve| curve.counts);
        let mut cells = vec![
            if counts { lock.to_owned() } else { format!("{lock} (apart)") },
            score.points.to_string(),
            percent(score.median),
            percent(score.p90),
        ];
        let baselines: [fn(&FidelityPoint) -> Option<f64>; 2] =
            [|point| point.birth_death_ns, |point| point.fixed_point_ns];
        for baseline in baselines {
            cells.extend(shown(skill(of_lock(), baseline)));
        }
        table.push(cells, Emphasis::None);
    }
    table
}

fn shown(skill: Option<Skill>) -> [String; 2] {
    skill.map_or_else(Default::default, |skill| {
        let errors = format!("{} / {}", percent(skill.median), percent(skill.p90));
        [errors, format!("{:+.2}", skill.skill)]
    })
}

fn strips(document: &FidelityDocument) -> Vec<String> {
    let width = document.curves.iter().map(|curve| name(curve).len()).max().unwrap_or(0);
    let strip = |curve: &FidelityCurve| {
        let marks: String = curve.points.iter().map(|point| mark(point.error())).collect();
        format!("{:width$}  {marks}", name(curve))
    };
    document.curves.iter().map(strip).collect()
}

fn name(curve: &FidelityCurve) -> String {
    format!("{} {} {}", curve.host, curve.lock, setting(curve))
}

fn mark(error: f64) -> char {
    match error {
        e if e.abs() <= 0.05 => '=',
        e if e > 0.2 => '>',
        e if e < -0.2 => '<',
        e if e > 0.0 => '+',
        _ => '-',
    }
}

fn total(document: &FidelityDocument) -> String {
    match Score::of(document.unseen()) {
        None => "no unseen point counts: nothing is claimed".into(),
        Some(score) => format!(
            "unseen points that count: {}; median absolute error {}, 90 % below {}, median distance \
             outside of the measured runs {}",
            score.points,
            percent(score.median),
            percent(score.p90),
            percent(score.outside),
        ),
    }
}
