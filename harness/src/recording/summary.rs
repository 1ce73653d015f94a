//! What `trace info` says of a recording, gathered in one pass.

use std::collections::BTreeSet;
use std::fmt;
use std::io::BufRead;

use hdrhistogram::Histogram;
use pamt_reports::figure::time;

use super::error::RecordingError;
use super::operation::{Operation, What};
use super::pages::Step;
use super::reader::scan;

/// Times are told apart up to a day; longer ones count as one.
const LONGEST_NS: u64 = 86_400_000_000_000;

/// Recorded times of one kind of operation.
#[derive(Debug)]
struct Times(Histogram<u64>);

impl Times {
    fn new() -> Self {
        Self(Histogram::new_with_max(LONGEST_NS, 3).expect("a valid range and precision"))
    }

    fn add(&mut self, ns: u64) {
        self.0.saturating_record(ns.max(1));
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(times) = self;
        if times.is_empty() {
            return write!(f, "not recorded");
        }
        let at = |quantile| time(times.value_at_quantile(quantile) as f64);
        write!(
            f,
            "{} measured, mean {}, p50 {}, p99 {}, max {}",
            times.len(),
            time(times.mean()),
            at(0.5),
            at(0.99),
            at(1.0),
        )
    }
}

/// Gets, or puts.
#[derive(Debug)]
struct Half {
    count: u64,
    /// Those that bring a region its first page, or take its last.
    edges: u64,
    times: Times,
}

impl Half {
    fn new() -> Self {
        Self { count: 0, edges: 0, times: Times::new() }
    }

    fn add(&mut self, step: Option<Step>, took_ns: Option<u64>) {
        self.count += 1;
        self.edges += u64::from(step.is_some_and(|step| step.edge));
        if let Some(ns) = took_ns {
            self.times.add(ns);
        }
    }

    fn edge_percent(&self) -> f64 {
        100.0 * self.edges as f64 / self.count.max(1) as f64
    }
}

/// A recording in figures.
#[derive(Debug)]
pub struct Summary {
    file: String,
    clock: String,
    span_ns: Option<(u64, u64)>,
    cpus: BTreeSet<u16>,
    tds: BTreeSet<u32>,
    gets: Half,
    puts: Half,
    waits: Times,
    regions: u64,
    pfns: Option<(u64, u64)>,
    held_before: u64,
    held: u64,
    held_most: u64,
}

impl Summary {
    /// Reads the recording `input` of `file`.
    ///
    /// # Errors
    /// It is no right recording.
    pub fn of(file: &str, input: impl BufRead) -> Result<Self, RecordingError> {
        let mut summary = Self {
            file: file.to_owned(),
            clock: String::new(),
            span_ns: None,
            cpus: BTreeSet::new(),
            tds: BTreeSet::new(),
            gets: Half::new(),
            puts: Half::new(),
            waits: Times::new(),
            regions: 0,
            pfns: None,
            held_before: 0,
            held: 0,
            held_most: 0,
        };
        summary.clock = scan(file, input, |operation, step| summary.add(operation, step))?;
        Ok(summary)
    }

    fn add(&mut self, operation: &Operation, step: Option<Step>) {
        let begun = self.span_ns.map_or(operation.time_ns, |(begun, _)| begun);
        self.span_ns = Some((begun, operation.time_ns));
        self.cpus.insert(operation.cpu);
        self.tds.insert(operation.td);
        match operation.what {
            What::Get { pfn, took_ns } => {
                self.gets.add(step, took_ns);
                self.page(pfn);
                self.held += 1;
                self.held_most = self.held_most.max(self.held);
            }
            What::Put { pfn, took_ns } => {
                self.puts.add(step, took_ns);
                self.page(pfn);
                match step {
                    Some(Step { held_before: true, .. }) => self.held_before += 1,
                    _ => self.held -= 1,
                }
            }
            What::Wait { waited_ns, .. } => self.waits.add(waited_ns),
        }
        self.regions += u64::from(step.is_some_and(|step| step.new_region));
    }

    fn page(&mut self, pfn: u64) {
        let (low, high) = self.pfns.unwrap_or((pfn, pfn));
        self.pfns = Some((low.min(pfn), high.max(pfn)));
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |key: &str, value: String| writeln!(f, "{key:11} {value}");
        let (gets, puts) = (&self.gets, &self.puts);
        let length = self.span_ns.map_or(0, |(begun, ended)| ended - begun);
        row("trace", format!("{}: clock {}, {}", self.file, self.clock, time(length as f64)))?;
        row(
            "operations",
            format!("{} gets, {} puts, {} waits", gets.count, puts.count, self.waits.0.len()),
        )?;
        row("by", format!("{} CPUs for {} TDs", self.cpus.len(), self.tds.len()))?;
        if let Some((low, high)) = self.pfns {
            row("regions", format!("{} of 2 MiB, pfn {low:#x} to {high:#x}", self.regions))?;
        }
        row(
            "pages",
            format!(
                "{} held at most, {} held at the end; {} more were held before",
                self.held_most, self.held, self.held_before
            ),
        )?;
        row(
            "slow path",
            format!(
                "{} gets are a region's first page ({:.2} %), {} puts its last ({:.2} %)",
                gets.edges,
                gets.edge_percent(),
                puts.edges,
                puts.edge_percent()
            ),
        )?;
        row("get", gets.times.to_string())?;
        row("put", puts.times.to_string())?;
        row("wait", self.waits.to_string())
    }
}
