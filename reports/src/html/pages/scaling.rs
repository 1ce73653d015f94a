//! Throughput against the number of vCPUs, over scenarios that differ in nothing else, with the
//! Universal Scalability Law fitted to it.

use crate::figure::{self, significant};
use crate::html::block::{Block, Section};
use crate::html::commands::commands;
use crate::html::plots::Plots;
use crate::html::table::{Entry, TableView};
use crate::plot::{Axis, Chart, Scale, Series, Unit};
use crate::scenario::Scenario;
use crate::schema::{Experiment, World};
use crate::stats::{Interval, fit_usl};

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;
/// Points of a fitted line.
const FIT_POINTS: u32 = 40;

struct Family<'a> {
    scenarios: Vec<(f64, &'a Scenario<'a>)>,
}

/// vCPUs of all TDs.
fn size(experiment: &Experiment) -> Option<f64> {
    Some((experiment.tds? * experiment.vcpus?) as f64)
}

fn key(scenario: &Scenario<'_>) -> (World, Experiment) {
    let experiment = scenario.experiment().clone();
    let strategy = String::new();
    let rest = Experiment { strategy, seed: 0, run: 0, tds: None, vcpus: None, ..experiment };
    (scenario.world(), rest)
}

fn families<'a>(scenarios: &'a [Scenario<'a>]) -> Vec<Family<'a>> {
    let mut keys = Vec::new();
    let mut families: Vec<Family<'a>> = Vec::new();
    for scenario in scenarios {
        let Some(size) = size(scenario.experiment()) else { continue };
        let key = key(scenario);
        let at = keys.iter().position(|k| *k == key).unwrap_or_else(|| {
            keys.push(key);
            families.push(Family { scenarios: Vec::new() });
            families.len() - 1
        });
        families[at].scenarios.push((size, scenario));
    }
    for family in &mut families {
        family.scenarios.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    families.retain(|family| {
        let sizes = family.scenarios.iter().map(|(size, _)| size);
        sizes.clone().min_by(|a, b| a.total_cmp(b)) != sizes.max_by(|a, b| a.total_cmp(b))
    });
    families
}

impl Family<'_> {
    /// (vCPUs, work per second) of each strategy, in order of first appearance.
    fn series(&self) -> Vec<Series> {
        let mut series: Vec<Series> = Vec::new();
        for (size, scenario) in &self.scenarios {
            for cell in scenario.cells.iter().filter(|cell| cell.rate() > 0.0) {
                let point = (*size, cell.rate());
                match series.iter_mut().find(|s| s.name == cell.strategy()) {
                    Some(s) => s.points.push(point),
                    None => series.push(Series {
                        name: cell.strategy().to_owned(),
                        points: vec![point],
                        marked: true,
                    }),
                }
            }
        }
        series
    }

    /// The commands of all its runs that are shown, a size each.
    fn commands(&self) -> Vec<String> {
        let cells = self.scenarios.iter().flat_map(|(_, scenario)| &scenario.cells);
        commands(cells.map(|cell| cell.shown().1))
    }
}

/// The page, unless no two scenarios differ in size alone.
pub(in crate::html) fn scaling(scenarios: &[Scenario<'_>], plots: &mut Plots) -> Option<Section> {
    let mut blocks = Vec::new();
    for (index, family) in families(scenarios).iter().enumerate() {
        let first = family.scenarios[0].1;
        let e = first.experiment();
        let series = family.series();
        let chart = Chart {
            title: format!("Throughput of {} on {} against vCPUs", e.workload, e.machine),
            desc: format!(
                "Points are {}, {} each; both axes start at 0.",
                first.world().name(),
                first.seeds()
            ),
            x: Axis {
                label: "vCPUs of all TDs".into(),
                scale: Scale::Linear,
                unit: Unit::In(figure::Unit::Count),
            },
            y: Axis {
                label: format!("{}/s", first.work_unit()),
                scale: Scale::Linear,
                unit: Unit::In(figure::Unit::PerSecond),
            },
            series: series.clone(),
        };
        blocks.extend(plots.figure(format!("scaling-{index}"), &chart, family.commands()));
        blocks.extend(fits(index, &series, family.commands(), plots));
    }
    Section::new("scaling".into(), "Scaling", blocks)
}

/// The law's parameters and its curves.
fn fits(index: usize, series: &[Series], commands: Vec<String>, plots: &mut Plots) -> Vec<Block> {
    let mut rows = Vec::new();
    let mut curves = Vec::new();
    for line in series {
        let Some(fit) = fit_usl(&line.points, CONFIDENCE) else { continue };
        let interval =
            |value: f64, i: Interval| format!("{value:.4} ({:.4} to {:.4})", i.low, i.high);
        let last = line.points.last().map_or(1.0, |point| point.0);
        let n = |i: u32| 1.0 + (last - 1.0) * f64::from(i) / f64::from(FIT_POINTS);
        let points = (0..=FIT_POINTS).map(|i| (n(i), fit.throughput(n(i)))).collect();
        curves.push(Series { name: line.name.clone(), points, marked: false });
        rows.push(vec![
            Entry::from(line.name.clone()),
            interval(fit.sigma, fit.sigma_interval).into(),
            interval(fit.kappa, fit.kappa_interval).into(),
            fit.peak().map_or_else(|| "none".to_owned(), significant).into(),
            Entry::of(figure::Unit::Count, line.points.len() as u64),
        ]);
    }
    let caption = "Universal Scalability Law, fitted by least squares: sigma is contention, kappa \
                   coherency, N* the vCPUs of highest throughput; 95 % intervals.";
    let heads = ["strategy", "sigma", "kappa", "N*", "points"];
    let table = TableView::made(format!("usl-{index}"), caption.into(), &heads, rows);
    let chart = Chart {
        title: "The fitted laws".into(),
        desc: "Fitted curves, not results.".into(),
        x: Axis {
            label: "vCPUs of all TDs".into(),
            scale: Scale::Linear,
            unit: Unit::In(figure::Unit::Count),
        },
        y: Axis {
            label: "work/s".into(),
            scale: Scale::Linear,
            unit: Unit::In(figure::Unit::PerSecond),
        },
        series: curves,
    };
    let figure = plots.figure(format!("scaling-fit-{index}"), &chart, commands);
    table.map(Block::Table).into_iter().chain(figure).collect()
}
