//! The four questions of the review of the second Dynamic PAMT series (R. Edgecombe to K. Shutemov,
//! 8 August 2025, on "[PATCHv2 00/12] TDX: Enable Dynamic PAMT"), answered from the runs at hand.
//!
//! A question is answered on the first screen from one experiment, the one that answers it for most
//! strategies; what the other experiments say is folded away below.

use crate::contention::{pair_locks, wait_within};
use crate::figure::{Unit, significant, time};
use crate::html::block::{Block, Blocks};
use crate::html::table::{Entry, TableView};
use crate::scenario::{Cell, Scenario};
use crate::schema::{LineCounts, RunResult};

struct Question {
    text: &'static str,
    /// What the number is.
    number: &'static str,
    /// The number, where the run can tell.
    answer: fn(&RunResult) -> Option<String>,
    /// The page of the scenario that has the evidence.
    evidence: &'static str,
    /// What to run when no run can tell.
    remedy: &'static str,
}

const QUESTIONS: [Question; 4] = [
    Question {
        text: "1. How often is the lock taken per 4 KiB page?",
        number: "times for 1000 gets and puts",
        answer: taken,
        evidence: "locks",
        remedy: "run --workload boot or fault-storm",
    },
    Question {
        text: "2. Who bounces its line, and what does that cost?",
        number: "HITMs of its lines, share from another node, time of all CPUs for moving and queueing; who \
                 waits most",
        answer: bounces,
        evidence: "lines",
        remedy: "run in the simulator, which records every line",
    },
    Question {
        text: "3. What does the fault path under the shared mmu_lock pay for it?",
        number: "wait in a mean fault",
        answer: |r| {
            let fault = r.ops.get("fault").filter(|op| op.count > 0)?;
            let wait = wait_within(r, Some("fault")) as f64 / fault.count as f64;
            let mean = fault.total_ns as f64 / fault.count as f64;
            Some(format!("{} of {}, {}", time(wait.round()), time(mean.round()), share(wait, mean)))
        },
        evidence: "time",
        remedy: "run --workload fault-storm or boot",
    },
    Question {
        text: "4. What do two TDs and more that shut down together pay?",
        number: "wait of all CPUs, share of the teardown time of all TDs",
        answer: |r| {
            let teardown = r.ops.get("td_teardown").filter(|op| op.count > 1)?;
            let wait = wait_within(r, Some("td_teardown")) as f64;
            Some(format!("{}, {}", time(wait), share(wait, teardown.total_ns as f64)))
        },
        evidence: "time",
        remedy: "run --workload teardown with at least two TDs",
    },
];

fn share(part: f64, whole: f64) -> String {
    Unit::Share.show(&(part / whole.max(1.0)).into())
}

fn count(result: &RunResult, op: &str) -> u64 {
    result.ops.get(op).map_or(0, |row| row.count)
}

fn taken(result: &RunResult) -> Option<String> {
    let calls = count(result, "pamt_get") + count(result, "pamt_put");
    let taken: u64 = pair_locks(result).map(|(_, lock)| lock.acquisitions).sum();
    let known = calls > 0 && pair_locks(result).next().is_some();
    known.then(|| significant(1000.0 * taken as f64 / calls as f64))
}

/// Lines of the locks. A lock that is a bit of a refcount has no line of its own.
fn lock_lines(result: &RunResult) -> Vec<(&str, LineCounts)> {
    let of = |name: &str| {
        result.lines.get_key_value(name).map(|(name, object)| (name.as_str(), object.counts))
    };
    let own: Vec<_> = pair_locks(result).filter_map(|(name, _)| of(name)).collect();
    if own.is_empty() && pair_locks(result).next().is_some() {
        return of("pamt_refcounts").into_iter().collect();
    }
    own
}

fn bounces(result: &RunResult) -> Option<String> {
    let lines = lock_lines(result);
    let sum = |pick: fn(&LineCounts) -> u64| lines.iter().map(|(_, c)| pick(c)).sum::<u64>();
    let hitm = sum(LineCounts::total_hitm);
    let cost: Option<u64> =
        lines.iter().map(|(_, c)| Some(c.transfer_ns? + c.wait_ns.unwrap_or(0))).sum();
    let mut text = format!("{}, {} remote", Unit::Count.show(&hitm.into()), {
        share(sum(|c| c.rmt_hitm) as f64, hitm as f64)
    });
    text.extend(cost.map(|ns| format!(", {}", time(ns as f64))));
    let points = pair_locks(result).flat_map(|(_, lock)| &lock.points_waiters);
    text.extend(points.max_by_key(|point| point.count).map(|point| format!("; {}", point.name)));
    let (name, _) = lines.first()?;
    if *name == "pamt_refcounts" {
        text.push_str(" (with the refcounts)");
    }
    Some(text)
}

/// An experiment's answers to one question, by strategy.
struct Row<'s, 'a> {
    scenario: &'s Scenario<'a>,
    /// Index of the scenario in the page.
    index: usize,
    answers: Vec<(&'a str, String)>,
}

/// The answers to a question, a row an experiment; the one with most answers comes first.
fn rows<'s, 'a>(question: &Question, scenarios: &'s [Scenario<'a>]) -> Vec<Row<'s, 'a>> {
    let row = |(index, scenario): (usize, &'s Scenario<'a>)| {
        let answer = |cell: &Cell<'a>| Some((cell.strategy(), (question.answer)(cell.result())?));
        let cells = scenario.cells.iter().filter(|cell| !cell.is_floor());
        Row { scenario, index, answers: cells.filter_map(answer).collect() }
    };
    let mut rows: Vec<_> = scenarios.iter().enumerate().map(row).collect();
    rows.retain(|row| !row.answers.is_empty());
    rows.sort_by_key(|row| std::cmp::Reverse(row.answers.len()));
    rows
}

/// The answers, first screen first.
pub(in crate::html) fn questions(scenarios: &[Scenario<'_>]) -> Vec<Block> {
    let answers: Vec<_> = QUESTIONS.iter().map(|q| (q, rows(q, scenarios))).collect();
    let first = answers.iter().filter_map(|(q, rows)| Some((*q, rows.first()?)));
    let caption = "The four questions of the review of 8 August 2025, each with its number for every \
                   strategy and a link to the evidence.";
    let mut blocks: Vec<Block> = table("questions", caption, first).into_iter().collect();
    let more = answers.iter().flat_map(|(q, rows)| rows.iter().skip(1).map(move |row| (*q, row)));
    let caption = "The same questions, answered by the other experiments.";
    blocks.extend(table("questions-more", caption, more).map(|table| Block::Fold {
        summary: "The four questions in the other experiments".into(),
        inner: Blocks::new(vec![table]),
    }));
    let open = answers.iter().filter(|(_, rows)| rows.is_empty());
    let open: Vec<String> = open.map(|(q, _)| format!("{} {}.", q.text, q.remedy)).collect();
    if !open.is_empty() {
        blocks.push(Block::Text("Not answered by these runs:".into()));
        blocks.push(Block::List(open));
    }
    blocks
}

/// A row a question and experiment, a column a strategy.
fn table<'q, 's: 'q, 'a: 's>(
    id: &str,
    caption: &str,
    rows: impl Iterator<Item = (&'q Question, &'q Row<'s, 'a>)>,
) -> Option<Block> {
    let rows: Vec<_> = rows.collect();
    let mut strategies: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|(_, row)| &row.answers) {
        if !strategies.contains(name) {
            strategies.push(name);
        }
    }
    let entries = rows.iter().map(|(question, row)| {
        let mut entries = vec![
            Entry::Word(format!("{} Here: {}.", question.text, question.number)),
            Entry::Link {
                to: format!("s{}-{}", row.index, question.evidence),
                text: experiment(row.scenario),
            },
        ];
        entries.extend(strategies.iter().map(|strategy| {
            let found = row.answers.iter().find(|(name, _)| name == strategy);
            Entry::Word(found.map(|(_, answer)| answer.clone()).unwrap_or_default())
        }));
        entries
    });
    let heads: Vec<&str> =
        ["question", "experiment"].into_iter().chain(strategies.clone()).collect();
    let table = TableView::made(id.into(), caption.into(), &heads, entries.collect())?;
    Some(Block::Table(table))
}

fn experiment(scenario: &Scenario<'_>) -> String {
    let e = scenario.experiment();
    let size = match (e.tds, e.vcpus) {
        (Some(tds), Some(vcpus)) => format!(", {tds} TDs x {vcpus} vCPUs"),
        _ => String::new(),
    };
    let (world, seeds) = (scenario.world().name(), scenario.seeds());
    format!("{}{size} on {}, {world}, {seeds}", e.workload, e.machine)
}
