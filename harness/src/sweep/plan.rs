//! PLAN.toml: which experiments a sweep runs.
//!
//! ```toml
//! [base]                       # of every experiment, by the names of the run options
//! workload = "teardown"
//! memory = "16MiB"
//! [cross]                      # every combination of these
//! strategy = ["global", "striped:64"]
//! tds = [1, 8]
//! seed = { from = 1, count = 30 }
//! [uncertainty]                # each of them under draws of the machine's uncertain values
//! draws = 200
//! [published]                  # figures that somebody published, to lay the modelled ones beside
//! rows = []
//! [standing]                   # how the strategies stand against one of them
//! against = "global"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::job::Job;
use super::published::Published;
use super::sampling::{Parameter, latin_hypercube};
use super::standing::Standing;

/// A plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Options of every experiment; `set.KEY` for a workload's own parameter.
    pub base: BTreeMap<String, Value>,
    /// Options that take each of these values; every combination is run, the last one varies fastest in
    /// the order of their names, but for `seed`, which varies fastest of all.
    pub cross: BTreeMap<String, Axis>,
    /// What of a result is kept.
    pub keep: Keep,
    /// Runs each experiment under draws of the machine's uncertain parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// Published figures. The experiments are then run undrawn, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// How the strategies stand against one of them. The experiments are then run undrawn, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// Values of one option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Axis {
    /// One by one.
    List(Vec<Value>),
    /// `count` whole numbers that begin with `from`.
    Range {
        /// The first.
        from: u64,
        /// How many.
        count: u64,
    },
}

/// What of a result is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// All numbers, without histograms, spans, single lines and single TDs.
    #[default]
    Summary,
    /// Everything.
    Full,
}

/// Draws of uncertain parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uncertainty {
    /// How many.
    pub draws: u32,
    /// Seed of the draws.
    #[serde(default)]
    pub seed: u64,
    /// The metric by which strategies are ranked.
    #[serde(default = "throughput")]
    pub metric: String,
    /// Options of the drawn experiments that replace those of the plan: a smaller size, say.
    #[serde(default)]
    pub base: BTreeMap<String, Value>,
    /// Ranges of further parameters, by the names that `--set` takes: those of a workload that nobody
    /// has measured either.
    #[serde(default)]
    pub ranges: BTreeMap<String, [f64; 2]>,
}

pub(super) fn throughput() -> String {
    "throughput.per_second".to_owned()
}

/// Why a plan cannot be used.
#[derive(Debug, Error)]
pub enum PlanError {
    /// It cannot be read.
    #[error("cannot read the plan {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not of the form.
    #[error("{path} is not a plan: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A value in it cannot be used.
    #[error("{path}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// Most jobs of one plan: a mistaken cross product should not fill a disk.
const MOST_JOBS: usize = 10_000_000;

impl Plan {
    /// Reads the plan at `path`.
    ///
    /// # Errors
    /// [`PlanError`], which names the file and the place in it.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanError::Io { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parses `text`, which came from `path`.
    ///
    /// # Errors
    /// [`PlanError`], which names the file and the place in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text).map_err(|source| PlanError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        plan.check().map_err(|problem| PlanError::Value { path: path.to_owned(), problem })?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        if self.base.is_empty() && self.cross.is_empty() {
            return Err("the plan is empty: give options in [base], or several in [cross]".into());
        }
        if let Some(name) = self.base.keys().find(|name| self.cross.contains_key(*name)) {
            return Err(format!("`{name}` is in both base and cross: keep one"));
        }
        if let Some((name, _)) = self.cross.iter().find(|(_, axis)| axis.len() == 0) {
            return Err(format!("cross.{name} has no value: give at least one"));
        }
        if self.uncertainty.as_ref().is_some_and(|uncertainty| uncertainty.draws == 0) {
            return Err("uncertainty.draws is 0: give at least 1, or leave the section out".into());
        }
        let ranges = self.uncertainty.iter().flat_map(|uncertainty| &uncertainty.ranges);
        if let Some((name, _)) = ranges.clone().find(|(_, [low, high])| low > high) {
            return Err(format!("uncertainty.ranges.{name}: the lowest value comes first"));
        }
        self.standing.as_ref().map_or(Ok(()), |standing| self.check_standing(standing))?;
        let draws = self.uncertainty.as_ref().map_or(1, |u| u.draws as usize);
        let jobs = self.cross.values().try_fold(draws, |jobs, axis| jobs.checked_mul(axis.len()));
        match jobs {
            Some(jobs) if jobs <= MOST_JOBS => Ok(()),
            _ => Err(format!("more than {MOST_JOBS} experiments: split the plan")),
        }
    }

    /// The strategy that the others are measured against is one of the plan's.
    fn check_standing(&self, standing: &Standing) -> Result<(), String> {
        let axis = self.cross.get("strategy").map(Axis::values).unwrap_or_default();
        let strategies: Vec<&str> =
            axis.iter().chain(self.base.get("strategy")).filter_map(Value::as_str).collect();
        if strategies.contains(&standing.against.as_str()) {
            return Ok(());
        }
        let strategies = strategies.join(", ");
        let against = &standing.against;
        Err(format!("standing.against = `{against}` is not a strategy of the plan: {strategies}"))
    }

    /// The jobs, in order. `complete` turns options into a whole experiment (or says what is wrong
    /// with them); `parameters` lists what is uncertain about the machine of an experiment.
    ///
    /// # Errors
    /// The problem, with the experiment that has it.
    pub fn jobs(
        &self,
        complete: impl Fn(&Map<String, Value>) -> Result<Value, String>,
        parameters: impl Fn(&Value) -> Result<Vec<Parameter>, String>,
    ) -> Result<Vec<Job>, String> {
        let mut jobs = Vec::new();
        for options in self.combinations() {
            let problem = |problem| format!("{problem} (in {})", Value::Object(options.clone()));
            let experiment = complete(&options).map_err(problem)?;
            let Some(uncertainty) = &self.uncertainty else {
                jobs.push(Job::new(experiment, None));
                continue;
            };
            let mut parameters = parameters(&experiment).map_err(problem)?;
            uncertainty.add_ranges(&mut parameters);
            if self.published.is_some() || self.standing.is_some() {
                jobs.push(Job::new(experiment, None));
            }
            for (draw, values) in
                (0..).zip(latin_hypercube(&parameters, uncertainty.draws, uncertainty.seed))
            {
                let mut options = options.clone();
                options.extend(uncertainty.base.clone());
                for (parameter, value) in parameters.iter().zip(values) {
                    options.insert(format!("set.{}", parameter.name), value.to_string().into());
                }
                let problem = |problem| format!("{problem} (in draw {draw})");
                jobs.push(Job::new(complete(&options).map_err(problem)?, Some(draw)));
            }
        }
        Ok(jobs)
    }

    /// Options of each combination.
    fn combinations(&self) -> Vec<Map<String, Value>> {
        let base: Map<String, Value> =
            self.base.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut combinations = vec![base];
        let seed_last = |name: &&String| *name == "seed";
        let names = self.cross.keys().filter(|name| !seed_last(name));
        for name in names.chain(self.cross.keys().filter(seed_last)) {
            let values = self.cross[name].values();
            combinations = combinations
                .into_iter()
                .flat_map(|options| {
                    values.iter().map(move |value| {
                        let mut options = options.clone();
                        options.insert(name.clone(), value.clone());
                        options
                    })
                })
                .collect();
        }
        combinations
    }
}

impl Uncertainty {
    /// Adds the plan's own ranges, which replace those of the machine.
    fn add_ranges(&self, parameters: &mut Vec<Parameter>) {
        parameters.retain(|parameter| !self.ranges.contains_key(&parameter.name));
        let own = self.ranges.iter();
        parameters.extend(own.map(|(name, [low, high])| Parameter {
            name: name.clone(),
            low: *low,
            high: *high,
        }));
    }
}

impl Axis {
    fn len(&self) -> usize {
        match self {
            Self::List(values) => values.len(),
            Self::Range { count, .. } => usize::try_from(*count).unwrap_or(usize::MAX),
        }
    }

    fn values(&self) -> Vec<Value> {
        match self {
            Self::List(values) => values.clone(),
            Self::Range { from, count } => {
                (0..*count).map(|offset| from.wrapping_add(offset).into()).collect()
            }
        }
    }
}

/// The JSON schema of a plan, in its checked-in form.
#[must_use]
pub fn plan_schema() -> String {
    pamt_reports::schema::written(schemars::schema_for!(Plan).to_value())
}
