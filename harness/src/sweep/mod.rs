//! Sweeps: all experiments of a plan, on all cores, resumable, and the same whoever ran which part.
//!
//! A [`Plan`] expands into [`Job`]s. A job's id is a hash of its experiment, and its result is one file
//! of that name, written beside and renamed: a sweep that is killed at any point, run twice, or run in
//! shards on many hosts leaves each result once or not at all. [`collect`] merges them in the order of
//! the plan, so the merged bytes depend on nothing else.

mod collect;
mod form;
mod job;
mod plan;
mod published;
mod run;
mod sampling;
mod standing;
mod store;
mod uncertainty;

pub use collect::{CollectError, Collected, Watch, collect};
pub use form::Form;
pub use job::{Job, Shard, ShardError};
pub use plan::{Axis, Keep, Plan, PlanError, Uncertainty, plan_schema};
pub use published::{BesidePublished, Published, Row};
pub use run::{Options, Progress, Summary, run};
pub use sampling::{Parameter, latin_hypercube};
pub use standing::{Standing, Standings};
pub use store::{Failure, Store, StoreError};
pub use uncertainty::{Report, rank};

#[cfg(test)]
mod tests;
