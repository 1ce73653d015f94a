//! The templates for batch engines give each shard once, and the merged bytes are those of one process.
//!
//! No engine runs here: a stand-in of each starts the tasks that it is given, one after the other, as the
//! engine's manual says. What is tested is what the templates make of shard numbers and paths.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const PLAN: &str = "[base]\nworkload = 'teardown'\nmemory = '1MiB'\ntds = 1\nvcpus = 2\n\
                    [cross]\nstrategy = ['global', 'per-2m']\nseed = { from = 1, count = 5 }\n";
const SHARDS: u32 = 4;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/cluster").join(name)
}

/// A folder with a plan (in a path with a space) and with programs of these names and texts.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("made");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pamt-bench"), bin.join("pamt-bench"))
            .expect("linked");
        for (name, text) in programs {
            let path = bin.join(name);
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("executable");
        }
        std::fs::create_dir(folder.path().join("my plans")).expect("made");
        std::fs::write(folder.path().join("my plans/plan.toml"), PLAN).expect("written");
        Self { folder }
    }

    /// Runs a command with the programs first on the PATH.
    fn run(&self, program: impl AsRef<Path>, arguments: &[&str], set: &[(&str, &str)]) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.folder.path().join("bin").display().to_string();
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.folder.path()).args(arguments).envs(set.iter().copied());
        let output = command.env("PATH", format!("{bin}:{path}")).output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn merged(&self, name: &str) -> Vec<u8> {
        self.run(env!("CARGO_BIN_EXE_pamt-bench"), &["sweep", "collect", name], &[]);
        std::fs::read(self.folder.path().join(name).join("merged.json")).expect("merged")
    }

    /// The bytes of the sweep in "out put" are those of one process.
    fn whole(&self) {
        let alone = ["sweep", "my plans/plan.toml", "-o", "alone", "--quiet"];
        self.run(env!("CARGO_BIN_EXE_pamt-bench"), &alone, &[]);
        assert_eq!(self.merged("out put"), self.merged("alone"));
    }
}

const PLAN_AND_FOLDER: [&str; 2] = ["my plans/plan.toml", "out put"];

#[test]
fn a_slurm_array_of_any_first_index_runs_each_shard() {
    let scene = Scene::new(&[]);
    let (first, last) = ("3", (3 + SHARDS - 1).to_string());
    for task in 3..3 + SHARDS {
        let task = task.to_string();
        let array = [
            ("SLURM_ARRAY_TASK_ID", task.as_str()),
            ("SLURM_ARRAY_TASK_MIN", first),
            ("SLURM_ARRAY_TASK_MAX", last.as_str()),
        ];
        scene.run(script("slurm_array.sh"), &PLAN_AND_FOLDER, &array);
    }
    scene.whole();
}

#[test]
fn gnu_parallel_is_given_each_shard_and_paths_with_spaces() {
    // The last argument is the command, `{}` in it a line of the input.
    let parallel =
        "#!/bin/bash\nwhile read -r line; do bash -c \"${!#//\\{\\}/$line}\" || exit; done\n";
    let scene = Scene::new(&[("parallel", parallel)]);
    let [plan, folder] = PLAN_AND_FOLDER;
    scene.run(script("gnu_parallel.sh"), &[plan, folder, &SHARDS.to_string()], &[]);
    scene.whole();
}

#[test]
fn hyperqueue_is_given_an_array_of_all_shards() {
    // hq submit ... --array FIRST-LAST ... -- COMMAND...
    let hq = "#!/bin/bash\nwhile [ \"$1\" != -- ]; do [ \"$1\" = --array ] && array=$2; shift; done; shift\n\
              for HQ_TASK_ID in $(seq \"${array%-*}\" \"${array#*-}\"); do\n\
              export HQ_TASK_ID; \"$@\" || exit; done\n";
    let scene = Scene::new(&[("hq", hq)]);
    let [plan, folder] = PLAN_AND_FOLDER;
    scene.run(script("hyperqueue.sh"), &[plan, folder, &SHARDS.to_string()], &[]);
    scene.whole();
}

#[test]
fn the_pods_of_a_kubernetes_job_are_as_many_as_the_shards_of_its_command() {
    let text =
        std::fs::read_to_string(script("kubernetes_indexed_job.yaml")).expect("the template");
    let completions = text.lines().find_map(|line| line.trim().strip_prefix("completions: "));
    let pods: u32 = completions.and_then(|n| n.parse().ok()).expect("completions");
    let (_, block) = text.split_once("- >-").expect("the command");
    let command: Vec<&str> = block.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let end = command.iter().position(|line| line.starts_with("resources:")).expect("what follows");
    let command = command[..end].join(" ").replace("/plan.toml", "'my plans/plan.toml'");
    let command = command.replace("/results", "'out put'");
    assert!(command.contains(&format!("\"$JOB_COMPLETION_INDEX/{pods}\"")), "{command}");
    let scene = Scene::new(&[]);
    for index in 0..pods {
        let index = [("JOB_COMPLETION_INDEX", &*index.to_string())];
        scene.run("/bin/sh", &["-c", &command], &index);
    }
    scene.whole();
}
