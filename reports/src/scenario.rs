//! Groups runs for comparison: a [`Scenario`] is everything but the strategy, a [`Cell`] one strategy
//! in it, with all its seeds and repetitions.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::{Document, Experiment, Run, RunResult, Verdict, World};

/// Seeds below which no ranking is claimed.
pub const RANKING_SEEDS: usize = 30;

/// Runs that differ in strategy, seed and repetition only.
#[derive(Debug)]
pub struct Scenario<'a> {
    /// The strategies, in the order in which the document has them.
    pub cells: Vec<Cell<'a>>,
}

/// All runs of one strategy in a scenario; never empty.
#[derive(Debug)]
pub struct Cell<'a> {
    /// Runs with their index in the document.
    pub runs: Vec<(usize, &'a Run)>,
}

/// What two runs of a scenario share.
fn key(run: &Run) -> (World, Experiment) {
    let experiment =
        Experiment { strategy: String::new(), seed: 0, run: 0, ..run.experiment.clone() };
    (run.result.world, experiment)
}

/// The scenarios of `runs`, in the order of their first run.
#[must_use]
pub fn scenarios(runs: &[Run]) -> Vec<Scenario<'_>> {
    let mut keys: Vec<(World, Experiment)> = Vec::new();
    let mut scenarios: Vec<Scenario<'_>> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let key = key(run);
        let at = keys.iter().position(|k| *k == key).unwrap_or_else(|| {
            keys.push(key);
            scenarios.push(Scenario { cells: Vec::new() });
            scenarios.len() - 1
        });
        let cells = &mut scenarios[at].cells;
        match cells.iter_mut().find(|cell| cell.strategy() == run.experiment.strategy) {
            Some(cell) => cell.runs.push((index, run)),
            None => cells.push(Cell { runs: vec![(index, run)] }),
        }
    }
    scenarios
}

/// The scenarios of a document but for those of draws, which are shown as the rankings made of them.
#[must_use]
pub fn undrawn(document: &Document) -> Vec<Scenario<'_>> {
    let drawn = document.rankings.iter().flat_map(|ranking| &ranking.tornado);
    let drawn: BTreeSet<&String> = drawn.map(|row| &row.parameter).collect();
    let mut scenarios = scenarios(&document.runs);
    scenarios.retain(|scenario| {
        scenario.experiment().parameters.keys().all(|name| !drawn.contains(name))
    });
    scenarios
}

impl<'a> Scenario<'a> {
    /// What a reader of its numbers must know, each sentence once.
    #[must_use]
    pub fn notes(&self) -> Vec<&'a str> {
        let mut notes: Vec<&str> = Vec::new();
        for (_, run) in self.cells.iter().flat_map(|cell| &cell.runs) {
            let partial = run.result.partial.then_some("cut short: the figures cover a part");
            for note in run.result.notes.iter().map(String::as_str).chain(partial) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }

    /// The experiment of its first run, for what all its runs share.
    #[must_use]
    pub fn experiment(&self) -> &'a Experiment {
        &self.cells[0].runs[0].1.experiment
    }

    /// The kind of evidence.
    #[must_use]
    pub fn world(&self) -> World {
        self.cells[0].runs[0].1.result.world
    }

    /// What was run, in one line: workload, machine, sizes, seeds and kind of evidence.
    #[must_use]
    pub fn title(&self) -> String {
        let e = self.experiment();
        let mut parts = vec![e.workload.clone(), e.machine.clone()];
        match (e.tds, e.vcpus) {
            (Some(tds), Some(vcpus)) => parts.push(format!("{tds} TDs x {vcpus} vCPUs")),
            (Some(tds), None) => parts.push(format!("{tds} TDs")),
            _ => {}
        }
        let size = |bytes: u64| crate::figure::Unit::Bytes.show(&bytes.into());
        parts.extend(e.memory_bytes.map(|bytes| format!("{} a TD", size(bytes))));
        parts.extend(e.page_size.iter().map(|page| format!("{page} pages")));
        parts.extend(e.placement.iter().map(|placement| format!("guest pages {placement}")));
        parts.extend(e.pamt_pages.iter().map(|placement| format!("PAMT pages {placement}")));
        parts.extend(e.parameters.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        }));
        parts.push(self.seeds());
        parts.push(self.world().name().to_owned());
        parts.join(" · ")
    }

    /// `seed 1`, `seeds 1-30`, or their number; how many runs a strategy has where it is not one.
    #[must_use]
    pub fn seeds(&self) -> String {
        let mut seeds: Vec<u64> =
            self.cells.iter().flat_map(|c| c.runs.iter().map(|(_, r)| r.experiment.seed)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let (first, last) = (seeds[0], seeds[seeds.len() - 1]);
        let mut text = match seeds.len() {
            1 => format!("seed {first}"),
            n if last - first + 1 == n as u64 => format!("seeds {first}-{last}"),
            n => format!("{n} seeds"),
        };
        let most = self.cells.iter().map(|cell| cell.runs.len()).max().unwrap_or(1);
        if most > 1 {
            text.push_str(&format!(", {most} runs"));
        }
        text
    }

    /// The least number of runs of a strategy.
    #[must_use]
    pub fn least_runs(&self) -> usize {
        self.cells.iter().map(|cell| cell.runs.len()).min().unwrap_or(0)
    }

    /// Whether there are seeds enough to speak of a ranking; measured runs have their own statistics.
    #[must_use]
    pub fn claims_ranking(&self) -> bool {
        self.world() != World::Modelled || self.least_runs() >= RANKING_SEEDS
    }

    /// The unit of work.
    #[must_use]
    pub fn work_unit(&self) -> &'a str {
        let unit = self.cells.iter().find_map(|cell| cell.result().throughput.as_ref());
        unit.map_or("work", |throughput| throughput.unit.as_str())
    }

    /// The sound strategy that does most work per time, the floor aside.
    #[must_use]
    pub fn winner(&self) -> Option<&Cell<'a>> {
        let candidates = self.cells.iter().filter(|cell| cell.is_candidate());
        let contested = candidates.clone().count() > 1;
        candidates.filter(|_| contested).max_by(|a, b| a.rate().total_cmp(&b.rate()))
    }

    /// The floor: the same work without dynamic PAMT.
    #[must_use]
    pub fn floor(&self) -> Option<&Cell<'a>> {
        self.cells.iter().find(|cell| cell.is_floor())
    }
}

impl<'a> Cell<'a> {
    /// The strategy's spec.
    #[must_use]
    pub fn strategy(&self) -> &'a str {
        &self.runs[0].1.experiment.strategy
    }

    /// The run whose numbers are shown: the (lower) median by throughput.
    #[must_use]
    pub fn shown(&self) -> (usize, &'a Run) {
        let mut runs = self.runs.clone();
        runs.sort_by(|a, b| rate(&a.1.result).total_cmp(&rate(&b.1.result)));
        runs[(runs.len() - 1) / 2]
    }

    /// The result of the run shown.
    #[must_use]
    pub fn result(&self) -> &'a RunResult {
        &self.shown().1.result
    }

    /// Work per second of the run shown; 0 when not known.
    #[must_use]
    pub fn rate(&self) -> f64 {
        rate(self.result())
    }

    /// Least and most work per second of its runs.
    #[must_use]
    pub fn spread(&self) -> (f64, f64) {
        let rates = self.runs.iter().map(|(_, run)| rate(&run.result));
        rates.fold((f64::INFINITY, 0.0), |(low, high), r| (low.min(r), high.max(r)))
    }

    /// Whether it neither took a page pair nor called a get: the static mode of the module.
    #[must_use]
    pub fn is_floor(&self) -> bool {
        let result = self.result();
        result.correctness.pairs_added == 0 && !result.ops.contains_key("pamt_get")
    }

    /// Whether it may win: sound in all its runs, complete, and with work of its own.
    #[must_use]
    pub fn is_candidate(&self) -> bool {
        let sound = self.runs.iter().all(|(_, run)| {
            let correctness = &run.result.correctness;
            correctness.verdict == Verdict::Clean
                && !correctness.known_unsound
                && !run.result.partial
        });
        sound && !self.is_floor() && self.rate() > 0.0
    }
}

fn rate(result: &RunResult) -> f64 {
    result.throughput.as_ref().map_or(0.0, |throughput| throughput.per_second)
}

/// One part of an operation's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The innermost operation, or `own`.
    pub name: String,
    /// Its self time below the operation, over all CPUs, in ns.
    pub total_ns: u64,
}

/// Splits the time of `op` into the self times of what it contains, longest first.
#[must_use]
pub fn split(result: &RunResult, op: &str) -> Vec<Part> {
    parts(result.spans.iter().filter_map(|span| {
        let inside = span.path.iter().any(|name| name == op);
        let innermost = span.path.last().filter(|_| inside)?;
        // The slow part of a get is a get: its self time is the get's own.
        let own = innermost.strip_suffix("_slow").unwrap_or(innermost) == op;
        Some((if own { "own" } else { innermost }, span.self_ns))
    }))
}

/// Self times of a whole run by innermost operation, longest first.
#[must_use]
pub fn all_parts(result: &RunResult) -> Vec<Part> {
    parts(result.spans.iter().filter_map(|span| Some((span.path.last()?.as_str(), span.self_ns))))
}

/// Sums times by name, longest first; nothing is left out but what took no time.
fn parts<'a>(times: impl Iterator<Item = (&'a str, u64)>) -> Vec<Part> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, self_ns) in times {
        *sums.entry(name).or_default() += self_ns;
    }
    let part = |(name, total_ns): (&str, u64)| Part { name: name.to_owned(), total_ns };
    let mut parts: Vec<Part> = sums.into_iter().map(part).filter(|p| p.total_ns > 0).collect();
    parts.sort_by(|a, b| b.total_ns.cmp(&a.total_ns).then_with(|| a.name.cmp(&b.name)));
    parts
}
