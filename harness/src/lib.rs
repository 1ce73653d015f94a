//! Host model, workloads, executors and the `pamt-bench` command.
//!
//! An [`experiment::Experiment`] is plain data; an executor of [`exec`] builds the world that it names,
//! puts the host model of [`host`] and a workload of [`workloads`] into it, runs it, and turns what was
//! measured into a result of `pamt-reports`. `books` checks every run while it goes on. [`sweep`] runs
//! lists of experiments, [`seamcall`] scripts of single calls. [`trace`] writes a run's events down;
//! [`recording`] reads what a real host did.

mod books;
pub mod calibrate;
pub mod check;
pub mod cli;
pub mod exec;
pub mod experiment;
pub mod fidelity;
pub mod host;
pub mod lockbench;
pub mod machine_fit;
pub mod machine_schema;
mod native_host;
pub mod params;
pub mod perf;
pub mod quantity;
pub mod recording;
pub mod seamcall;
pub mod sweep;
pub mod trace;
pub mod workloads;
