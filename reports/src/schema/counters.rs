//! Hardware counters.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One hardware counter over a run: its count, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CounterRow {
    /// The CPU's own event that was counted, where the kernel has no general one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What it counted, all threads together, in user mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
}

/// Counters as sentences, those of one count or one reason together.
#[must_use]
pub fn counter_lines<'a>(
    counters: impl IntoIterator<Item = (&'a String, &'a CounterRow)>,
) -> Vec<String> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, counter) in counters {
        let said = match (&counter.count, &counter.unavailable) {
            (Some(count), _) => count.to_string(),
            (None, why) => {
                format!("unavailable, because {}", why.as_deref().unwrap_or("nobody said why"))
            }
        };
        let named = match &counter.event {
            Some(event) => format!("{name} ({event})"),
            None => name.clone(),
        };
        groups.entry(said).or_default().insert(named);
    }
    let sentence = |(said, names): (String, BTreeSet<String>)| {
        format!("{}: {said}", names.into_iter().collect::<Vec<_>>().join(", "))
    };
    groups.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_a_host_lacks_are_told_together_with_the_reason() {
        let lacks =
            |why: &str| CounterRow { unavailable: Some(why.into()), ..CounterRow::default() };
        let counters = BTreeMap::from([
            ("cycles".to_owned(), lacks("x")),
            ("instructions".to_owned(), CounterRow { count: Some(7), ..CounterRow::default() }),
            ("lcl_hitm".to_owned(), CounterRow { event: Some("MEM_X".into()), ..lacks("x") }),
        ]);
        let lines = counter_lines(&counters);
        let lacking = "cycles, lcl_hitm (MEM_X): unavailable, because x";
        assert_eq!(lines, ["instructions: 7", lacking]);
    }
}
