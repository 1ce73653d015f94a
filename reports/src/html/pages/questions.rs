//! The four questions of the review of the second Dynamic PAMT series (R. Edgecombe to K. Shutemov,
//! 8 August 2025, on "[PATCHv2 00/12] TDX: Enable Dynamic PAMT"), answered from the runs at hand.

use crate::contention::{pair_locks, wait_within};
use crate::figure::{Unit, significant, time};
use crate::html::block::Block;
use crate::html::table::TableView;
use crate::scenario::{Cell, Scenario};
use crate::schema::RunResult;

/// Lines of the locks that guard the page pairs.
const LOCK: &str = "pamt_lock";

struct Question {
    text: &'static str,
    head: &'static str,
    /// The number, where the run can tell.
    answer: fn(&RunResult) -> Option<String>,
    /// What to run when no run can tell.
    remedy: &'static str,
}

const QUESTIONS: [Question; 4] = [
    Question {
        text: "How often is the lock taken per 4 KiB page?",
        head: "1. calls per lock taken",
        answer: |r| {
            let calls = count(r, "pamt_get") + count(r, "pamt_put");
            let taken: u64 = pair_locks(r).map(|lock| lock.acquisitions).sum();
            (calls > 0 && taken > 0).then(|| significant(calls as f64 / taken as f64))
        },
        remedy: "run --workload boot or fault-storm",
    },
    Question {
        text: "How far does its cache line bounce, and what does that cost?",
        head: "2. HITMs (remote), cost",
        answer: |r| {
            let objects = r.lines.iter().filter(|(name, _)| name.starts_with(LOCK));
            let counts: Vec<_> = objects.map(|(_, object)| object.counts).collect();
            let hitm: u64 = counts.iter().map(|c| c.total_hitm()).sum();
            let remote: u64 = counts.iter().map(|c| c.rmt_hitm).sum();
            let cost: Option<u64> =
                counts.iter().map(|c| Some(c.transfer_ns? + c.wait_ns.unwrap_or(0))).sum();
            let share = Unit::Share.show(&(remote as f64 / hitm.max(1) as f64).into());
            let hitm = Unit::Count.show(&hitm.into());
            let cost = cost.map(|ns| format!(", {}", time(ns as f64))).unwrap_or_default();
            (!counts.is_empty()).then(|| format!("{hitm} ({share}){cost}"))
        },
        remedy: "run in the simulator, which records every line",
    },
    Question {
        text: "What does the fault path under the shared mmu_lock pay for it?",
        head: "3. wait in a fault",
        answer: |r| {
            let fault = r.ops.get("fault").filter(|op| op.count > 0)?;
            let wait = wait_within(r, Some("fault")) as f64 / fault.count as f64;
            let mean = fault.total_ns as f64 / fault.count as f64;
            let share = Unit::Share.show(&(wait / mean.max(1.0)).into());
            Some(format!("{} ({share})", time(wait.round())))
        },
        remedy: "run --workload fault-storm or boot",
    },
    Question {
        text: "What do TDs that shut down together pay?",
        head: "4. wait in teardown",
        answer: |r| {
            let teardown = r.ops.get("td_teardown").filter(|op| op.count > 1)?;
            let wait = wait_within(r, Some("td_teardown")) as f64;
            let share = Unit::Share.show(&(wait / teardown.total_ns.max(1) as f64).into());
            Some(format!("{} ({share})", time(wait)))
        },
        remedy: "run --workload teardown with at least two TDs",
    },
];

fn count(result: &RunResult, op: &str) -> u64 {
    result.ops.get(op).map_or(0, |row| row.count)
}

/// A table of all strategies and scenarios that answer at least one of the questions.
pub(in crate::html) fn questions(scenarios: &[Scenario<'_>]) -> Vec<Block> {
    let mut rows = Vec::new();
    let mut answered = [false; QUESTIONS.len()];
    for scenario in scenarios {
        for cell in scenario.cells.iter().filter(|cell| !cell.is_floor()) {
            let answers = QUESTIONS.map(|q| (q.answer)(cell.result()));
            for (seen, answer) in answered.iter_mut().zip(&answers) {
                *seen |= answer.is_some();
            }
            if answers.iter().any(Option::is_some) {
                rows.push(row(scenario, cell, answers));
            }
        }
    }
    let mut heads = vec!["strategy", "workload", "evidence"];
    heads.extend(QUESTIONS.iter().map(|q| q.head));
    let caption = "The four questions of the review of 8 August 2025, answered by each run. \
                   1. How often is the lock taken per 4 KiB page? Here: gets and puts for each time that \
                   it is taken. 2. How far does its cache line bounce, and what does that cost? Here: \
                   HITMs of its lines, the share from another node, and the time that moving and \
                   queueing took all CPUs. 3. What does the fault path under the shared mmu_lock pay \
                   for it? Here: the wait in a mean fault, and its share of the fault. 4. What do TDs \
                   that shut down together pay? Here: the wait of all CPUs, and its share of the \
                   teardown time of all TDs.";
    let table = TableView::words("questions".into(), caption.into(), &heads, rows);
    let open = QUESTIONS.iter().zip(answered).filter(|(_, seen)| !seen);
    let open: Vec<String> = open.map(|(q, _)| format!("{}: {}", q.text, q.remedy)).collect();
    let mut blocks: Vec<Block> = table.map(Block::Table).into_iter().collect();
    if !open.is_empty() && !scenarios.is_empty() {
        blocks.push(Block::Text("Not answered by these runs:".into()));
        blocks.push(Block::List(open));
    }
    blocks
}

fn row(
    scenario: &Scenario<'_>,
    cell: &Cell<'_>,
    answers: [Option<String>; QUESTIONS.len()],
) -> Vec<String> {
    let e = scenario.experiment();
    let size = match (e.tds, e.vcpus) {
        (Some(tds), Some(vcpus)) => format!(", {tds} x {vcpus}"),
        _ => String::new(),
    };
    let workload = format!("{}{size} on {}", e.workload, e.machine);
    let evidence = format!("{}, {}", scenario.world().name(), scenario.seeds());
    let words = [cell.strategy().to_owned(), workload, evidence];
    words.into_iter().chain(answers.into_iter().map(Option::unwrap_or_default)).collect()
}
