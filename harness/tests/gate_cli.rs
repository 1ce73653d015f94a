//! Each planted difference reaches the shell as its own exit code: directly, through a shell, through
//! make and through the shipped CI script.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const BENCH: &str = env!("CARGO_BIN_EXE_pamt-bench");
const SIZE: [&str; 6] = ["--tds", "2", "--vcpus", "2", "--memory", "1MiB"];

/// A folder with a baseline of two strategies.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a folder") };
        scene.run("base.json", &["--strategy", "global,per-2m"]);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, name: &str, arguments: &[&str]) {
        let path = self.path(name);
        let done = Command::new(BENCH)
            .args(["run", "--workload", "teardown", "--quiet", "-o"])
            .arg(&path)
            .args(SIZE)
            .args(arguments)
            .output()
            .expect("the program starts");
        assert!(done.status.success(), "{done:?}");
    }

    /// The baseline with each of these texts replaced.
    fn edited(&self, name: &str, edit: impl Fn(String) -> String) {
        let text = std::fs::read_to_string(self.path("base.json")).expect("the baseline");
        let changed = edit(text.clone());
        assert_ne!(changed, text, "the edit found nothing");
        std::fs::write(self.path(name), changed).expect("written");
    }

    fn gate(&self, arguments: &[&str]) -> Output {
        Command::new(BENCH)
            .current_dir(self.folder.path())
            .args(["gate", "--baseline", "base.json"])
            .args(arguments)
            .output()
            .expect("the program starts")
    }

    fn exit(&self, arguments: &[&str]) -> i32 {
        self.gate(arguments).status.code().expect("not killed")
    }
}

/// Adds 2 % to the virtual time of the first run.
fn slower(text: String) -> String {
    grown(&text, "\"virtual_time_ns\":")
}

/// Adds 2 % to the first figure of this key.
fn grown(text: &str, key: &str) -> String {
    let after_key = text.find(key).expect("the key is in every result") + key.len();
    let at = after_key + text[after_key..].find(|c: char| c != ' ').expect("a number follows");
    let end = at + text[at..].find(|c: char| !c.is_ascii_digit()).expect("a number ends");
    let time: u64 = text[at..end].parse().expect("a number");
    format!("{}{}{}", &text[..at], time + time / 50, &text[end..])
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn equal_results_pass() {
    let scene = Scene::new();
    scene.run("same.json", &["--strategy", "global,per-2m", "--jobs", "1"]);
    assert_eq!(scene.exit(&["same.json"]), 0);
}

#[test]
fn a_two_percent_slowdown_is_a_regression() {
    let scene = Scene::new();
    scene.edited("slow.json", slower);
    let output = scene.gate(&["slow.json"]);
    assert_eq!(output.status.code(), Some(100), "{output:?}");
    assert!(said(&output).contains("regressed"), "{output:?}");
    assert_eq!(scene.exit(&["--exit-zero", "slow.json"]), 0);
}

#[test]
fn a_swapped_seed_is_incomparable_and_named() {
    let scene = Scene::new();
    scene.run("seed.json", &["--strategy", "global,per-2m", "--seed", "2"]);
    let output = scene.gate(&["seed.json"]);
    assert_eq!(output.status.code(), Some(101));
    assert!(said(&output).contains("seed differs: 1.0 before, 2.0 after"), "{}", said(&output));
}

#[test]
fn a_changed_machine_file_is_incomparable_and_named() {
    let scene = Scene::new();
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../machines/spr-2s.toml");
    let text = std::fs::read_to_string(original).expect("the profile");
    let changed = text.replacen("v = 81.0", "v = 82.0", 1);
    assert_ne!(changed, text, "the profile lost the value that this test changes");
    std::fs::write(scene.path("spr.toml"), changed).expect("written");
    let machine = scene.path("spr.toml").display().to_string();
    scene.run("machine.json", &["--strategy", "global,per-2m", "--machine", &machine]);
    let output = scene.gate(&["machine.json"]);
    assert_eq!(output.status.code(), Some(101));
    assert!(said(&output).contains("machine_values differ"), "{}", said(&output));
}

#[test]
fn a_missing_cell_is_a_partial_result() {
    let scene = Scene::new();
    scene.run("part.json", &["--strategy", "global"]);
    assert_eq!(scene.exit(&["part.json"]), 112);
}

#[test]
fn two_different_results_of_one_experiment_are_nondeterminism() {
    let scene = Scene::new();
    scene.edited("slow.json", slower);
    assert_eq!(scene.exit(&["base.json", "slow.json"]), 102);
    assert_eq!(scene.exit(&["base.json", "base.json"]), 0);
}

#[test]
fn what_cannot_be_judged_has_codes_of_its_own() {
    let scene = Scene::new();
    std::fs::write(scene.path("bad.toml"), "alpha = 3").expect("written");
    assert_eq!(scene.exit(&["--config", "bad.toml", "base.json"]), 95);
    assert_eq!(scene.exit(&["--baseline", "absent.json", "base.json"]), 103);
    std::fs::write(scene.path("empty.json"), "{\"schema_version\": 1, \"runs\": []}")
        .expect("written");
    let output = Command::new(BENCH)
        .current_dir(scene.folder.path())
        .args(["gate", "--baseline", "empty.json", "empty.json"])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(4));
}

/// What `gate` is given after the baseline, and the code that it must end with.
fn planted(scene: &Scene) -> Vec<(&'static str, i32)> {
    scene.edited("slow.json", slower);
    scene.run("seed.json", &["--strategy", "global,per-2m", "--seed", "2"]);
    scene.run("part.json", &["--strategy", "global"]);
    let unused = "[[expect]]\ncell = '*'\nmetric = '*'\nverdict = 'regressed'\n\
                  reason = 'the get resets its page'\nexpires = '2100-01-01'\n";
    std::fs::write(scene.path("unused.toml"), unused).expect("written");
    vec![
        ("base.json", 0),
        ("slow.json", 100),
        ("seed.json", 101),
        ("part.json", 112),
        ("base.json slow.json", 102),
        ("--config unused.toml base.json", 95),
        ("--config unused.toml slow.json", 0),
        ("--baseline absent.json base.json", 103),
    ]
}

#[test]
fn each_code_survives_a_shell_and_make_names_it() {
    let scene = Scene::new();
    for (arguments, code) in planted(&scene) {
        let line = format!("{BENCH} gate --baseline base.json {arguments}");
        let in_scene = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.current_dir(scene.folder.path()).args(arguments).output().expect("it starts")
        };
        let shell = in_scene("sh", &["-c", &line]);
        assert_eq!(shell.status.code(), Some(code), "{arguments}: {}", said(&shell));
        std::fs::write(scene.path("Makefile"), format!("gate:\n\t@{line}\n")).expect("written");
        let make = in_scene("make", &["gate"]);
        // make turns every failure into 2, which is why 2 is no verdict; the code is in its message.
        assert_eq!(make.status.code(), Some(if code == 0 { 0 } else { 2 }), "{arguments}");
        let named = code == 0 || said(&make).contains(&format!("Error {code}\n"));
        assert!(named, "{arguments}: {}", said(&make));
    }
}

#[test]
fn the_shipped_script_ends_with_the_gates_own_code_and_leaves_its_outputs() {
    let scene = Scene::new();
    let plan = "[base]\nworkload = 'teardown'\nmemory = '1MiB'\ntds = 2\nvcpus = 2\n\
                [cross]\nstrategy = ['global', 'per-2m']\n";
    std::fs::write(scene.path("plan.toml"), plan).expect("written");
    std::fs::write(scene.path("gate.toml"), "fail_on = 'any-change'\n").expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/ci/gate.sh");
    let gate = |baseline: &str, folder: &str| {
        Command::new(&script)
            .current_dir(scene.folder.path())
            .env("PAMT_BENCH", BENCH)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_STEP_SUMMARY", scene.path("summary.md"))
            .args(["plan.toml", baseline, "gate.toml", folder])
            .output()
            .expect("the script starts")
    };
    let first = gate("base.json", "out");
    // The baseline of `run` keeps more than a sweep does: lists are missing.
    assert_eq!(first.status.code(), Some(112), "{}", said(&first));
    std::fs::rename(scene.path("out/first.json"), scene.path("base.json")).expect("renamed");
    let passed = gate("base.json", "out2");
    assert_eq!(passed.status.code(), Some(0), "{}", said(&passed));
    scene.edited("fast.json", slower);
    let improved = gate("fast.json", "out3");
    assert_eq!(improved.status.code(), Some(100), "{}", said(&improved));
    assert!(said(&improved).contains("::error title=improved"), "{}", said(&improved));
    for name in ["out3/gate.json", "out3/gate.md", "out3/gate.xml", "summary.md"] {
        let text = std::fs::read_to_string(scene.path(name)).expect(name);
        assert!(text.contains("improved"), "{name}: {text}");
    }
    let two_seeds = plan.replace("[cross]", "seed = 2\n[cross]");
    std::fs::write(scene.path("plan.toml"), two_seeds).expect("written");
    let swapped = gate("base.json", "out4");
    assert_eq!(swapped.status.code(), Some(101), "{}", said(&swapped));
}

#[test]
fn what_is_exported_for_another_tool_is_judged_like_the_result_that_it_came_from() {
    let scene = Scene::new();
    scene.edited("slow.json", |text| grown(&text, "\"mean_ns\":"));
    for form in ["custom-smaller-is-better", "bencher"] {
        for name in ["base", "slow"] {
            let (result, file) = (format!("{name}.json"), format!("{name}.{form}"));
            let done = Command::new(BENCH)
                .current_dir(scene.folder.path())
                .args(["gate", "export", "--as", form, "-o", &file, &result])
                .output()
                .expect("the program starts");
            assert!(done.status.success(), "{}", said(&done));
        }
        let judge = |file: &str| {
            Command::new(BENCH)
                .current_dir(scene.folder.path())
                .args(["gate", "--baseline", &format!("base.{form}"), &format!("{file}.{form}")])
                .output()
                .expect("the program starts")
        };
        let (same, slow) = (judge("base"), judge("slow"));
        assert_eq!(same.status.code(), Some(0), "{form}: {}", said(&same));
        assert_eq!(slow.status.code(), Some(100), "{form}: {}", said(&slow));
    }
}

#[test]
fn a_calibration_is_made_of_twenty_native_runs_and_read_by_the_gate() {
    let scene = Scene::new();
    let native = ["--strategy", "global", "--backend", "native", "--oversubscribe", "--runs"];
    scene.run("native.json", &[&native[..], &["20"]].concat());
    scene.run("few.json", &[&native[..], &["3"]].concat());
    let bench = |arguments: &[&str]| {
        let mut command = Command::new(BENCH);
        command.current_dir(scene.folder.path()).args(arguments).output().expect("it starts")
    };
    let few = bench(&["gate", "calibrate", "few.json"]);
    assert_eq!(few.status.code(), Some(4), "{}", said(&few));
    assert!(said(&few).contains("3 samples, a calibration needs 20"), "{}", said(&few));
    assert!(!scene.path("gate-noise.json").exists());
    let modelled = bench(&["gate", "calibrate", "base.json"]);
    assert_eq!(modelled.status.code(), Some(4), "{}", said(&modelled));
    let done = bench(&["gate", "calibrate", "native.json"]);
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("cannot tell changes below"), "{}", said(&done));
    let gate = ["gate", "--baseline", "native.json", "native.json", "--noise", "gate-noise.json"];
    let same = bench(&gate);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let foreign = bench(&[&gate[..5], &["base.json"]].concat());
    assert_eq!(foreign.status.code(), Some(95), "{}", said(&foreign));
}

#[test]
fn compare_informs_and_fails_only_when_nothing_can_be_compared() {
    let scene = Scene::new();
    scene.edited("slow.json", slower);
    scene.run("seed.json", &["--strategy", "global,per-2m", "--seed", "2"]);
    let compare = |file: &str, form: &str| {
        Command::new(BENCH)
            .current_dir(scene.folder.path())
            .args(["compare", "base.json", file, "--format", form])
            .output()
            .expect("the program starts")
    };
    let text = compare("slow.json", "text");
    assert_eq!(text.status.code(), Some(0));
    assert!(said(&text).contains("+2.00 %"), "{}", said(&text));
    assert!(said(&compare("slow.json", "markdown")).starts_with("| verdict |"));
    let json = compare("slow.json", "json");
    assert!(serde_json::from_slice::<serde_json::Value>(&json.stdout).is_ok());
    assert_eq!(compare("seed.json", "text").status.code(), Some(101));
}
