//! A ranking in words and two tables, as Markdown.

use std::fmt::Write as _;

use crate::schema::Ranking;

/// The ranking of one scenario.
#[must_use]
pub fn ranking(ranking: &Ranking) -> String {
    let mut text = format!("## {}\n\nModelled, {} by draw.\n\n", ranking.scenario, ranking.metric);
    text.push_str(
        "| strategy | median | 90 % of draws | seed spread | best in |\n|---|---|---|---|---|\n",
    );
    for row in &ranking.strategies {
        let _ = writeln!(
            text,
            "| {} | {:.6} | {:.6} to {:.6} | ±{:.2} % | {:.1} % of draws |",
            row.strategy.replace('|', "\\|"),
            row.median,
            row.interval.low,
            row.interval.high,
            row.seed_spread_percent,
            100.0 * row.wins_share
        );
    }
    let _ = writeln!(text, "\n{}\n", ranking.sentence());
    if !ranking.tornado.is_empty() {
        text.push_str(
            "| parameter | lead in its lowest third | in its highest | could flip |\n|---|---|---|---|\n",
        );
    }
    for row in &ranking.tornado {
        let _ = writeln!(
            text,
            "| {} | {:+.2} % | {:+.2} % | {} |",
            row.parameter,
            row.low_lead_percent,
            row.high_lead_percent,
            if row.flips { "yes" } else { "no" }
        );
    }
    text
}
