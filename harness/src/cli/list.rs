//! `list`: what there is, from the registries that the runs read.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use pamt_reports::exit::Exit;
use pamt_sim::machine::{Profile, ProfileError};
use pamt_sim::tdx::{Mode, leaf_sheet};
use pamt_strategies::locks::LOCKS;
use pamt_strategies::module::{Leaf, Operand, StatusName};
use pamt_strategies::registry::{STRATEGIES, StrategyInfo, Verdict};
use pamt_strategies::spec::nearest;

use super::{CliError, output};
use crate::host::{PLACEMENTS, Use};
use crate::lockbench::{CONTENDERS, ContenderInfo};
use crate::params::Param;
use crate::workloads::{WORKLOADS, WorkloadId, WorkloadInfo};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Of which kind; all kinds when it is left out
    #[arg(value_enum)]
    kind: Option<ListKind>,
    /// One name, explained
    name: Option<String>,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListKind {
    /// Ways to serialise PAMT.ADD and PAMT.REMOVE
    Strategies,
    /// Lock algorithms
    Locks,
    /// Workloads
    Workloads,
    /// Machine profiles
    Machines,
    /// Placements of guest pages and of PAMT backing pages
    Placements,
    /// SEAMCALL and TDCALL leaves of the module model
    Leaves,
}

/// One entry: name, one line, everything.
struct Entry {
    name: &'static str,
    summary: String,
    explained: String,
}

pub(super) fn execute(args: &ListArgs) -> Result<Exit, CliError> {
    let kinds = args.kind.map_or_else(|| ListKind::value_variants().to_vec(), |kind| vec![kind]);
    let mut text = String::new();
    for kind in &kinds {
        let entries = kind.entries()?;
        match &args.name {
            Some(name) => text.push_str(&explain(*kind, &entries, name)?),
            None => lines(&mut text, *kind, &entries, kinds.len() > 1),
        }
    }
    output::text(&text)?;
    Ok(Exit::Passed)
}

fn lines(text: &mut String, kind: ListKind, entries: &[Entry], headed: bool) {
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let indent = if headed { "  " } else { "" };
    if headed {
        let _ = writeln!(text, "{}:", kind.name());
    }
    for Entry { name, summary, .. } in entries {
        let _ = writeln!(text, "{indent}{name:width$}  {summary}");
    }
    if headed {
        text.push('\n');
    }
}

fn explain(kind: ListKind, entries: &[Entry], name: &str) -> Result<String, CliError> {
    let found = entries.iter().find(|entry| entry.name == name);
    found.map(|entry| entry.explained.clone()).ok_or_else(|| {
        let near = nearest(name, entries.iter().map(|entry| entry.name));
        let hint = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
        let kind = kind.name();
        CliError::Usage(format!("`{name}` is not among the {kind}{hint}; `list {kind}` shows all"))
    })
}

impl ListKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Strategies => "strategies",
            Self::Locks => "locks",
            Self::Workloads => "workloads",
            Self::Machines => "machines",
            Self::Placements => "placements",
            Self::Leaves => "leaves",
        }
    }

    fn entries(self) -> Result<Vec<Entry>, CliError> {
        Ok(match self {
            Self::Strategies => STRATEGIES.iter().map(|info| strategy(info)).collect(),
            Self::Locks => LOCKS.iter().map(lock).chain(CONTENDERS.iter().map(contender)).collect(),
            Self::Workloads => WORKLOADS.iter().map(|info| workload(info)).collect(),
            Self::Machines => {
                let machines = Profile::builtins().map(|(name, _)| builtin(name));
                machines.collect::<Result<_, _>>()?
            }
            Self::Placements => PLACEMENTS.iter().map(placement).collect(),
            Self::Leaves => {
                let profile =
                    Profile::builtin(LEAF_PROFILE).map_err(crate::exec::RunError::from)?;
                Leaf::ALL.iter().map(|leaf| leaf_entry(*leaf, &profile)).collect()
            }
        })
    }
}

/// `key  text` lines of an explanation; a long text is wrapped under itself.
struct Sheet(String);

impl Sheet {
    fn new(name: &str, summary: &str) -> Self {
        Self(format!("{name}: {summary}\n"))
    }

    fn row(mut self, key: &str, value: &str) -> Self {
        const WIDTH: usize = 78;
        const KEY: usize = 14;
        let mut line = format!("  {key:KEY$}");
        let mut empty = true;
        for word in value.split_whitespace() {
            if !empty && line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(self.0, "{}", line.trim_end());
                line = " ".repeat(KEY + 2);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        let _ = writeln!(self.0, "{}", line.trim_end());
        self
    }
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Sound => "sound".into(),
        Verdict::Unsound(why) => format!("known-unsound: {why}"),
    }
}

fn strategy(info: &'static StrategyInfo) -> Entry {
    let mark = if info.known_unsound() { " (known-unsound)" } else { "" };
    let mut sheet = Sheet::new(info.name, info.summary)
        .row("also called", &info.aliases.join(", "))
        .row("origin", info.origin)
        .row("protocol", info.protocol)
        .row("memory", info.memory)
        .row("scope 4k", &verdict(info.scope_4k))
        .row("scope split", &verdict(info.scope_split));
    for param in info.params {
        let takes = param.kind.accepts();
        let about = format!("{} (default {}; {takes})", param.help, param.default);
        sheet = sheet.row(&format!("[{}]", param.name), &about);
    }
    Entry { name: info.name, summary: format!("{}{mark}", info.summary), explained: sheet.0 }
}

fn lock(info: &'static pamt_strategies::locks::LockInfo) -> Entry {
    let order = if info.fifo { "in order of arrival" } else { "in no order" };
    let sheet = Sheet::new(info.name, info.summary)
        .row("also called", &info.aliases.join(", "))
        .row("served", order)
        .row("origin", info.origin);
    Entry { name: info.name, summary: info.summary.to_owned(), explained: sheet.0 }
}

fn contender(info: &'static ContenderInfo) -> Entry {
    let sheet = Sheet::new(info.name, info.summary).row("origin", info.origin);
    Entry { name: info.name, summary: info.summary.to_owned(), explained: sheet.0 }
}

fn parameter(sheet: Sheet, param: &Param) -> Sheet {
    let takes = param.kind.accepts();
    let about = format!("{} (default {}; {takes})", param.help, param.default);
    sheet.row(param.name, &about)
}

/// What a workload sets when the user does not, in the words of the command line.
fn usual(info: &WorkloadInfo) -> String {
    let options = [
        ("--page-size", info.usual.page_size),
        ("--placement", info.usual.placement),
        ("--pamt-pages", info.usual.pamt_pages),
    ];
    let set = options.iter().filter_map(|(flag, value)| Some(format!("{flag} {}", (*value)?)));
    let first = info.large_first.then(|| "the first TD maps 2 MiB pages".to_owned());
    let all: Vec<_> = set.chain(first).collect();
    if all.is_empty() { "the defaults of all runs".to_owned() } else { all.join(", ") }
}

fn workload(info: &'static WorkloadInfo) -> Entry {
    let mut sheet = Sheet::new(info.name, info.summary)
        .row("stands for", info.stands_for)
        .row("bottleneck", info.bottleneck)
        .row("throughput in", info.unit)
        .row("usual", &usual(info))
        .row("--set", "");
    let params = WorkloadId::parse(info.name).into_iter().flat_map(WorkloadId::params);
    for param in params {
        sheet = parameter(sheet, param);
    }
    Entry { name: info.name, summary: info.summary.to_owned(), explained: sheet.0 }
}

/// A built-in machine; one that is refused is listed with its remedy.
fn builtin(name: &'static str) -> Result<Entry, CliError> {
    let (summary, explained) = match Profile::builtin(name) {
        Err(ProfileError::Refused { reason, .. }) => {
            let summary = "refused: it must be calibrated first".to_owned();
            let explained = Sheet::new(name, &summary).row("remedy", &reason).0;
            (summary, explained)
        }
        other => {
            let profile = other.map_err(crate::exec::RunError::from)?;
            (profile.description().to_owned(), machine(&profile))
        }
    };
    Ok(Entry { name, summary, explained })
}

/// A machine explained: shape, notes, every value with its kind and source.
pub(super) fn machine(profile: &Profile) -> String {
    let topology = profile.topology();
    let shape = format!(
        "{} sockets, {} cores, {} CPUs, {} NUMA nodes",
        topology.sockets,
        topology.cores(),
        topology.cpus(),
        topology.nodes()
    );
    let mut sheet = Sheet::new(profile.name(), profile.description()).row("shape", &shape);
    for note in profile.notes() {
        sheet = sheet.row("note", note);
    }
    for (key, value) in profile.values() {
        let range = value.range.map(|(lo, hi)| format!(" [{lo}, {hi}]")).unwrap_or_default();
        let from = value.inherited_from.as_deref();
        let from = from.map(|from| format!(", inherited from {from}")).unwrap_or_default();
        let (v, kind, source) = (value.v, value.kind.name(), &value.source);
        sheet = sheet.row(key, &format!("{v}{range} ({kind}{from}): {source}"));
    }
    sheet.0
}

fn placement(info: &'static crate::host::PlacementInfo) -> Entry {
    let uses: Vec<_> = info
        .uses
        .iter()
        .map(|for_use| match for_use {
            Use::Guest => "--placement",
            Use::PamtPages => "--pamt-pages",
        })
        .collect();
    let sheet = Sheet::new(info.name, info.summary).row("for", &uses.join(", "));
    Entry { name: info.name, summary: info.summary.to_owned(), explained: sheet.0 }
}

/// A status as the ABI spells it, once for each operand that it may name.
fn spelled(name: StatusName, operands: &[Operand]) -> Vec<String> {
    match operands {
        [] => vec![name.name().to_owned()],
        some => some.iter().map(|operand| format!("{}|{operand}", name.name())).collect(),
    }
}

/// The profile whose costs explain a leaf.
const LEAF_PROFILE: &str = "spr-2s";

fn leaf_entry(leaf: Leaf, profile: &Profile) -> Entry {
    let info = leaf_sheet(leaf);
    let mut sheet = Sheet::new(leaf.name(), info.summary).row("leaf", &leaf.number().to_string());
    for (index, lock) in info.locks.iter().enumerate() {
        let mode = match lock.mode {
            Mode::Shared => "shared",
            Mode::Exclusive => "exclusive",
        };
        let key = if index == 0 { "locks" } else { "" };
        sheet = sheet.row(key, &format!("{}, {mode}; OPERAND_BUSY|{}", lock.what, lock.busy));
    }
    let rmw = match info.rmw {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    let statuses: Vec<_> = info.statuses.iter().flat_map(|(name, of)| spelled(*name, of)).collect();
    sheet = sheet
        .row("rmw", &rmw)
        .row("page types", info.pamt)
        .row("work", info.work)
        .row("statuses", &statuses.join(", "))
        .row("source", &info.source());
    for key in [info.transition_cost()].iter().chain(info.costs) {
        if let Ok(value) = profile.value(key) {
            let about = format!("{key} = {} ({}: {})", value.v, value.kind.name(), value.source);
            sheet = sheet.row("cost", &about);
        }
    }
    Entry { name: leaf.name(), summary: info.summary.to_owned(), explained: sheet.0 }
}
