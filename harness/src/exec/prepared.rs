//! An experiment with all its names looked up: what can fail for a wrong input fails here, before
//! anything runs or is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pamt_sim::machine::Profile;
use pamt_strategies::registry::{ModuleMode, StrategySpec};

use super::{RunError, replayed};
use crate::experiment::{Backend, Experiment};
use crate::host::{HostPlan, PlanError, Purpose};
use crate::params::Settings;
use crate::recording::Replay;
use crate::workloads::WorkloadId;

/// An experiment that can be run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// As asked for.
    pub experiment: Experiment,
    /// Its strategy.
    pub spec: StrategySpec,
    /// Its workload.
    pub workload: WorkloadId,
    /// Its parameters, defaults filled in.
    pub settings: Settings,
    /// Its machine.
    pub profile: Profile,
    /// The recording that it replays.
    pub replay: Option<Arc<Replay>>,
}

impl Prepared {
    /// Looks everything up.
    ///
    /// # Errors
    /// A name that does not exist, or sizes that do not fit.
    pub fn new(experiment: &Experiment) -> Result<Self, RunError> {
        let spec = StrategySpec::parse(&experiment.strategy)?;
        let workload = WorkloadId::parse(&experiment.workload)?;
        let (of_machine, own) = experiment.split_set();
        let settings = Settings::new(workload.info().name, workload.params(), &own)?;
        let profile = with_values(machine(&experiment.machine)?, &of_machine)?;
        let replay = replayed::load(experiment, workload)?;
        let experiment = match &replay {
            Some(replay) => replayed::sized(experiment, &spec, replay)?,
            None => experiment.clone(),
        };
        let prepared = Self { experiment, spec, workload, settings, profile, replay };
        if prepared.experiment.backend == Backend::Sim {
            let topology = prepared.profile.topology();
            let plan = prepared.plan(topology.nodes())?;
            plan.check_cpus(prepared.profile.name(), topology.cpus())?;
        }
        Ok(prepared)
    }

    /// Whether the module manages page pairs.
    #[must_use]
    pub fn dynamic(&self) -> bool {
        self.spec.info().module == ModuleMode::Dynamic
    }

    /// Whether violations are expected of the strategy: where 2M mappings are split, by its verdict for
    /// that scope.
    #[must_use]
    pub fn known_unsound(&self) -> bool {
        let info = self.spec.info();
        if self.experiment.page_size == "4k" && !self.workload.info().large_first {
            info.known_unsound()
        } else {
            info.known_unsound_with_splits()
        }
    }

    /// CPUs that it needs.
    pub(super) fn cpus_needed(&self) -> usize {
        let asked = &self.experiment;
        let vcpus = asked.tds as usize * asked.vcpus as usize;
        self.replay.as_ref().map_or(vcpus, |replay| replay.cpus())
    }

    pub(super) fn plan(&self, nodes: usize) -> Result<HostPlan, PlanError> {
        let purpose = Purpose {
            dynamic: self.dynamic(),
            large_first: self.workload.info().large_first,
            replay: self.replay.clone(),
        };
        HostPlan::new(&self.experiment, &self.settings, nodes, purpose)
    }
}

/// The machine with some of its values replaced.
fn with_values(
    mut profile: Profile,
    values: &BTreeMap<String, String>,
) -> Result<Profile, RunError> {
    for (key, value) in values {
        let number = value
            .parse::<f64>()
            .map_err(|_| RunError::MachineValue { key: key.clone(), value: value.clone() })?;
        profile = profile.with_value(key, number, "--set")?;
    }
    Ok(profile)
}

/// A built-in machine, or one in a file.
///
/// # Errors
/// No such name, or a file that is no usable profile.
pub fn machine(name: &str) -> Result<Profile, RunError> {
    if !name.ends_with(".toml") && !Path::new(name).exists() {
        return Ok(Profile::builtin(name)?);
    }
    let text = std::fs::read_to_string(name)
        .map_err(|source| RunError::MachineFile { path: name.to_owned(), source })?;
    Ok(Profile::parse(&text, name)?)
}
