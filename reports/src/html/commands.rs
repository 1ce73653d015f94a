//! The commands that repeat what a plot shows.

use crate::schema::Run;

/// The option that tells the strategies of an experiment apart.
const STRATEGY: &str = "--strategy ";

/// The commands of `runs` in their order; those that differ in their strategy alone are one, with a list.
pub(super) fn commands<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<String> {
    merged(runs.filter_map(|run| Some(run.provenance.as_ref()?.command.as_str())))
}

fn merged<'a>(commands: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut parts: Vec<(&str, Vec<&str>, &str)> = Vec::new();
    for (before, strategy, after) in commands.map(split) {
        match parts.iter_mut().find(|(b, _, a)| *b == before && *a == after) {
            Some((_, list, _)) if !list.contains(&strategy) => list.push(strategy),
            Some(_) => {}
            None => parts.push((before, vec![strategy], after)),
        }
    }
    let command = |(before, list, after): (&str, Vec<&str>, &str)| {
        before.to_owned() + &list.join(",") + after
    };
    parts.into_iter().map(command).collect()
}

/// What stands before the strategy, the strategy as a shell takes it, and what stands behind it.
fn split(command: &str) -> (&str, &str, &str) {
    let Some(at) = command.find(STRATEGY).map(|at| at + STRATEGY.len()) else {
        return (command, "", "");
    };
    let (before, rest) = command.split_at(at);
    let (strategy, after) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
    (before, strategy, after)
}

#[cfg(test)]
mod tests {
    use super::merged;

    #[test]
    fn what_differs_in_the_strategy_alone_is_one_command() {
        let of = |commands: &[&'static str]| merged(commands.iter().copied());
        let same = ["b --strategy x --seed 1", "b --strategy 'y[z=1]' --seed 1"];
        assert_eq!(of(&same), ["b --strategy x,'y[z=1]' --seed 1"]);
        let other = ["b --strategy x --seed 1", "b --strategy y --seed 2"];
        assert_eq!(of(&other), other);
        assert_eq!(of(&["lock --lock mcs", "lock --lock mcs"]), ["lock --lock mcs"]);
    }
}
