//! What uncertain values leave of the rankings: intervals over the draws, and a tornado.

use crate::figure::{Unit, significant};
use crate::html::block::{Block, Section};
use crate::html::table::{Entry, TableView};
use crate::plot::{Range, Ranges};
use crate::schema::{Document, Ranking, StrategyRow};

/// Parameters shown in a tornado.
const PARAMETERS: usize = 12;

/// The page, where a sweep has drawn.
pub(in crate::html) fn rankings(document: &Document) -> Option<Section> {
    let rankings = document.rankings.iter().enumerate();
    let blocks = rankings.flat_map(|(index, ranking)| one(index, ranking)).collect();
    Section::new("rankings".into(), "Rankings under uncertainty", blocks)
}

/// Unit of a metric, from its name.
fn unit(metric: &str) -> Unit {
    match metric {
        _ if metric.ends_with("_ns") => Unit::Ns,
        _ if metric.ends_with("per_second") => Unit::PerSecond,
        _ => Unit::Plain,
    }
}

fn one(index: usize, ranking: &Ranking) -> Vec<Block> {
    let Ranking { scenario, metric, draws, seeds, .. } = ranking;
    let basis = format!("{scenario}, modelled, {draws} draws of {seeds} seeds.");
    let mut blocks = vec![Block::Text(format!("{scenario}, by {metric}. {}", ranking.sentence()))];
    blocks.extend(intervals(index, ranking, &basis));
    blocks.extend(tornado(index, ranking, &basis));
    blocks
}

fn intervals(index: usize, ranking: &Ranking, basis: &str) -> Vec<Block> {
    let unit = unit(&ranking.metric);
    let show = |value: f64| unit.show(&value.into());
    let range = |row: &StrategyRow| Range {
        name: row.strategy.clone(),
        low: row.interval.low,
        high: row.interval.high,
        mark: Some(row.median),
        stands_out: false,
        shown: format!(
            "{} ({} to {})",
            show(row.median),
            show(row.interval.low),
            show(row.interval.high)
        ),
    };
    let plot = Ranges {
        title: format!("90 % intervals of {}", ranking.metric),
        desc: format!(
            "A bar is 90 % of the draws, its mark the median; the axis starts at 0. {basis}"
        ),
        ranges: ranking.strategies.iter().map(range).collect(),
    };
    let row = |row: &StrategyRow| {
        vec![
            Entry::from(row.strategy.as_str()),
            Entry::of(unit, row.median),
            Entry::of(unit, row.interval.low),
            Entry::of(unit, row.interval.high),
            Entry::of(Unit::Share, row.seed_spread_percent / 100.0),
            Entry::of(Unit::Share, row.wins_share),
        ]
    };
    let table = TableView::made(
        format!("ranking-{index}"),
        format!("Each strategy over the draws of the machine's uncertain values. {basis}"),
        &["strategy", "median", "5 %", "95 %", "spread over seeds", "best in"],
        ranking.strategies.iter().map(row).collect(),
    );
    figure(format!("intervals-{index}"), &plot).into_iter().chain(table.map(Block::Table)).collect()
}

fn figure(id: String, plot: &Ranges) -> Option<Block> {
    let caption = format!("{}. {}", plot.title, plot.desc);
    Some(Block::Figure { id, svg: plot.svg()?, caption, commands: Vec::new() })
}

fn tornado(index: usize, ranking: &Ranking, basis: &str) -> Option<Block> {
    let [best, second, ..] = ranking.strategies.as_slice() else { return None };
    let percent = |value: f64| format!("{}%", significant(value));
    let ranges = ranking.tornado.iter().take(PARAMETERS).map(|row| Range {
        name: row.parameter.clone(),
        low: row.low_lead_percent,
        high: row.high_lead_percent,
        mark: None,
        stands_out: row.flips,
        shown: format!("{} to {}", percent(row.low_lead_percent), percent(row.high_lead_percent)),
    });
    let plot = Ranges {
        title: format!("What could turn {} against {}", best.strategy, second.strategy),
        desc: format!(
            "The lead of {} over {}, from the draws in the lowest third of a parameter's range to those in \
             the highest; dashed ones cross 0 and could flip the ranking. {basis}",
            best.strategy, second.strategy
        ),
        ranges: ranges.collect(),
    };
    figure(format!("tornado-{index}"), &plot)
}
