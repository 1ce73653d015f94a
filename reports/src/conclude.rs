//! A scenario's conclusion in words: which strategy, by how much, why, and with what caveat.
//!
//! It speaks of the runs at hand and claims no ranking: that needs seeds and parameter draws, and is
//! the comparison's business.

use crate::figure::{Unit, significant, time};
use crate::scenario::{Cell, RANKING_SEEDS, Scenario};
use crate::schema::World;
use crate::text::hottest;

/// Share of the winner's throughput by which another may fall short and be called as good.
const NEARLY: f64 = 0.01;

/// At most three sentences: outcome, cause, caveat.
#[must_use]
pub fn conclude(scenario: &Scenario<'_>) -> Vec<String> {
    [outcome(scenario), cause(scenario), Some(caveat(scenario))].into_iter().flatten().collect()
}

fn rate(cell: &Cell<'_>, unit: &str) -> String {
    format!("{} {unit}/s", Unit::PerSecond.show(&cell.rate().into()))
}

/// The sound strategy that does least work.
fn loser<'s, 'a>(scenario: &'s Scenario<'a>) -> Option<&'s Cell<'a>> {
    let candidates = scenario.cells.iter().filter(|cell| cell.is_candidate());
    candidates.min_by(|a, b| a.rate().total_cmp(&b.rate()))
}

fn outcome(scenario: &Scenario<'_>) -> Option<String> {
    let unit = scenario.work_unit();
    let (Some(winner), Some(loser)) = (scenario.winner(), loser(scenario)) else {
        let cell = scenario.cells.iter().find(|cell| cell.rate() > 0.0)?;
        return Some(format!("{} does {}.", cell.strategy(), rate(cell, unit)));
    };
    let against = if winner.rate() == loser.rate() {
        ", as much as any other".to_owned()
    } else {
        let times = significant(winner.rate() / loser.rate());
        format!(", {times} times as much as {} ({})", loser.strategy(), rate(loser, unit))
    };
    let floor = scenario.floor().filter(|floor| floor.rate() > 0.0).map(|floor| {
        let share = winner.rate() / floor.rate();
        format!(" and {} of {}, the floor", Unit::Share.show(&share.into()), floor.strategy())
    });
    let (name, does) = (winner.strategy(), rate(winner, unit));
    let (beside, floor) = (beside(scenario, winner), floor.unwrap_or_default());
    let ahead = ahead(scenario, winner);
    Some(format!("{name} does most work: {does}{against}{floor}{beside}{ahead}."))
}

/// Which strategies do nearly as much: no argument is settled by less than a hundredth.
fn beside(scenario: &Scenario<'_>, winner: &Cell<'_>) -> String {
    let near = |cell: &&Cell<'_>| {
        cell.is_candidate()
            && cell.strategy() != winner.strategy()
            && cell.rate() > winner.rate() * (1.0 - NEARLY)
    };
    let names: Vec<&str> = scenario.cells.iter().filter(near).map(Cell::strategy).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; within {} of it: {}", Unit::Share.show(&NEARLY.into()), names.join(", "))
}

/// Which strategies do more and may not win: a reader who sees the bars asks at once.
fn ahead(scenario: &Scenario<'_>, winner: &Cell<'_>) -> String {
    let more =
        |cell: &&Cell<'_>| !cell.is_candidate() && !cell.is_floor() && cell.rate() > winner.rate();
    let names: Vec<&str> = scenario.cells.iter().filter(more).map(Cell::strategy).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; more, but unsound or cut short: {}", names.join(", "))
}

/// Where the slowest sound strategy loses its time.
fn cause(scenario: &Scenario<'_>) -> Option<String> {
    let cell = loser(scenario)?;
    let result = cell.result();
    let (name, lock) = result.locks.iter().max_by_key(|(_, lock)| lock.waittime_total_ns)?;
    if lock.waittime_total_ns == 0 {
        return Some(format!("No CPU of {} waited for a lock.", cell.strategy()));
    }
    let false_share = lock.false_contentions as f64
        / ((lock.true_contentions + lock.false_contentions).max(1)) as f64;
    let mut text = format!(
        "The CPUs of {} wait {} for {name}; in {} of the contentions the holder works on another region",
        cell.strategy(),
        time(lock.waittime_total_ns as f64),
        Unit::Share.show(&false_share.into()),
    );
    if let Some((line, counts)) = hottest(result).into_iter().next() {
        let hitm = Unit::Count.show(&counts.total_hitm().into());
        text.push_str(&format!("; its hottest line is {line} with {hitm} HITMs"));
    }
    text.push('.');
    Some(text)
}

fn caveat(scenario: &Scenario<'_>) -> String {
    let unsound: Vec<&str> = scenario
        .cells
        .iter()
        .filter(|cell| !cell.is_floor() && !cell.is_candidate())
        .map(Cell::strategy)
        .collect();
    let out = match unsound.as_slice() {
        [] => String::new(),
        names => format!(" Out of the running, unsound or cut short: {}.", names.join(", ")),
    };
    let world = match scenario.world() {
        World::Modelled if !scenario.claims_ranking() => format!(
            "Modelled, {}: no ranking is claimed below {RANKING_SEEDS} seeds and without parameter draws.",
            scenario.seeds()
        ),
        World::Modelled => format!("Modelled, {}: it follows from the model.", scenario.seeds()),
        World::Measured => {
            format!("Measured on one host, {} runs: see its spread.", scenario.least_runs())
        }
        World::Published => "Published by the cited source.".to_owned(),
    };
    format!("{world}{out}")
}
