//! A sweep survives what happens to it: kills, company, folders that cannot be written.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use tempfile::TempDir;

const BENCH: &str = env!("CARGO_BIN_EXE_pamt-bench");

fn scene(plan: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("plan.toml"), plan).expect("written");
    folder
}

fn plan(seeds: u32) -> String {
    format!(
        "[base]\nworkload = 'teardown'\nmemory = '1MiB'\ntds = 1\nvcpus = 2\n\
         [cross]\nstrategy = ['global', 'per-2m']\nseed = {{ from = 1, count = {seeds} }}\n"
    )
}

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BENCH);
    command.current_dir(folder).args(arguments).output().expect("the program starts")
}

fn merged(folder: &Path, name: &str) -> Vec<u8> {
    let done = bench(folder, &["sweep", "collect", name]);
    assert!(done.status.success(), "{done:?}");
    std::fs::read(folder.join(name).join("merged.json")).expect("merged")
}

fn results(folder: &Path) -> usize {
    let parts = std::fs::read_dir(folder.join("results")).expect("results");
    let files =
        parts.flat_map(|part| std::fs::read_dir(part.expect("part").path()).expect("files"));
    files
        .filter(|file| file.as_ref().expect("file").path().extension().is_some_and(|e| e == "json"))
        .count()
}

#[test]
fn a_sweep_killed_at_twenty_random_moments_ends_with_the_bytes_of_one_that_was_not() {
    let scene = scene(&plan(300));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "whole", "--quiet"]).status.success());
    let mut rng = Pcg64::seed_from_u64(20);
    let mut kills = 0;
    while kills < 20 {
        let mut sweep = Command::new(BENCH)
            .current_dir(folder)
            .args(["sweep", "plan.toml", "-o", "killed", "--quiet"])
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(rng.next_u64() % 60));
        sweep.kill().expect("killed, or ended");
        sweep.wait().expect("waited for");
        kills += 1;
    }
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "killed", "--quiet"]).status.success());
    assert_eq!(results(&folder.join("killed")), 600);
    assert_eq!(merged(folder, "killed"), merged(folder, "whole"));
}

#[test]
fn two_sweeps_and_shards_of_one_folder_lose_and_double_nothing() {
    let scene = scene(&plan(60));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "whole", "--jobs", "1"]).status.success());
    let both = ["0/1", "0/1", "2/3", "1/3"].map(|shard| {
        Command::new(BENCH)
            .current_dir(folder)
            .args(["sweep", "plan.toml", "-o", "shared", "--shard", shard])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    });
    for sweep in both {
        assert!(sweep.wait_with_output().expect("ended").status.success());
    }
    assert_eq!(results(&folder.join("shared")), 120);
    assert_eq!(merged(folder, "shared"), merged(folder, "whole"));
}

#[test]
fn two_hundred_comparisons_of_modelled_results_with_themselves_give_no_alarm() {
    let scene = scene(&plan(100));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "one", "--jobs", "1"]).status.success());
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "two", "--jobs", "2"]).status.success());
    assert_eq!(merged(folder, "one"), merged(folder, "two"));
    let gate = ["gate", "--baseline", "one/merged.json", "two/merged.json"];
    let done = bench(folder, &gate);
    assert_eq!(done.status.code(), Some(0));
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains(" unchanged\n") && !said.contains("regressed"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let scene = scene(&plan(1));
    let done = bench(scene.path(), &["sweep", "plan.toml", "-o", "/proc/pamt-sweep"]);
    assert_eq!(done.status.code(), Some(74));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("/proc/pamt-sweep"), "{said}");
}

/// Under a limit on the size of files, which every write beyond it meets as an error, like a full disk.
fn with_little_room(folder: &Path, blocks: u32, arguments: &str) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{BENCH}' {arguments}");
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", &script]).output().expect("the shell starts")
}

#[test]
fn a_disk_without_room_is_named_and_the_sweep_goes_on_when_there_is_some() {
    let scene = scene(&plan(20));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "whole", "--quiet"]).status.success());
    // Room for sweep.json, but for no result.
    let full = with_little_room(folder, 4, "sweep plan.toml -o full --quiet");
    assert_eq!(full.status.code(), Some(74), "{full:?}");
    let said = String::from_utf8_lossy(&full.stderr);
    assert!(said.contains("cannot write full/results/") && said.contains("free space"), "{said}");
    assert_eq!(results(&folder.join("full")), 0);
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "full", "--quiet"]).status.success());
    assert_eq!(merged(folder, "full"), merged(folder, "whole"));
}

#[test]
fn a_merge_without_room_leaves_the_old_file_as_it_was() {
    let scene = scene(&plan(3));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "s", "--quiet"]).status.success());
    let before = merged(folder, "s");
    let full = with_little_room(folder, 4, "sweep collect s");
    assert_eq!(full.status.code(), Some(74), "{full:?}");
    assert_eq!(std::fs::read(folder.join("s/merged.json")).expect("still there"), before);
    let left = std::fs::read_dir(folder.join("s")).expect("readable");
    let left = left
        .filter(|f| f.as_ref().is_ok_and(|f| f.path().extension().is_some_and(|e| e == "part")));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_folder_of_another_plan_is_refused() {
    let scene = scene(&plan(1));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "s", "--quiet"]).status.success());
    std::fs::write(folder.join("plan.toml"), plan(2)).expect("written");
    let done = bench(folder, &["sweep", "plan.toml", "-o", "s", "--quiet"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("another plan"));
}

#[test]
fn a_wrong_name_in_a_plan_is_refused_before_anything_is_written() {
    let wrong = [
        ("strategy = ['globl']", "globl"),
        ("strategie = ['global']", "strategy"),
        ("strategy = ['global']\n'set.no_such' = ['1']", "no_such"),
        ("strategy = ['global']\nbackend = ['native']", "backend"),
    ];
    for (axis, named) in wrong {
        let scene =
            scene(&format!("[base]\nworkload = 'teardown'\nmemory = '1MiB'\n[cross]\n{axis}\n"));
        let done = bench(scene.path(), &["sweep", "plan.toml", "-o", "s"]);
        assert_eq!(done.status.code(), Some(2), "{axis}");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains(named), "{axis}: {said}");
        assert!(!scene.path().join("s").exists(), "{axis}");
    }
}

#[test]
fn a_dry_run_lists_the_experiments_and_an_estimate() {
    let scene = scene(&plan(3));
    let done = bench(scene.path(), &["sweep", "plan.toml", "--dry-run", "--shard", "1/2"]);
    assert!(done.status.success());
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(said.lines().count(), 4, "{said}");
    assert!(
        said.lines().all(|line| line.contains("pamt-bench --strategy") || line.contains("about"))
    );
    assert!(!scene.path().join("s").exists());
}

#[test]
fn a_part_of_a_sweep_is_collected_as_partial_and_the_rest_is_listed() {
    let scene = scene(&plan(3));
    let folder = scene.path();
    let shard = ["sweep", "plan.toml", "-o", "s", "--shard", "0/2", "--quiet"];
    assert!(bench(folder, &shard).status.success());
    let done = bench(folder, &["sweep", "collect", "s", "-o", "s.csv"]);
    assert_eq!(done.status.code(), Some(112));
    assert_eq!(String::from_utf8_lossy(&done.stderr).matches("missing: ").count(), 3);
    let csv = std::fs::read_to_string(folder.join("s.csv")).expect("written");
    assert_eq!(csv.lines().count(), 4);
}

#[test]
fn draws_of_the_uncertain_values_give_rankings_and_a_tornado() {
    let plan = format!("{}[uncertainty]\ndraws = 6\n", plan(2));
    let scene = scene(&plan);
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "s", "--quiet"]).status.success());
    let done = bench(folder, &["sweep", "collect", "s"]);
    assert!(done.status.success(), "{done:?}");
    let said = std::fs::read_to_string(folder.join("s/uncertainty.md")).expect("written");
    assert!(said.contains("of 6 draws with 2 seeds each. Too few for a claim"), "{said}");
    assert!(said.contains("| machine.coherence."), "{said}");
}

#[test]
fn the_checked_in_suites_of_published_figures_expand() {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
    for suite in ["yan-1td", "yan-slow-path", "hunter-4vcpu"] {
        let plan = suites.join(suite).with_extension("toml");
        let plan = plan.to_str().expect("a readable path");
        let done = bench(&suites, &["sweep", plan, "--dry-run", "--draws", "2"]);
        assert!(done.status.success(), "{suite}: {done:?}");
    }
}

/// Names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("readable").map(|e| e.expect("an entry"));
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<_> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
#[cfg(feature = "parquet")]
fn the_parquet_table_has_equal_bytes_for_any_shards_and_nothing_is_left_beside_it() {
    let scene = scene(&plan(30));
    let folder = scene.path();
    let table = |name: &str, shards: &[&str]| {
        for shard in shards {
            let sweep = ["sweep", "plan.toml", "-o", name, "--quiet", "--shard", shard];
            assert!(bench(folder, &sweep).status.success());
        }
        let path = format!("{name}.parquet");
        let done = bench(folder, &["sweep", "collect", name, "-o", &path]);
        assert!(done.status.success(), "{done:?}");
        std::fs::read(folder.join(path)).expect("written")
    };
    let whole = table("whole", &["0/1"]);
    assert!(whole.starts_with(b"PAR1") && whole.ends_with(b"PAR1"));
    assert_eq!(whole, table("parts", &["2/3", "0/3", "1/3"]));
    assert_eq!(files(folder), ["parts.parquet", "plan.toml", "whole.parquet"]);
}

#[test]
#[cfg(feature = "parquet")]
fn a_parquet_table_without_room_leaves_nothing() {
    let scene = scene(&plan(30));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "s", "--quiet"]).status.success());
    let full = with_little_room(folder, 4, "sweep collect s -o t.parquet");
    assert_eq!(full.status.code(), Some(74), "{full:?}");
    assert_eq!(files(folder), ["plan.toml"]);
}

#[test]
#[cfg(not(feature = "parquet"))]
fn a_parquet_table_without_its_feature_is_refused_in_one_line_that_says_how_to_build_it() {
    let scene = scene(&plan(1));
    let folder = scene.path();
    assert!(bench(folder, &["sweep", "plan.toml", "-o", "s", "--quiet"]).status.success());
    let done = bench(folder, &["sweep", "collect", "s", "-o", "t.parquet"]);
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("--features parquet") && said.contains(".csv"), "{said}");
    assert_eq!(files(folder), ["plan.toml"]);
}
