//! An experiment: plain data that says everything about a run, and of which a run is a pure function
//! (with the build). A sweep is a list of these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quantity::show_size;
use crate::workloads::WorkloadId;

/// In which world to run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// The simulated machine; any size, deterministic.
    #[default]
    Sim,
    /// Threads of this host; SEAMCALLs are the module model with calibrated delays.
    Native,
    /// Real SEAMCALLs through the kernel helper.
    Hw,
}

impl Backend {
    /// Name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Native => "native",
            Self::Hw => "hw",
        }
    }
}

/// What `--set` of a machine's value begins with.
const MACHINE_SET: &str = "machine.";

/// One run, asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Experiment {
    /// World.
    pub backend: Backend,
    /// Name of a machine profile, or path of one.
    pub machine: String,
    /// Memory that each TD touches, in bytes.
    pub memory_bytes: u64,
    /// More vCPUs than CPUs are allowed, and take turns.
    pub oversubscribe: bool,
    /// Size of private mappings: `4k`, `2m` or `mixed:SHARE`.
    pub page_size: String,
    /// Where PAMT backing pages come from.
    pub pamt_pages: String,
    /// Where guest pages come from.
    pub placement: String,
    /// Which repetition, from 0.
    pub run: u32,
    /// Seed.
    pub seed: u64,
    /// Parameters of the workload and of the host model that are not at their defaults.
    pub set: BTreeMap<String, String>,
    /// Spec of the strategy.
    pub strategy: String,
    /// TDs.
    pub tds: u32,
    /// vCPUs of each TD.
    pub vcpus: u32,
    /// Begin and length of the window whose timeline is kept, in ns; the numbers do not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ns: Option<[u64; 2]>,
    /// Name of the workload.
    pub workload: String,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            backend: Backend::Sim,
            machine: "spr-2s".into(),
            memory_bytes: 256 << 20,
            oversubscribe: false,
            page_size: "4k".into(),
            pamt_pages: "unmovable-pcp".into(),
            placement: "unmovable-pcp".into(),
            run: 0,
            seed: 1,
            set: BTreeMap::new(),
            strategy: "striped".into(),
            tds: 8,
            vcpus: 8,
            window_ns: None,
            workload: "teardown".into(),
        }
    }
}

impl Experiment {
    /// The defaults, with those that the workload of this name has of its own.
    #[must_use]
    pub fn of_workload(name: &str) -> Self {
        let usual = WorkloadId::parse(name).map(|id| id.info().usual).unwrap_or_default();
        let mut experiment = Self { workload: name.to_owned(), ..Self::default() };
        let options = [
            (&mut experiment.page_size, usual.page_size),
            (&mut experiment.placement, usual.placement),
            (&mut experiment.pamt_pages, usual.pamt_pages),
        ];
        for (option, own) in options {
            if let Some(own) = own {
                own.clone_into(option);
            }
        }
        experiment
    }

    /// The command that repeats this run alone.
    #[must_use]
    pub fn command(&self) -> String {
        let mut words = vec![
            "pamt-bench".to_owned(),
            format!("--strategy {}", quoted(&self.strategy)),
            format!("--workload {}", quoted(&self.workload)),
            format!("--backend {}", self.backend.name()),
            format!("--machine {}", quoted(&self.machine)),
            format!("--tds {} --vcpus {}", self.tds, self.vcpus),
            format!("--memory {}", show_size(self.memory_bytes)),
            format!("--page-size {}", quoted(&self.page_size)),
            format!("--placement {}", quoted(&self.placement)),
            format!("--pamt-pages {}", quoted(&self.pamt_pages)),
            format!("--seed {}", self.run_seed()),
        ];
        if self.oversubscribe {
            words.push("--oversubscribe".into());
        }
        words
            .extend(self.set.iter().map(|(k, v)| format!("--set {}", quoted(&format!("{k}={v}")))));
        words.extend(self.window_ns.map(|[from, length]| format!("--window {from}ns+{length}ns")));
        words.join(" ")
    }

    /// What is set of the machine (`machine.SECTION.KEY`, without the first word), and the rest.
    #[must_use]
    pub fn split_set(&self) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let (of_machine, own): (Vec<_>, Vec<_>) =
            self.set.iter().partition(|(key, _)| key.starts_with(MACHINE_SET));
        let short = |key: &String| key[MACHINE_SET.len()..].to_owned();
        (
            of_machine.into_iter().map(|(key, value)| (short(key), value.clone())).collect(),
            own.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        )
    }

    /// The seed that this repetition runs with: that of the experiment for the first.
    #[must_use]
    pub fn run_seed(&self) -> u64 {
        self.seed.wrapping_add(u64::from(self.run))
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/=,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_runs_with_a_seed_of_its_own() {
        let experiment = Experiment { run: 2, ..Experiment::default() };
        assert_eq!(experiment.run_seed(), 3);
        assert!(experiment.command().contains("--seed 3"));
    }

    #[test]
    fn the_command_quotes_what_a_shell_would_expand() {
        let experiment = Experiment { strategy: "per-2m[lock=bit]".into(), ..Default::default() };
        assert!(experiment.command().contains("'per-2m[lock=bit]'"));
    }

    #[test]
    fn an_experiment_survives_its_written_form() {
        let experiment = Experiment { backend: Backend::Native, ..Experiment::default() };
        let text = serde_json::to_string(&experiment).expect("plain data");
        assert_eq!(serde_json::from_str::<Experiment>(&text).expect("its own form"), experiment);
    }
}
