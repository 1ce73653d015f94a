//! `run --in-kernel`: what the command line means there.

use std::collections::BTreeMap;

use pamt_reports::schema::Run;
use pamt_strategies::spec::split_list;

use super::{CliError, RunArgs};
use crate::exec::{InKernel, RunError, run_in_kernel};
use crate::experiment::Backend;
use crate::params;

/// Bytes of a region.
const REGION: u64 = 2 << 20;

/// Runs every strategy, one after the other.
pub(super) fn run_all(args: &RunArgs) -> Result<Vec<Run>, CliError> {
    let asked = experiments(args)?;
    Ok(asked.iter().map(run_in_kernel).collect::<Result<Vec<_>, _>>()?)
}

fn experiments(args: &RunArgs) -> Result<Vec<InKernel>, CliError> {
    if args.backend != Backend::Hw {
        return Err(CliError::Usage("--in-kernel needs --backend hw".to_owned()));
    }
    let specs = args.strategy.as_deref().ok_or_else(|| {
        CliError::Usage(
            "give --strategy NAME; the kernel helper has global, simple, striped, per-2m".into(),
        )
    })?;
    let mut set = args
        .set
        .iter()
        .map(|argument| params::split(argument))
        .collect::<Result<BTreeMap<_, _>, _>>()
        .map_err(RunError::from)?;
    let ops = number(&mut set, "ops", 100_000)?;
    let depth = number(&mut set, "depth", 8)?;
    if let Some(key) = set.keys().next() {
        let known = "an in-kernel run takes ops and depth";
        return Err(CliError::Usage(format!("--set {key}: no such parameter; {known}")));
    }
    let regions = (u64::from(args.tds) * args.memory).div_ceil(REGION).min(u64::from(u32::MAX));
    let mut list = Vec::new();
    for strategy in split_list(specs).map_err(RunError::from)? {
        list.extend((0..args.runs).map(|repetition| InKernel {
            strategy: strategy.to_owned(),
            tds: args.tds,
            vcpus: args.vcpus,
            regions: regions as u32,
            ops,
            depth,
            seed: args.seed,
            repetition,
            oversubscribe: args.oversubscribe,
        }));
    }
    Ok(list)
}

fn number(set: &mut BTreeMap<String, String>, key: &str, default: u32) -> Result<u32, CliError> {
    let Some(value) = set.remove(key) else { return Ok(default) };
    value.parse().map_err(|_| CliError::Usage(format!("--set {key}={value}: give a whole number")))
}
