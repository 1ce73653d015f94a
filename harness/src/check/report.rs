//! A check in words: coverage, and the interleaving that broke something.

use std::fmt::Write;

use super::explore::{Coverage, Failure, Segment};
use super::{Checked, Story, WeakCoverage};

/// Columns of a CPU's text.
const WIDTH: usize = 58;

/// A schedule as one word: `0*120,1*33,0*8` is 120 steps of CPU 0, 33 of CPU 1, 8 of CPU 0.
#[must_use]
pub fn schedule_text(schedule: &[Segment]) -> String {
    let segments = schedule.iter().map(|segment| format!("{}*{}", segment.cpu, segment.steps));
    segments.collect::<Vec<_>>().join(",")
}

/// Reads what [`schedule_text`] writes.
///
/// # Errors
/// The part that is no `cpu*steps`.
pub fn parse_schedule(text: &str) -> Result<Vec<Segment>, String> {
    let segment = |part: &str| {
        let (cpu, steps) = part.split_once('*')?;
        let (cpu, steps) = (cpu.parse().ok()?, steps.parse().ok().filter(|steps| *steps > 0)?);
        Some(Segment { cpu, steps })
    };
    let parts = text.split(',').map(str::trim);
    parts.map(|part| segment(part).ok_or_else(|| part.to_owned())).collect()
}

/// What each CPU did, a column each, a row an event.
#[must_use]
pub fn story_table(story: &Story, cpus: usize) -> String {
    let mut out = String::new();
    let header = (0..cpus).map(|cpu| format!("{:WIDTH$}", format!("CPU {cpu}")));
    let _ = writeln!(out, "{}", header.collect::<Vec<_>>().join("| ").trim_end());
    for event in &story.events {
        let column = usize::from(event.cpu.0);
        let cells = (0..cpus)
            .map(|cpu| format!("{:WIDTH$}", if cpu == column { event.text.as_str() } else { "" }));
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("| ").trim_end());
    }
    out
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.exhaustive {
            Some(bound) => write!(f, "all schedules with up to {bound} preemptions")?,
            None => write!(f, "not all schedules without preemption")?,
        }
        write!(f, " ({} searched, {} random)", self.searched, self.random)
    }
}

impl std::fmt::Display for WeakCoverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { preemptions, executions, complete } = self;
        let all = if *complete { "all " } else { "" };
        let so_far = if *complete { "" } else { ", not all" };
        write!(
            f,
            "weak memory: {all}{executions} executions with up to {preemptions} preemptions{so_far}"
        )
    }
}

/// What broke, and what each CPU did.
fn told(story: &Story) -> String {
    let broken = story.violations.iter();
    let mut text: String =
        broken.map(|found| format!("{}: {}\n", found.kind.name(), found.detail)).collect();
    let cpus = story.events.iter().map(|event| usize::from(event.cpu.0) + 1).max();
    text.push_str(&story_table(story, cpus.unwrap_or(1)));
    text
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", told(&self.story))?;
        write!(f, "schedule: {}", schedule_text(&self.schedule))
    }
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scope, name) = (self.scenario.scope.name(), self.scenario.name);
        match &self.failure {
            None => {
                let verdict = if self.failed() { "FAIL " } else { "ok   " };
                write!(f, "{verdict} [{scope}] {name}: {}", self.coverage)?;
                if let Some(weak) = &self.weak {
                    write!(f, "; {weak}")?;
                }
                let table = self.weak_failure.as_ref().map(told);
                table.map_or(Ok(()), |table| write!(f, "\n{table}"))
            }
            Some(failure) => write!(
                f,
                "FAIL  [{scope}] {name}: found by schedule {}\n{failure}",
                self.coverage.searched + self.coverage.random,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_reads_back_as_it_was_written() {
        let schedule = vec![Segment { cpu: 0, steps: 120 }, Segment { cpu: 1, steps: 3 }];
        assert_eq!(parse_schedule(&schedule_text(&schedule)), Ok(schedule));
        assert_eq!(parse_schedule("0*12,1x3"), Err("1x3".to_owned()));
        assert_eq!(parse_schedule("0*0"), Err("0*0".to_owned()));
    }
}
