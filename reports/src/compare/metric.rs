//! The numbers of a result by name, and which way is better.
//!
//! A metric's name is its path in the result (`ops.pamt_get.p99_ns`). Lists have no names of their own:
//! each becomes one metric with the suffix `#` whose value is a digest, so that no part of a
//! deterministic result can change unseen.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::columns::{self, Column, Direction};
use crate::schema::{RunResult, sorted};

/// All metrics of a result, by name.
#[must_use]
pub fn metrics_of(result: &RunResult) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    let value = serde_json::to_value(result).expect("plain data with string keys is always JSON");
    flatten("", &sorted(value), &mut metrics);
    metrics.remove("notes#");
    // What disturbed a run is no figure of it.
    metrics.retain(|name, _| !name.starts_with("noise."));
    metrics
}

fn flatten(path: &str, value: &Value, metrics: &mut BTreeMap<String, f64>) {
    match value {
        Value::Number(number) => {
            metrics.extend(number.as_f64().map(|number| (path.to_owned(), number)));
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, field, metrics);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            metrics.insert(format!("{path}#"), digest(&value.to_string()));
        }
        Value::Bool(flag) => {
            metrics.insert(path.to_owned(), f64::from(u8::from(*flag)));
        }
        Value::Array(_) | Value::String(_) | Value::Null => {}
    }
}

/// A hash cut to the 53 bits that a double holds.
fn digest(text: &str) -> f64 {
    (hash(text.bytes()) >> 11) as f64
}

/// FNV-1a, 64 bits.
pub(super) fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Which way `metric` is better: as its column says. What has no column describes the run, but for
/// BUSY returns, retries and memory.
#[must_use]
pub fn direction(metric: &str) -> Direction {
    let (group, rest) = metric.split_once('.').unwrap_or(("", metric));
    let leaf = rest.rsplit('.').next().unwrap_or(rest);
    let column = match group {
        _ if metric.ends_with('#') => Some(Direction::Neutral),
        "ops" => of_column(columns::OP, leaf),
        "locks" => of_column(columns::LOCK, leaf).or(of_column(columns::HANDOFF, leaf)),
        "lines" => of_column(columns::LINE, leaf),
        "busy" | "retries" | "memory" => Some(Direction::Lower),
        _ => of_column(columns::RUN, metric),
    };
    column.unwrap_or(Direction::Neutral)
}

fn of_column<R>(columns: &'static [Column<R>], path: &str) -> Option<Direction> {
    columns.iter().find(|column| column.path == Some(path)).map(|column| column.direction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{OpRow, SpanRow, Throughput};

    fn result() -> RunResult {
        let mut result = RunResult { virtual_time_ns: 7, ..RunResult::default() };
        let op = OpRow { count: 3, p99_ns: 250, ..OpRow::default() };
        result.ops.insert("pamt_get".into(), op);
        result.throughput = Some(Throughput { per_second: 2.5, ..Throughput::default() });
        result
    }

    #[test]
    fn a_metric_is_named_by_its_path_in_the_result() {
        let metrics = metrics_of(&result());
        assert_eq!(metrics["ops.pamt_get.p99_ns"], 250.0);
        assert_eq!(metrics["throughput.per_second"], 2.5);
        assert_eq!(metrics["virtual_time_ns"], 7.0);
    }

    #[test]
    fn a_change_inside_a_list_changes_its_digest() {
        let mut changed = result();
        changed.spans.push(SpanRow { count: 1, path: vec!["fault".into()], self_ns: 3 });
        let before = metrics_of(&changed);
        changed.spans[0].self_ns = 4;
        assert_ne!(before["spans#"], metrics_of(&changed)["spans#"]);
    }

    #[test]
    fn directions_follow_the_meaning_of_the_column() {
        for lower in ["ops.pamt_get.p99_ns", "locks.pamt.waittime_max_ns", "virtual_time_ns"] {
            assert_eq!(direction(lower), Direction::Lower, "{lower}");
        }
        for lower in ["busy.tdh_phymem_pamt_add.tree", "lines.pamt_lock.counts.rmt_hitm"] {
            assert_eq!(direction(lower), Direction::Lower, "{lower}");
        }
        for neutral in ["locks.pamt.shared_acquisitions", "ops.pamt_get.count", "spans#"] {
            assert_eq!(direction(neutral), Direction::Neutral, "{neutral}");
        }
        assert_eq!(direction("throughput.per_second"), Direction::Higher);
        assert_eq!(direction("locks.pamt.fairness_jain"), Direction::Higher);
    }
}
