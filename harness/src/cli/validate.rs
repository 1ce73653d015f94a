//! `validate`: the model against curves that others measured.

use std::path::PathBuf;

use super::CliError;
use super::output::{self, Format};
use super::progress;
use crate::exec;
use crate::fidelity::rows::{self, PublishedRow};
use crate::fidelity::{Claim, HOSTS, PublishedHost, ReplayOptions, own_points, own_rows, replay};
use crate::lockbench::{LockRunError, PinOrder};
use clap::Args;
use pamt_reports::exit::Exit;
use pamt_reports::schema::{FidelityCurve, FidelityDocument};
use pamt_reports::text::fidelity;
use pamt_reports::text::terminal::View;
use pamt_reports::{export, plot};

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Measured rows to compare with, instead of the shipped ones (columns of
    /// machines/curves/lockhammer-2018.csv); needs --machine
    #[arg(long, value_name = "FILE", requires = "machine")]
    rows: Option<PathBuf>,
    /// Measure the curves on this host, and compare with --machine, which `calibrate` makes
    #[arg(long, requires = "machine", conflicts_with_all = ["rows", "host", "pin"])]
    native: bool,
    /// Profile that stands for the host of --rows or for this one: a name, or the path of a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    machine: Option<String>,
    /// Order in which the host's threads were pinned: smt-first, cores-first, scatter, or a file; that of
    /// the shipped hosts is known, else it is smt-first
    #[arg(long, value_name = "ORDER|FILE")]
    pin: Option<String>,
    /// Only this host's rows
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only these numbers of threads
    #[arg(long, value_name = "N,...", value_parser = super::lock::thread_counts)]
    threads: Option<super::lock::ThreadCounts>,
    /// Acquisitions of each thread; the shipped rows are of 5000
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    acquires: u64,
    /// Seed of the first run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs of each point, of which the median counts; the shipped rows are of 9
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write to FILE, in the form that its extension says (.txt, .md, .json), or plots (.svg: a file
    /// for each host and setting)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Nothing on standard error but failures
    #[arg(long)]
    quiet: bool,
}

/// What the shipped curves cannot say.
const AGE: &str = "every public lock curve is of 2018 or earlier, before Sapphire Rapids: errors on newer \
                   machines are not known";
/// What was and was not fitted.
const SPLIT: &str = "fitted: rows that a profile may have been fitted on (refcount and tas at 0/0, one \
                     thread anywhere); unseen: all others. Nothing is fitted here; docs/fidelity.md says \
                     what was fitted on what, and what the model's structure was chosen on";

/// What this host's own curves are.
const OWN: &str = "measured on this host now, by `lock --backend native` with threads cores-first; the profile was \
                   not fitted on any lock";

impl ValidateArgs {
    fn document(&self) -> Result<FidelityDocument, CliError> {
        if let (true, Some(machine)) = (self.native, &self.machine) {
            return self.of_this_host(machine);
        }
        if self.machine.is_some() && self.rows.is_none() {
            let remedy = "say whose curves: --rows FILE, or --native for this host's own";
            return Err(CliError::Usage(format!("validate: --machine alone: {remedy}")));
        }
        let (rows, machine) = match (&self.rows, &self.machine) {
            (Some(path), Some(machine)) => (rows::read(path)?, Some(machine.as_str())),
            _ => (rows::shipped()?, None),
        };
        let rows: Vec<PublishedRow> = rows.into_iter().filter(|row| self.wanted(row)).collect();
        let mut hosts: Vec<&str> = rows.iter().map(|row| row.host.as_str()).collect();
        hosts.dedup();
        let mut notes = vec![AGE.to_owned(), SPLIT.to_owned()];
        let mut curves = Vec::new();
        for host in hosts {
            let of_host: Vec<_> = rows.iter().filter(|row| row.host == host).cloned().collect();
            let known = if machine.is_none() { shipped(host) } else { None };
            match machine.or_else(|| known.map(|host| host.machine)) {
                Some(machine) => {
                    let pin = self.pin.as_deref().or(known.map(|host| host.pin));
                    let pin = PinOrder::parse(pin.unwrap_or("smt-first"));
                    let pin = pin.map_err(LockRunError::from)?;
                    curves.extend(self.curves(machine, pin, &of_host, Claim::Published)?);
                }
                None => notes
                    .push(format!("{host}: no profile is shipped for it; `machine fit` makes one")),
            }
        }
        if curves.is_empty() {
            let known: Vec<&str> = HOSTS.iter().map(|host| host.name).collect();
            let known = known.join(", ");
            return Err(CliError::Usage(format!(
                "no row is left to compare; hosts with a profile: {known}"
            )));
        }
        Ok(FidelityDocument::new(curves, notes))
    }

    fn wanted(&self, row: &PublishedRow) -> bool {
        let host = self.host.as_ref().is_none_or(|host| *host == row.host);
        host && self.threads.as_ref().is_none_or(|counts| counts.0.contains(&row.threads))
    }

    fn curves(
        &self,
        machine: &str,
        pin: PinOrder,
        rows: &[PublishedRow],
        claim: Claim,
    ) -> Result<Vec<FidelityCurve>, CliError> {
        let profile = exec::machine(machine)?;
        let options =
            ReplayOptions { acquires: self.acquires, pin, seed: self.seed, runs: self.runs, claim };
        Ok(replay(&profile, rows, &options)?)
    }

    /// This host's own curves and those of its profile.
    fn of_this_host(&self, machine: &str) -> Result<FidelityDocument, CliError> {
        // Before minutes of measuring: the name may be wrong.
        exec::machine(machine)?;
        let threads = self.threads.as_ref().map_or(&[1, 2][..], |counts| &counts.0);
        let bar = progress::bar(own_points(threads), !self.quiet);
        let own = own_rows(threads, self.runs, || bar.inc(1))?;
        bar.finish_and_clear();
        let curves = self.curves(machine, PinOrder::CoresFirst, &own.rows, Claim::AllUnseen)?;
        let mut notes = vec![OWN.to_owned()];
        notes.extend(own.noise.sentences().into_iter().map(|line| format!("noise: {line}")));
        Ok(FidelityDocument::new(curves, notes))
    }
}

fn shipped(host: &str) -> Option<&'static PublishedHost> {
    HOSTS.iter().find(|known| known.name == host)
}

fn render(document: &FidelityDocument, format: Format, view: View) -> Result<String, CliError> {
    match format {
        Format::Text => Ok(fidelity::terminal(document, view)),
        Format::Json => Ok(document.to_json()),
        Format::Markdown => Ok(fidelity::markdown(document)),
        Format::Csv => Err(CliError::Usage("validate: csv is not offered; choose json".into())),
    }
}

pub(super) fn execute(args: &ValidateArgs) -> Result<Exit, CliError> {
    let Some(path) = &args.output else {
        output::text(&render(&args.document()?, args.format, output::stdout_view())?)?;
        return Ok(Exit::Passed);
    };
    if path.extension().is_some_and(|extension| extension == "svg") {
        let parts = plot::fidelity(&args.document()?);
        let paths = export::paths(path, ".svg", &parts);
        for (path, part) in paths.iter().zip(&parts) {
            output::write_beside(path, &part.bytes)?;
        }
    } else {
        let format = Format::of(path)?;
        output::text_to(Some(path), &render(&args.document()?, format, output::PLAIN)?)?;
    }
    if !args.quiet {
        anstream::eprintln!("wrote {}", path.display());
    }
    Ok(Exit::Passed)
}
