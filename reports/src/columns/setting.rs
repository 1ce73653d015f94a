//! Columns of what was asked for: they lead a run's row in CSV and Parquet, and tell rows apart.

use super::columns;
use crate::schema::{Experiment, Run};

/// `key=value` for each parameter, as `--set` takes them, with a space between.
fn parameters(experiment: &Experiment) -> String {
    let pairs = experiment.parameters.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{key}={value}")
    });
    pairs.collect::<Vec<_>>().join(" ")
}

columns! {
    /// The settings of a run.
    SETTING: Run {
        "strategy" [at "experiment.strategy"] "" "strategy" Word Neutral Own "The strategy's spec." => |r| Some(r.experiment.strategy.clone());
        "workload" [at "experiment.workload"] "" "workload" Word Neutral Own "The workload's spec." => |r| Some(r.experiment.workload.clone());
        "machine" [at "experiment.machine"] "" "machine" Word Neutral Own "Machine profile, or the host." => |r| Some(r.experiment.machine.clone());
        "backend" [at "experiment.backend"] "" "backend" Word Neutral Own "`sim`, `native` or `hw`." => |r| Some(r.experiment.backend.clone());
        "seed" [at "experiment.seed"] "" "seed" Count Neutral Own "Seed." => |r| Some(r.experiment.seed);
        "run" [at "experiment.run"] "" "run" Count Neutral Own "Which repetition, from 0." => |r| Some(r.experiment.run);
        "tds" [at "experiment.tds"] "" "TDs" Count Neutral Own "Number of TDs." => |r| r.experiment.tds;
        "vcpus" [at "experiment.vcpus"] "" "vCPUs" Count Neutral Own "vCPUs of a TD." => |r| r.experiment.vcpus;
        "memory_bytes" [at "experiment.memory_bytes"] "" "memory" Bytes Neutral Own "Memory that a TD touches." => |r| r.experiment.memory_bytes;
        "page_size" [at "experiment.page_size"] "" "page size" Word Neutral Own "`4k`, `2m` or `mixed:SHARE`." => |r| r.experiment.page_size.clone();
        "placement" [at "experiment.placement"] "" "placement" Word Neutral Own "Placement of guest pages." => |r| r.experiment.placement.clone();
        "pamt_pages" [at "experiment.pamt_pages"] "" "backing" Word Neutral Own "Placement of the pages that back the PAMT." => |r| r.experiment.pamt_pages.clone();
        "parameters" [computed] "" "parameters" Word Neutral Own "The workload's parameters and the machine's changed values, `key=value` with a space between: experiment.parameters." => |r| Some(parameters(&r.experiment));
        "world" [at "result.world"] "" "world" Word Neutral Own "`modelled`, `measured` or `published`." => |r| Some(r.result.world.name().to_owned());
        "work_unit" [at "result.throughput.unit"] "" "unit of work" Word Neutral Own "What throughput counts." => |r| r.result.throughput.as_ref().map(|t| t.unit.clone());
    }
}
