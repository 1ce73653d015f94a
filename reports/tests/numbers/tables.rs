//! Tables that are not the registry's.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pamt_reports::figure::{Unit, significant, time};
use pamt_reports::queueing::predict;
use serde_json::Value;

use crate::page::{Cell, Table, tables};
use crate::scene::{Scene, assert_close, inputs, number, sum, text};

/// Time of one part of an operation, or of the whole run.
pub(crate) fn part(result: &Value, op: &str, part: &str) -> f64 {
    sum(result, |path| {
        let inner = *path.last().expect("not empty");
        if op == "all" {
            return inner == part;
        }
        let own = inner == op || inner.strip_suffix("_slow") == Some(op);
        path.contains(&op) && if part == "own" { own } else { inner == part && !own }
    })
}

fn check_time(scene: &Scene, table: &Table) {
    let op = table.id.split("-time-").nth(1).and_then(|rest| rest.strip_suffix("-table"));
    let op = op.expect("an operation");
    for row in &table.rows {
        let result = scene.result(&table.id, &row[0].shown);
        let time = part(result, op, &row[1].shown);
        let whole = sum(result, |path| op == "all" || path.contains(&op));
        let count = if op == "all" { 1.0 } else { number(&result["ops"][op]["count"]) };
        assert_close(row[2].number(), time / count, &table.id);
        assert_close(row[3].number(), time / whole, &table.id);
    }
}

fn check_why(scene: &Scene, table: &Table) {
    let (_, rest) = table.caption.split_once(" beyond that of ").expect("names the winner");
    let winner = rest.split(", by part").next().expect("a name");
    let best = scene.result(&table.id, winner);
    let cost = |result: &Value, name: &str| {
        part(result, "all", name) / number(&result["throughput"]["count"])
    };
    for row in &table.rows {
        let (result, name) = (scene.result(&table.id, &row[0].shown), &row[1].shown);
        let (its, winners) = (cost(result, name), cost(best, name));
        assert_close(row[2].number(), its, &table.id);
        assert_close(row[3].number(), winners, &table.id);
        assert_close(row[4].number(), its - winners, &table.id);
        let spans = [result, best].into_iter().flat_map(|r| r["spans"].as_array().expect("spans"));
        let names: BTreeSet<&str> = spans
            .map(|span| text(span["path"].as_array().expect("a path").last().expect("one")))
            .collect();
        let all: f64 = names.iter().map(|name| (cost(result, name) - cost(best, name)).abs()).sum();
        assert_close(row[5].number(), (its - winners).abs() / all, &table.id);
    }
}

fn check_theory(scene: &Scene, table: &Table) {
    for row in &table.rows {
        let run = &scene.document.runs[scene.index(&table.id, &row[0].shown)];
        let prediction = predict(&run.result).expect("it is in the table");
        let rate = run.result.throughput.as_ref().expect("a rate").per_second;
        let cells = [
            (1, prediction.customers as f64),
            (2, prediction.think_ns),
            (3, prediction.bound_per_second),
            (5, prediction.mva_per_second),
            (6, rate),
            (7, rate / prediction.mva_per_second),
        ];
        cells.iter().for_each(|(at, value)| assert_close(row[*at].number(), *value, &table.id));
    }
}

fn check_spread(scene: &Scene, table: &Table) {
    for row in &table.rows {
        let tds = scene.result(&table.id, &row[0].shown)["tds"].as_array().expect("TDs");
        let elapsed = |td: &Value| number(&td["elapsed_ns"]);
        let times: Vec<f64> = tds.iter().map(elapsed).collect();
        let (first, last) = (
            times.iter().copied().fold(f64::INFINITY, f64::min),
            times.iter().copied().fold(0.0, f64::max),
        );
        let expected = [tds.len() as f64, first, last, last / first];
        for (cell, value) in row[1..].iter().zip(expected) {
            assert_close(cell.number(), value, &table.id);
        }
        let slowest = tds.iter().filter(|td| elapsed(td) == last).map(|td| number(&td["td"]));
        assert!(slowest.into_iter().any(|td| td == row[5].number()), "{}", table.id);
    }
}

/// Tables whose last cell is the number that lies at the key that the other cells name.
fn check_counts(scene: &Scene, table: &Table, key: &str) {
    for row in &table.rows {
        let mut value = &scene.result(&table.id, &row[0].shown)[key];
        for step in &row[1..row.len() - 1] {
            value = &value[&step.shown];
        }
        assert_eq!(row[row.len() - 1].number(), number(value), "{}", table.id);
    }
}

fn check_points(scene: &Scene, table: &Table) {
    for row in &table.rows {
        let lock = &scene.result(&table.id, &row[0].shown)["locks"][&row[1].shown];
        let points = lock[format!("points_{}s", row[2].shown)].as_array().expect("points");
        let found = points.iter().find(|point| point["name"] == row[3].shown.as_str());
        assert_eq!(row[4].number(), number(&found.expect("the point")["count"]), "{}", table.id);
    }
}

fn check_pairs(scene: &Scene, table: &Table) {
    let run: usize = table.id.rsplit('-').next().and_then(|n| n.parse().ok()).expect("a run");
    let objects = scene.runs()[run]["result"]["lines"].as_object().expect("lines");
    for row in &table.rows {
        let [from, to] = [row[0].number(), row[1].number()];
        let counts = objects.values().filter_map(|object| {
            let transfers = object.get("transfers")?;
            let cpus = transfers["cpus"].as_array()?;
            let at = |cpu: f64| cpus.iter().position(|known| number(known) == cpu);
            Some(number(&transfers["counts"][at(from)?][at(to)?]))
        });
        assert_eq!(row[2].number(), counts.sum::<f64>(), "{}", table.id);
    }
}

fn check_ranking(scene: &Scene, table: &Table) {
    let index: usize = table.id.rsplit('-').next().and_then(|n| n.parse().ok()).expect("a number");
    let rows = scene.json["rankings"][index]["strategies"].as_array().expect("strategies");
    for (row, json) in table.rows.iter().zip(rows) {
        assert_eq!(row[0].shown, text(&json["strategy"]));
        let expected = [
            number(&json["median"]),
            number(&json["interval"]["low"]),
            number(&json["interval"]["high"]),
            number(&json["seed_spread_percent"]) / 100.0,
            number(&json["wins_share"]),
        ];
        for (cell, value) in row[1..].iter().zip(expected) {
            assert_close(cell.number(), value, &table.id);
        }
    }
}

fn check_machine(scene: &Scene, table: &Table) {
    let index: usize = table.id.rsplit('-').next().and_then(|n| n.parse().ok()).expect("a number");
    let machines = scene.json["machines"].as_object().expect("machines");
    let parameters = machines.values().nth(index).and_then(Value::as_array).expect("parameters");
    assert_eq!(parameters.len(), table.rows.len());
    for (row, json) in table.rows.iter().zip(parameters) {
        let range = json
            .get("range")
            .map(|range| format!("{} to {}", number(&range[0]), number(&range[1])));
        let value = json["value"].as_str().map_or_else(|| json["value"].to_string(), str::to_owned);
        assert_eq!(
            [&row[0].shown, &row[1].shown, &row[3].shown],
            [text(&json["name"]), &value, &range.unwrap_or_default()]
        );
    }
}

fn check_commands(scene: &Scene, table: &Table) {
    for row in &table.rows {
        let run = &scene.runs()[row[0].number() as usize];
        assert_eq!(row[3].shown, text(&run["provenance"]["command"]));
    }
}

/// The answers to the four questions, worked out anew.
fn check_questions(scene: &Scene, table: &Table) {
    for row in &table.rows {
        let workload = row[1].shown.split(',').next().expect("a workload");
        let scenario = scene.workloads().iter().position(|w| *w == workload).expect("known");
        for (cell, strategy) in
            row[2..].iter().zip(&table.heads[2..]).filter(|(c, _)| !c.shown.is_empty())
        {
            let result = scene.result(&format!("s{scenario}-"), strategy);
            check_answer(row[0].shown.chars().next().expect("a digit"), cell, result);
        }
    }
}

fn pair_locks(result: &Value) -> impl Iterator<Item = (&String, &Value)> {
    result["locks"].as_object().expect("locks").iter().filter(|(name, _)| name.starts_with("pamt_"))
}

/// Wait within gets and puts below an operation.
fn wait_below(result: &Value, op: &str) -> f64 {
    sum(result, |path| {
        let call = path.iter().position(|step| *step == "pamt_get" || *step == "pamt_put");
        let outer = path.iter().position(|step| *step == op);
        *path.last().expect("not empty") == "lock_wait"
            && outer.zip(call).is_some_and(|(o, c)| o < c)
    })
}

fn check_answer(question: char, cell: &Cell, result: &Value) {
    let share = |part: f64, whole: f64| Unit::Share.show(&(part / whole.max(1.0)).into());
    let expected = match question {
        '1' => {
            let calls = ["pamt_get", "pamt_put"]
                .map(|op| result["ops"][op]["count"].as_f64().unwrap_or(0.0));
            let taken: f64 =
                pair_locks(result).map(|(_, lock)| number(&lock["acquisitions"])).sum();
            significant(1000.0 * taken / calls.iter().sum::<f64>())
        }
        '2' => {
            let own: Vec<&Value> =
                pair_locks(result).filter_map(|(name, _)| result["lines"].get(name)).collect();
            let lines = if own.is_empty() { vec![&result["lines"]["pamt_refcounts"]] } else { own };
            let all = |key: &str| lines.iter().filter_map(|line| line[key].as_f64()).sum::<f64>();
            let (remote, hitm) = (all("rmt_hitm"), all("rmt_hitm") + all("lcl_hitm"));
            let hitm_shown = Unit::Count.show(&(hitm as u64).into());
            let cost = time(all("transfer_ns") + all("wait_ns"));
            format!("{hitm_shown}, {} remote, {cost}", share(remote, hitm))
        }
        '3' => {
            let fault = &result["ops"]["fault"];
            let mean = number(&fault["total_ns"]) / number(&fault["count"]);
            let wait = wait_below(result, "fault") / number(&fault["count"]);
            format!("{} of {}, {}", time(wait.round()), time(mean.round()), share(wait, mean))
        }
        _ => {
            let wait = wait_below(result, "td_teardown");
            format!(
                "{}, {}",
                time(wait),
                share(wait, number(&result["ops"]["td_teardown"]["total_ns"]))
            )
        }
    };
    assert!(
        cell.shown.starts_with(&expected),
        "question {question}: {} is not {expected}",
        cell.shown
    );
}

/// Checks a table; what kind of table it is.
fn check(scene: &Scene, table: &Table) -> String {
    let kind = table.id.trim_start_matches(|c: char| c == 's' || c.is_ascii_digit());
    let kind =
        kind.trim_start_matches('-').trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    match kind {
        _ if kind.starts_with("time-") => check_time(scene, table),
        "why-table" => check_why(scene, table),
        "theory" => check_theory(scene, table),
        "td-spread" => check_spread(scene, table),
        "busy-table" => check_counts(scene, table, "busy"),
        "statuses" => check_counts(scene, table, "statuses"),
        "retries" => check_counts(scene, table, "retries"),
        "contention-points" => check_points(scene, table),
        "pairs" => check_pairs(scene, table),
        "ranking" => check_ranking(scene, table),
        "machine" => check_machine(scene, table),
        "commands" => check_commands(scene, table),
        "questions" | "questions-more" => check_questions(scene, table),
        other => panic!("nobody checks the numbers of {other} ({})", table.id),
    }
    kind.to_owned()
}

fn made(page: &str) -> impl Iterator<Item = Table> {
    tables(page).into_iter().filter(|table| !table.is_registry)
}

#[test]
fn every_number_of_every_table_is_in_the_result_file_or_follows_from_it() {
    let mut kinds = BTreeSet::new();
    for scene in inputs().into_iter().map(Scene::of) {
        kinds.extend(made(&scene.page).map(|table| check(&scene, &table)));
    }
    assert!(kinds.len() >= 16, "{kinds:?}");
}

#[test]
fn a_wrong_number_in_any_table_is_found() {
    let scene = Scene::of(inputs().pop().expect("the made-up result"));
    for (at, table) in made(&scene.page).enumerate() {
        let mut wrong = made(&scene.page).nth(at).expect("the same table");
        let cell = wrong.rows.iter_mut().flatten().rfind(|cell| cell.raw.parse::<f64>().is_ok());
        let Some(cell) = cell else { continue };
        cell.raw.insert(0, '9');
        cell.shown.insert(0, '9');
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&scene, &wrong)));
        assert!(outcome.is_err(), "{}: a wrong number goes unseen", table.id);
    }
}
