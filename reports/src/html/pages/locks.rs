//! Lock contention: lock_stat's table, contention points, hand-offs.

use super::{Page, below};
use crate::columns::{HANDOFF, LOCK};
use crate::contention::{IDLE, answers};
use crate::figure::Unit;
use crate::html::block::{Block, Blocks, Section};
use crate::html::table::{Entry, RowOf, TableView};
use crate::queueing::predict;
use crate::scenario::Cell;
use crate::schema::{ContentionPoint, LockRow};

/// Locks of a cell, longest wait first.
fn by_wait<'a>(cell: &Cell<'a>) -> Vec<(&'a String, &'a LockRow)> {
    let mut locks: Vec<_> = cell.result().locks.iter().collect();
    locks.sort_by_key(|(_, lock)| std::cmp::Reverse(lock.waittime_total_ns));
    locks
}

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let mut rows = Vec::new();
    let mut handoffs = Vec::new();
    let mut points = Vec::new();
    for cell in &page.scenario.cells {
        for (name, lock) in by_wait(cell) {
            let labels = || vec![cell.strategy().to_owned(), name.clone()];
            let pointer = below(cell, "locks", name);
            if let Some(row) = &lock.handoffs {
                let pointer = format!("{pointer}/handoffs");
                handoffs.push(RowOf { labels: labels(), pointer, row, class: "" });
            }
            points.extend(contention_points(&labels(), lock));
            rows.push(RowOf { labels: labels(), pointer, row: lock, class: "" });
        }
    }
    let labels = ["strategy", "lock"];
    let columns: Vec<_> = LOCK.iter().collect();
    let caption = "The twelve columns of lock_stat under their own names, then ours. A contention is \
                   true when the holder works on the waiter's 2 MiB region, else false.";
    let table = TableView::of(page.id("lock-table"), caption.into(), &labels, &columns, &rows);
    let handoff_columns: Vec<_> = HANDOFF.iter().collect();
    let handoffs = TableView::of(
        page.id("handoffs"),
        "Hand-offs by the distance between releaser and next holder.".into(),
        &labels,
        &handoff_columns,
        &handoffs,
    );
    let points = TableView::made(
        page.id("contention-points"),
        "Contention points: where a lock was waited for, and where it was held meanwhile.".into(),
        &["strategy", "lock", "role", "point", "count"],
        points,
    );
    let mut blocks: Vec<Block> = table.map(Block::Table).into_iter().collect();
    let answers = answers(page.scenario);
    blocks.extend((!answers.is_empty()).then_some(Block::List(answers)));
    blocks.extend(idle(page));
    blocks.extend(theory(page));
    let fold = |summary: &str, table: Option<TableView>| {
        let fold = |table| Block::Fold {
            summary: summary.to_owned(),
            inner: Blocks::new(vec![Block::Table(table)]),
        };
        table.map(fold)
    };
    blocks.extend(fold("Contention points", points));
    blocks.extend(fold("Hand-off distances", handoffs));
    Section::new(page.id("locks"), "Lock contention", blocks)
}

fn contention_points(labels: &[String], lock: &LockRow) -> Vec<Vec<Entry>> {
    let row = |role: &str, point: &ContentionPoint| {
        let labels = labels.iter().cloned().map(Entry::from);
        let point = [point.name.as_str().into(), Entry::of(Unit::Count, point.count)];
        labels.chain([role.into()]).chain(point).collect()
    };
    let waiters = lock.points_waiters.iter().map(|point| row("waiter", point));
    waiters.chain(lock.points_holders.iter().map(|point| row("holder", point))).collect()
}

/// The utilisation law alone settles locks that are hardly held.
fn idle(page: &Page<'_>) -> Option<Block> {
    let mut idle = Vec::new();
    for cell in &page.scenario.cells {
        let low = |lock: &LockRow| lock.utilisation.is_some_and(|share| share < IDLE);
        let names = cell.result().locks.iter().filter(|(_, lock)| low(lock));
        idle.extend(names.map(|(name, _)| format!("{} of {}", name, cell.strategy())));
    }
    let text = format!(
        "Held less than 5 % of the time, so that no simulation was needed to know that they do not \
         queue: {}.",
        idle.join(", ")
    );
    (!idle.is_empty()).then_some(Block::Text(text))
}

/// The run's own demands put through queueing theory.
fn theory(page: &Page<'_>) -> Option<Block> {
    let rows = page.scenario.cells.iter().filter_map(|cell| {
        let prediction = predict(cell.result())?;
        Some(vec![
            Entry::from(cell.strategy()),
            Entry::of(Unit::Count, prediction.customers),
            Entry::of(Unit::Ns, prediction.think_ns),
            Entry::of(Unit::PerSecond, prediction.bound_per_second),
            prediction.bottleneck.unwrap_or_else(|| "CPUs".to_owned()).into(),
            Entry::of(Unit::PerSecond, prediction.mva_per_second),
            Entry::of(Unit::PerSecond, cell.rate()),
            Entry::of(Unit::Share, cell.rate() / prediction.mva_per_second),
        ])
    });
    let caption = "What queueing theory predicts from this run's own holds: the asymptotic bound, and \
                   mean-value analysis of a closed network of the busy CPUs and the exclusive locks. \
                   It knows no hand-off cost and no bursts; where the run does less, those are why.";
    let heads = [
        "strategy",
        "busy CPUs",
        "work outside locks",
        "bound, /s",
        "set by",
        "mean-value analysis, /s",
        "this run, /s",
        "run / analysis",
    ];
    TableView::made(page.id("theory"), caption.into(), &heads, rows.collect()).map(Block::Table)
}
