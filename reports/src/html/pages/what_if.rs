//! What-if: experiments that were run again with a parameter changed, side by side with the first.
//!
//! A change of the machine (`--set machine.KEY=VALUE`: a SEAMCALL at half its cost, say) or of the module
//! (`--set module_target=shared`) makes another experiment. Only reruns are shown: nothing is extrapolated.

use crate::figure::Unit;
use crate::html::block::{Block, Section};
use crate::html::table::{Entry, TableView};
use crate::scenario::Scenario;
use crate::schema::{Experiment, World};

/// Everything but the parameters.
fn key(scenario: &Scenario<'_>) -> (World, Experiment) {
    let bare = Experiment {
        parameters: Default::default(),
        strategy: String::new(),
        seed: 0,
        run: 0,
        ..scenario.experiment().clone()
    };
    (scenario.world(), bare)
}

/// The parameters of `changed` that are not as in `base`, as `name=value`.
fn changes(base: &Experiment, changed: &Experiment) -> Vec<String> {
    let names = base.parameters.keys().chain(changed.parameters.keys());
    let mut names: Vec<&String> =
        names.filter(|name| base.parameters.get(*name) != changed.parameters.get(*name)).collect();
    names.sort_unstable();
    names.dedup();
    let value = |name: &String| match changed.parameters.get(name) {
        Some(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        None => "as the machine has it".to_owned(),
    };
    names.into_iter().map(|name| format!("{name}={}", value(name))).collect()
}

/// The page, where an experiment is there with and without a change.
pub(in crate::html) fn what_if(scenarios: &[Scenario<'_>]) -> Option<Section> {
    let keys: Vec<_> = scenarios.iter().map(key).collect();
    let mut rows = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let Some(first) = keys[..index].iter().position(|key| *key == keys[index]) else {
            continue;
        };
        rows.extend(compared(&scenarios[first], (index, scenario)));
    }
    let caption = "Experiments that were run again with parameters changed: throughput before, after, and \
                   their ratio. Each change is a run of its own, which the link leads to.";
    let heads = ["strategy", "experiment", "change", "before, /s", "after, /s", "after / before"];
    let table = TableView::made("what-if-table".into(), caption.into(), &heads, rows);
    Section::new("what-if".into(), "What if", table.map(Block::Table).into_iter().collect())
}

fn compared(base: &Scenario<'_>, (index, changed): (usize, &Scenario<'_>)) -> Vec<Vec<Entry>> {
    let e = changed.experiment();
    let change = changes(base.experiment(), e).join(", ");
    let row = |cell: &crate::scenario::Cell<'_>| {
        let before = base.cells.iter().find(|other| other.strategy() == cell.strategy())?;
        Some(vec![
            Entry::from(cell.strategy()),
            Entry::Link {
                to: format!("s{index}"),
                text: format!("{} on {}", e.workload, e.machine),
            },
            change.as_str().into(),
            Entry::of(Unit::PerSecond, before.rate()),
            Entry::of(Unit::PerSecond, cell.rate()),
            Entry::of(Unit::Plain, cell.rate() / before.rate()),
        ])
    };
    changed.cells.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let with = |pairs: &[(&str, &str)]| Experiment {
            parameters: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect(),
            ..Experiment::default()
        };
        let base = with(&[("guest", "1us"), ("pause", "10ms")]);
        let changed = with(&[("guest", "1us"), ("pause", "20ms"), ("machine.hitm_ns", "40")]);
        assert_eq!(changes(&base, &changed), ["machine.hitm_ns=40", "pause=20ms"]);
    }
}
