//! `lock`: the lock microbenchmark from the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pamt_reports::csv;
use pamt_reports::exit::Exit;
use pamt_reports::schema::{LockBenchDocument, LockBenchRow, Noise, Provenance};
use pamt_reports::text::lock_bench;
use pamt_reports::text::terminal::View;
use pamt_sim::machine::Profile;
use pamt_strategies::platform::native::host_cpus;
use pamt_strategies::spec::split_list;
use rayon::prelude::*;

use super::favours::FavourArgs;
use super::output::{self, Format};
use super::{CliError, interrupt, progress};
use crate::exec::{self, RunError};
use crate::lockbench::{
    Length, LockBench, LockRunError, NativeChoices, PinOrder, Stop, Subject, documented,
    run_native, run_simulated,
};
use crate::native_host::{self, Counters, Watch};
use crate::quantity;

/// Arguments of `lock`.
#[derive(Debug, Args)]
pub(super) struct LockArgs {
    /// Locks, separated by commas; `list locks` shows them
    #[arg(long, value_name = "NAME,...")]
    lock: String,
    /// Threads: numbers and ranges, separated by commas (1,2,4 or 1-8 or 8-64:8)
    #[arg(long, value_name = "N,...", default_value = "1,2,4,8,16,32", value_parser = thread_counts)]
    threads: ThreadCounts,
    /// How long it is held: a time, or exp:TIME for exponential lengths with that mean
    #[arg(long, value_name = "TIME|exp:TIME", default_value = "200ns", value_parser = length)]
    critical: Length,
    /// How long a thread waits between release and the next acquire
    #[arg(long, value_name = "TIME|exp:TIME", default_value = "1000ns", value_parser = length)]
    parallel: Length,
    /// Acquisitions of each thread (simulated: 1000 unless --duration is given)
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    acquires: Option<u64>,
    /// Length of a run, so that no thread finishes early (native: 1s unless --acquires is given)
    #[arg(long, value_name = "TIME", value_parser = quantity::duration_ns)]
    duration: Option<f64>,
    /// Order of CPUs: smt-first, cores-first, scatter, or a file of CPU numbers
    #[arg(long, value_name = "ORDER|FILE", default_value = "cores-first")]
    pin: String,
    /// In which world to run
    #[arg(long, value_enum, default_value_t)]
    backend: LockBackend,
    /// Machine profile of simulated runs: a name, or the path of a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "spr-2s")]
    machine: String,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Repetitions, each with the next seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Allow more threads than CPUs (native): they take turns
    #[arg(long)]
    oversubscribe: bool,
    #[command(flatten)]
    favours: FavourArgs,
    /// Host threads that run simulations side by side; results do not depend on it
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write to FILE, in the form that its extension says (.json, .csv, .md, .txt)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Nothing on standard error but failures
    #[arg(long)]
    quiet: bool,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
}

/// The worlds of the lock benchmark: SEAMCALLs take no part in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LockBackend {
    /// The simulated machine
    #[default]
    Sim,
    /// Pinned threads of this host
    Native,
}

/// `--threads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ThreadCounts(pub(super) Vec<usize>);

pub(super) fn thread_counts(text: &str) -> Result<ThreadCounts, String> {
    let wrong = |part: &str| {
        format!("`{part}` is neither a number from 1 nor a range such as 1-8 or 8-64:8")
    };
    let number = |part: &str| part.parse().ok().filter(|n| *n > 0);
    let mut counts = Vec::new();
    for part in text.split(',') {
        let range = part.split_once('-').and_then(|(from, rest)| {
            let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
            Some((number(from)?..=number(to)?, number(step)?))
        });
        match range {
            Some((range, step)) if !range.is_empty() => counts.extend(range.step_by(step)),
            _ => counts.push(number(part).ok_or_else(|| wrong(part))?),
        }
    }
    Ok(ThreadCounts(counts))
}

fn length(text: &str) -> Result<Length, quantity::QuantityError> {
    match text.strip_prefix("exp:") {
        Some(mean) => quantity::duration_ns(mean).map(Length::Exponential),
        None => quantity::duration_ns(text).map(Length::Constant),
    }
}

impl LockArgs {
    fn stop(&self) -> Stop {
        match (self.acquires, self.duration, self.backend) {
            (Some(acquires), _, _) => Stop::Acquires(acquires),
            (None, Some(ns), _) => Stop::After(ns as u64),
            (None, None, LockBackend::Sim) => Stop::Acquires(1000),
            (None, None, LockBackend::Native) => Stop::After(1_000_000_000),
        }
    }

    /// Locks x threads x repetitions, in that order.
    fn benches(&self) -> Result<Vec<LockBench>, CliError> {
        let names = split_list(&self.lock).map_err(RunError::from)?;
        let locks: Vec<Subject> =
            names.into_iter().map(Subject::parse).collect::<Result<_, _>>()?;
        let pin = PinOrder::parse(&self.pin).map_err(LockRunError::from)?;
        let mut benches = Vec::new();
        for lock in locks {
            for threads in &self.threads.0 {
                for run in 0..self.runs {
                    benches.push(LockBench {
                        critical: self.critical,
                        parallel: self.parallel,
                        stop: self.stop(),
                        pin: pin.clone(),
                        seed: self.seed.wrapping_add(run),
                        ..LockBench::new(lock, *threads)
                    });
                }
            }
        }
        Ok(benches)
    }

    /// The rows, and whether they are all of those that were asked for.
    fn document(&self) -> Result<(LockBenchDocument, Exit), CliError> {
        let benches = self.benches()?;
        let (mut document, exit) = match self.backend {
            LockBackend::Sim => (self.simulated(&benches)?, Exit::Passed),
            LockBackend::Native => self.native(&benches)?,
        };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let measured = self.backend == LockBackend::Native;
        document.provenance = Some(Provenance {
            command: format!("pamt-bench {}", arguments.join(" ")),
            host: if measured { native_host::provenance() } else { BTreeMap::new() },
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Provenance::default()
        });
        Ok((document, exit))
    }

    fn simulated(&self, benches: &[LockBench]) -> Result<LockBenchDocument, CliError> {
        let profile = exec::machine(&self.machine)?;
        let bar = progress::bar(benches.len(), !self.quiet && !self.no_progress);
        let one = |bench: &LockBench| {
            let row = run_simulated(&profile, bench)?;
            bar.inc(1);
            Ok(documented(bench, &row, Some(profile.name())))
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build();
        let pool = pool.map_err(|error| CliError::Usage(format!("--jobs: {error}; give fewer")))?;
        let rows = pool.install(|| benches.par_iter().map(one).collect::<Result<_, CliError>>());
        bar.finish_and_clear();
        let mut document = LockBenchDocument::new(rows?);
        document.machines = BTreeMap::from([described(&profile)]);
        document.notes = profile.notes().to_vec();
        Ok(document)
    }

    /// Threads of this host are the thing measured: one run at a time.
    fn native(&self, benches: &[LockBench]) -> Result<(LockBenchDocument, Exit), CliError> {
        let bar = progress::bar(benches.len(), !self.quiet && !self.no_progress);
        let interrupt = interrupt::watch()?;
        let choices = NativeChoices {
            oversubscribe: self.oversubscribe,
            favours: self.favours.asked(),
            interrupted: Some(interrupt.flag()),
        };
        let (mut rows, mut noises, mut refused) = (Vec::new(), Vec::new(), BTreeSet::new());
        for bench in benches.iter().take_while(|_| !interrupt.asked()) {
            let mut cpus = bench.pin.host_cpus(&host_cpus()).map_err(LockRunError::from)?;
            cpus.truncate(bench.threads);
            let watch = Watch::begin(cpus);
            let counters = Counters::begin();
            let row = run_native(bench, &choices)?;
            let counters = counters.end();
            let noise = watch.end(row.spread_frac);
            let repeat_frac = noise.repeat_frac;
            refused.extend(row.refused.iter().cloned());
            rows.push(LockBenchRow { counters, repeat_frac, ..documented(bench, &row, None) });
            noises.push(noise);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let mut document = LockBenchDocument::new(rows);
        document.notes.extend(refused);
        let bar = |noise: &Noise| noise.repeat_frac.unwrap_or(0.0);
        document.noise = noises.into_iter().max_by(|a, b| bar(a).total_cmp(&bar(b)));
        if !interrupt.asked() {
            return Ok((document, Exit::Passed));
        }
        let missing = benches.len() - document.rows.len();
        let all = benches.len();
        document.notes.push(format!("interrupted: {missing} of {all} runs are missing"));
        Ok((document, Exit::Interrupted))
    }
}

fn described(profile: &Profile) -> (String, Vec<pamt_reports::schema::ModelParameter>) {
    (profile.name().to_owned(), exec::parameters(profile))
}

fn render(document: &LockBenchDocument, format: Format, view: View) -> String {
    match format {
        Format::Text => lock_bench::terminal(document, view),
        Format::Json => document.to_json(),
        Format::Csv => csv::lock_bench(document),
        Format::Markdown => lock_bench::markdown(document),
    }
}

pub(super) fn execute(args: &LockArgs) -> Result<Exit, CliError> {
    let format = args.output.as_deref().map_or(Ok(args.format), Format::of)?;
    let (document, exit) = args.document()?;
    let file = args.output.as_ref();
    let view = file.map_or_else(output::stdout_view, |_| output::PLAIN);
    output::text_to(file, &render(&document, format, view))?;
    if let Some(path) = file.filter(|_| !args.quiet) {
        anstream::eprintln!("wrote {}", path.display());
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_a_list_of_numbers_and_ranges() {
        let counts = |text: &str| thread_counts(text).map(|counts| counts.0);
        assert_eq!(counts("1,2,4"), Ok(vec![1, 2, 4]));
        assert_eq!(counts("1-3,8-24:8"), Ok(vec![1, 2, 3, 8, 16, 24]));
        for wrong in ["0", "", "4-1", "1-8:0", "x", "1-"] {
            let message = counts(wrong).expect_err(wrong);
            assert!(message.contains(&format!("`{wrong}`")), "{message}");
        }
    }

    #[test]
    fn a_length_is_constant_unless_it_says_exp() {
        assert_eq!(length("200ns"), Ok(Length::Constant(200.0)));
        assert_eq!(length("exp:1us"), Ok(Length::Exponential(1000.0)));
        assert!(length("exp:200").is_err());
    }
}
