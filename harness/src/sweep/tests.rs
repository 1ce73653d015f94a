//! What a sweep promises, with a runner that takes no time.

use std::collections::BTreeSet;
use std::path::Path;

use pamt_reports::schema::{Comparability, Document, Experiment, Run, RunResult, Throughput};
use serde_json::{Map, Value, json};

use super::*;

const PLAN: &str = "
[base]
workload = 'teardown'
[cross]
strategy = ['global', 'striped']
seed = { from = 1, count = 20 }
";

fn plan(text: &str) -> Plan {
    Plan::parse(text, Path::new("plan.toml")).expect("the test's plan is good")
}

fn whole(options: &Map<String, Value>) -> Result<Value, String> {
    let mut experiment = json!({ "set": {} });
    for (name, value) in options {
        match name.strip_prefix("set.") {
            Some(key) => experiment["set"][key] = value.clone(),
            None => experiment[name] = value.clone(),
        }
    }
    Ok(experiment)
}

fn uncertain(_: &Value) -> Result<Vec<Parameter>, String> {
    let parameter =
        |name: &str, high| Parameter { name: format!("machine.{name}"), low: 1.0, high };
    Ok(vec![parameter("hitm_ns", 2.0), parameter("clock_ghz", 3.0)])
}

fn jobs(text: &str) -> Vec<Job> {
    plan(text).jobs(whole, uncertain).expect("the test's plan expands")
}

/// global does 10 a second, striped 11, but with slow HITMs only 9.
fn fake(job: &Job) -> Result<Run, String> {
    let text = |name: &str| job.experiment[name].as_str().unwrap_or_default().to_owned();
    let seed = job.experiment["seed"].as_u64().unwrap_or(0);
    if seed == 13 {
        return Err("unlucky".into());
    }
    let hitm =
        job.experiment["set"]["machine.hitm_ns"].as_str().map_or(1.0, |t| t.parse().unwrap());
    let striped = text("strategy") == "striped";
    let rate = if !striped {
        10.0
    } else if hitm < 1.75 {
        11.0
    } else {
        9.0
    };
    let throughput = Throughput { per_second: rate + seed as f64 * 1e-3, ..Default::default() };
    let experiment = Experiment {
        strategy: text("strategy"),
        workload: text("workload"),
        seed,
        ..Default::default()
    };
    let result = RunResult { throughput: Some(throughput), ..RunResult::default() };
    let comparability = Comparability::default();
    Ok(Run { comparability, experiment, provenance: None, result })
}

struct Quiet;

impl Progress for Quiet {
    fn ended(&self, _: usize, _: usize) {}
}

fn options(shard: &str) -> Options {
    Options { shard: shard.parse().expect("a shard"), only_missing: false, keep: Keep::Summary }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &json!({"the": "plan"}), "build 1").expect("the folder can be used")
}

fn merged(store: &Store, jobs: &[Job]) -> (String, Collected) {
    let mut bytes = Vec::new();
    let found = collect(store, jobs, Form::Json, &mut bytes, &mut ()).expect("collects");
    (String::from_utf8(bytes).expect("JSON is UTF-8"), found)
}

#[test]
fn a_plan_crosses_its_axes_with_the_seed_fastest() {
    let jobs = jobs(PLAN);
    assert_eq!(jobs.len(), 40);
    let named = |job: &Job| (job.experiment["strategy"].clone(), job.experiment["seed"].clone());
    assert_eq!(named(&jobs[0]), (json!("global"), json!(1)));
    assert_eq!(named(&jobs[1]), (json!("global"), json!(2)));
    assert_eq!(named(&jobs[20]), (json!("striped"), json!(1)));
    let ids: BTreeSet<&String> = jobs.iter().map(|job| &job.id).collect();
    assert_eq!(ids.len(), 40);
}

#[test]
fn a_bad_plan_is_refused_with_the_place() {
    let refuse = |text: &str| {
        Plan::parse(text, Path::new("plan.toml")).expect_err("must be refused").to_string()
    };
    assert!(refuse("[bsae]").contains("bsae"));
    assert!(refuse("[base]\ntds = 1\n[cross]\ntds = [2]").contains("`tds` is in both"));
    assert!(refuse("[cross]\ntds = []").contains("cross.tds"));
    assert!(refuse("").contains("the plan is empty"));
    assert!(refuse("[base]\ntds = 1\n[uncertainty]\ndraws = 0").contains("draws"));
    assert!(refuse("[cross]\nseed = { from = 1, count = 99000000 }").contains("split"));
}

#[test]
fn the_merged_bytes_are_equal_for_any_number_and_order_of_shards() {
    let jobs = jobs(PLAN);
    let mut all = BTreeSet::new();
    for shards in [vec!["0/1"], vec!["1/2", "0/2"], vec!["2/3", "0/3", "1/3", "0/3"]] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for shard in shards {
            run(&store, &jobs, options(shard), fake, &Quiet).unwrap();
        }
        all.insert(merged(&store, &jobs).0);
    }
    assert_eq!(all.len(), 1);
}

#[test]
fn the_merged_file_is_a_result_document() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let store = open(folder.path());
    run(&store, &jobs, options("0/1"), fake, &Quiet).unwrap();
    let (text, _) = merged(&store, &jobs);
    let document = pamt_reports::schema::Document::from_json(&text, Path::new("m.json")).unwrap();
    assert_eq!(document.runs.len(), 38);
}

#[test]
fn failures_are_kept_with_their_reason_and_the_rest_is_done() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let store = open(folder.path());
    let summary = run(&store, &jobs, options("0/1"), fake, &Quiet).unwrap();
    assert_eq!((summary.done, summary.failed), (38, 2));
    let (_, found) = merged(&store, &jobs);
    assert_eq!(found.failed[0].reason, "unlucky");
    let again = Options { only_missing: true, ..options("0/1") };
    let summary = run(&store, &jobs, again, fake, &Quiet).unwrap();
    assert_eq!((summary.found, summary.left, summary.failed), (38, 2, 0));
    let lucky = |job: &Job| {
        let mut job = job.clone();
        job.experiment["seed"] = json!(14);
        fake(&job)
    };
    let summary = run(&store, &jobs, options("0/1"), lucky, &Quiet).unwrap();
    assert_eq!(summary.done, 2);
    assert!(merged(&store, &jobs).1.failed.is_empty());
}

#[test]
fn a_panic_of_one_experiment_is_its_failure() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let store = open(folder.path());
    let bad = |job: &Job| {
        assert!(job.experiment["seed"] != json!(5), "planted");
        fake(job)
    };
    let summary = run(&store, &jobs, options("0/1"), bad, &Quiet).unwrap();
    assert_eq!(summary.failed, 4);
}

#[test]
fn what_is_missing_is_listed() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let store = open(folder.path());
    run(&store, &jobs, options("0/2"), fake, &Quiet).unwrap();
    assert_eq!(merged(&store, &jobs).1.missing.len(), 20);
}

#[test]
fn a_changed_result_is_damaged_not_merged() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let store = open(folder.path());
    run(&store, &jobs, options("0/1"), fake, &Quiet).unwrap();
    let path = folder.path().join("results").join(&jobs[0].id[..2]);
    let path = path.join(format!("{}.json", jobs[0].id));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("10.001", "99.001")).unwrap();
    let error = collect(&store, &jobs, Form::Jsonl, Vec::new(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[test]
fn a_folder_of_another_plan_or_build_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    let error = Store::open(folder.path(), &json!({"another": 1}), "build 1").unwrap_err();
    assert!(error.to_string().contains("another plan"), "{error}");
    let error = Store::open(folder.path(), &json!({"the": "plan"}), "build 2").unwrap_err();
    assert!(error.to_string().contains("another build (build 1, this is build 2)"), "{error}");
}

#[test]
fn a_second_sweep_of_a_folder_sees_that_it_is_not_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (open(folder.path()), open(folder.path()));
    assert!(first.alone());
    assert!(!second.alone());
}

#[test]
fn two_sweeps_of_one_folder_at_once_lose_and_double_nothing() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let expected = {
        let alone = tempfile::tempdir().unwrap();
        let store = open(alone.path());
        run(&store, &jobs, options("0/1"), fake, &Quiet).unwrap();
        merged(&store, &jobs).0
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| run(&open(folder.path()), &jobs, options("0/1"), fake, &Quiet).unwrap());
        }
    });
    assert_eq!(merged(&open(folder.path()), &jobs).0, expected);
    let results = std::fs::read_dir(folder.path().join("results")).unwrap();
    let files = results.flat_map(|part| std::fs::read_dir(part.unwrap().path()).unwrap());
    assert!(files.map(|file| file.unwrap().path()).all(|path| path.extension().unwrap() == "json"));
}

#[test]
fn an_io_error_stops_the_sweep_and_names_the_file() {
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(PLAN));
    let store = open(folder.path());
    // A file where a folder must be, as root ignores read-only modes.
    std::fs::remove_dir(folder.path().join("results")).unwrap();
    std::fs::write(folder.path().join("results"), "").unwrap();
    let error = run(&store, &jobs, options("0/1"), fake, &Quiet).unwrap_err().to_string();
    assert!(error.contains("results") && error.contains("name another folder"), "{error}");
}

#[test]
fn a_shard_is_an_index_below_its_count() {
    for wrong in ["", "1", "1/1", "2/1", "-1/2", "a/b", "0/0"] {
        let error = wrong.parse::<Shard>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{wrong}`")) && error.contains("0/4"), "{error}");
    }
}

#[test]
fn latin_hypercube_draws_use_each_part_of_a_range_once() {
    let parameters = uncertain(&Value::Null).unwrap();
    let rows = latin_hypercube(&parameters, 200, 7);
    for (index, parameter) in parameters.iter().enumerate() {
        let width = (parameter.high - parameter.low) / 200.0;
        let part = |row: &Vec<f64>| ((row[index] - parameter.low) / width) as usize;
        // Rounding to six digits may move a value over the border of its part, but not further.
        let mut parts: Vec<usize> = rows.iter().map(part).collect();
        parts.sort_unstable();
        assert!(parts.iter().enumerate().all(|(i, part)| i.abs_diff(*part) <= 1), "{parts:?}");
    }
}

#[test]
fn a_parameters_draws_do_not_depend_on_the_others() {
    let parameters = uncertain(&Value::Null).unwrap();
    let both = latin_hypercube(&parameters, 50, 1);
    let alone = latin_hypercube(&parameters[1..], 50, 1);
    assert!(both.iter().zip(&alone).all(|(both, alone)| both[1] == alone[0]));
}

#[test]
fn the_tornado_names_the_parameter_that_flips_the_ranking() {
    let text = format!("{PLAN}[uncertainty]\ndraws = 200").replace("count = 20", "count = 2");
    let (folder, jobs) = (tempfile::tempdir().unwrap(), jobs(&text));
    let uncertainty = plan(&text).uncertainty.expect("given");
    assert_eq!(jobs.len(), 800);
    let store = open(folder.path());
    run(&store, &jobs, options("0/1"), fake, &Quiet).unwrap();
    let mut report = Report::new(&uncertainty);
    let mut bytes = Vec::new();
    collect(&store, &jobs, Form::Json, &mut bytes, &mut report).unwrap();
    let rankings = report.rankings();
    let ranking = &rankings[0];
    assert_eq!((ranking.draws, ranking.seeds), (200, 2));
    assert_eq!(ranking.strategies[0].strategy, "striped");
    // HITMs are drawn from 1 to 2 evenly, and striped wins below 1.75.
    assert!((ranking.strategies[0].wins_share - 0.75).abs() < 0.01, "{ranking:?}");
    assert!((ranking.order_share - 0.75).abs() < 0.01);
    assert_eq!(ranking.tornado[0].parameter, "machine.hitm_ns");
    assert!(ranking.tornado[0].flips && !ranking.tornado[1].flips, "{:?}", ranking.tornado);
    assert!(ranking.sentence().contains("Too few for a claim"));
    let text = String::from_utf8(bytes).expect("JSON");
    let merged = Document::from_json(&text, "merged.json".as_ref()).expect("a result");
    assert_eq!(merged.rankings.len(), 1, "a report can be made of it");
    assert_eq!(merged.rankings[0].strategies[0].strategy, "striped");
}

#[test]
fn published_rows_get_a_point_and_an_interval_and_say_what_was_fitted() {
    let text = "
[base]
workload = 'teardown'
[cross]
strategy = ['global', 'striped']
[uncertainty]
draws = 20
base = { memory = 'small' }
ranges = { firmware = [0.0, 1.0] }
[published]
rows = [
  { name = 'slow', of = { strategy = 'global' }, metric = 'throughput.per_second', value_ns = 20, source = 'a' },
  { name = 'right', of = { strategy = 'striped' }, metric = 'throughput.per_second', value_ns = 10, source = 'b' },
  { name = 'made so', of = { strategy = 'striped' }, metric = 'throughput.per_second', value_ns = 11, source = 'c', fitted = 'x' },
]";
    let plan = plan(text);
    let jobs = jobs(text);
    let (points, drawn): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.draw.is_none());
    assert_eq!((points.len(), drawn.len()), (2, 40));
    assert!(points.iter().all(|job| job.experiment["memory"].is_null()));
    let is_drawn = |job: &&Job| {
        job.experiment["memory"] == "small" && job.experiment["set"]["firmware"].is_string()
    };
    assert!(drawn.iter().all(is_drawn));
    let mut beside = BesidePublished::new(&plan).expect("it has rows");
    for job in &jobs {
        beside.add(job, &fake(job).expect("no unlucky seed"));
    }
    let text = beside.to_markdown();
    let line = |name: &str| text.lines().find(|line| line.contains(name)).expect("a row");
    assert!(line("slow").contains("-50.0 %") && line("slow").contains("not within 25 %"), "{text}");
    assert!(line("right").contains("9ns to 11ns | within 25 %"), "{text}");
    assert!(line("made so").contains("fitted: x"), "{text}");
}

/// Three strategies, as they stand against `global`.
const STANDING: &str = "
[base]
workload = 'teardown'
[cross]
strategy = ['static', 'global', 'striped']
seed = { from = 1, count = 2 }
[standing]
against = 'global'
";

/// The standings of a plan's runs.
fn stood(plan: &Plan) -> Standings<'_> {
    let mut standings = Standings::new(plan.standing.as_ref().expect("asked for"));
    for job in &plan.jobs(whole, uncertain).expect("the test's plan expands") {
        standings.add(job, &fake(job).expect("no unlucky seed"));
    }
    standings
}

#[test]
fn strategies_stand_against_one_of_them_seed_by_seed() {
    let page = stood(&plan(STANDING)).to_markdown();
    // `striped` does 11 where the others do 10, and is no competitor; `static` is the floor.
    let overall = |strategy: &str| {
        let start = format!("| {strategy} |");
        page.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{page}"))
    };
    let striped = "| ! striped | 1.100 | 1.100 (teardown tds=) | 0 | 0.0 % | no | no |";
    assert!(
        overall("! striped").replace("(teardown )", "(teardown tds=)").starts_with(striped),
        "{page}"
    );
    assert!(overall("= static").contains("| 1.000 |"), "{page}");
    assert!(overall("global").contains("| 1.000 | 1.000 (teardown"), "{page}");
    assert!(page.contains("1 scenarios, 2 seeds each"), "{page}");
    let refused = STANDING.replace("against = 'global'", "against = 'parked'");
    let error = Plan::parse(&refused, Path::new("plan.toml")).unwrap_err().to_string();
    assert!(error.contains("`parked` is not a strategy of the plan: static, global"), "{error}");
}

#[test]
fn standings_over_draws_name_the_first_of_each_draw() {
    let plan = plan(&format!("{STANDING}[uncertainty]\ndraws = 4"));
    let standings = stood(&plan);
    let page = standings.draws_to_markdown().expect("there are draws");
    assert!(page.starts_with("Under 4 draws"), "{page}");
    assert!(page.contains("2 seeds in each"), "{page}");
    // In one draw of the four `striped` does 9 where `global` does 10, in the others 11; and a
    // known-unsound strategy cannot be first.
    assert!(page.contains("| ! striped | 1.100 | 0.930 to 1.100 | 0.0 % | 0.900 |"), "{page}");
    assert!(page.contains("| global | 1.000 | 1.000 to 1.000 | 100.0 % | 1.000 |"), "{page}");
    assert!(standings.to_markdown().contains("1 scenarios, 2 seeds each"), "undrawn runs apart");
}

#[test]
fn the_checked_in_plan_schema_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/plan.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, plan_schema()).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, plan_schema(), "run the test with UPDATE_SCHEMA=1 and commit the file");
}
