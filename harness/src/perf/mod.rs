//! `--perf c2c|lock`: perf around a native run, its table in the result beside the simulator's.
//!
//! The run goes in a process of its own under `perf c2c record` or `perf lock record`; what perf then
//! reports is read into the result's cache lines or locks, in the same columns. Where perf is missing, or
//! the host has no such events, the run goes without it and a note says why.

mod contention;

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use clap::ValueEnum;
use pamt_reports::capture::c2c_lines;
use pamt_reports::schema::Run;

/// Where the lines go that perf c2c saw: their totals, and a row for each that CPUs took from each other.
const PERF_LINES: &str = "all lines (perf c2c)";

/// What perf looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PerfKind {
    /// Cache lines that CPUs take from each other (perf c2c)
    C2c,
    /// Contended locks of the kernel (perf lock contention)
    Lock,
}

impl PerfKind {
    fn tool(self) -> &'static str {
        match self {
            Self::C2c => "c2c",
            Self::Lock => "lock",
        }
    }

    fn report(self) -> &'static [&'static str] {
        match self {
            Self::C2c => &["c2c", "report", "--stdio"],
            Self::Lock => &["lock", "contention"],
        }
    }

    /// How to be allowed it.
    fn remedy(self) -> &'static str {
        match self {
            Self::C2c => {
                "run as root (or with kernel.perf_event_paranoid=-1) on a host whose CPU and hypervisor \
                 have the events"
            }
            Self::Lock => {
                "run as root, on Linux 5.19 or later, where /sys/kernel/tracing has lock:contention_begin"
            }
        }
    }

    /// Why it cannot record on this host; `None` if it can.
    #[must_use]
    pub fn obstacle(self, folder: &Path) -> Option<String> {
        let tried = self.record(folder, &["true".as_ref()]);
        let tool = self.tool();
        match tried {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let line = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
                let (said, remedy) = (line.trim(), self.remedy());
                Some(format!("perf {tool}: unavailable, because perf says `{said}`; {remedy}"))
            }
            Err(error) => Some(format!(
                "perf {tool}: unavailable, because perf did not start: {error}; install it (Debian: linux-perf)"
            )),
        }
    }

    /// Runs a command under perf.
    ///
    /// # Errors
    /// perf did not start.
    pub fn record(self, folder: &Path, command: &[&std::ffi::OsStr]) -> io::Result<Output> {
        let data = folder.join("perf.data");
        let mut perf = Command::new("perf");
        perf.args([self.tool(), "record", "-o"]).arg(data).arg("--").args(command).output()
    }

    /// Puts what perf recorded into the result of the run that it went around.
    ///
    /// # Errors
    /// perf did not start.
    pub fn read_into(self, folder: &Path, run: &mut Run) -> io::Result<()> {
        let mut perf = Command::new("perf");
        let output = perf.args(self.report()).arg("-i").arg(folder.join("perf.data")).output()?;
        // perf lock contention prints its table on standard error.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let read = match self {
            Self::C2c => c2c_lines(&text, Path::new("perf c2c report"))
                .map(|all| {
                    run.result.lines.insert(PERF_LINES.to_owned(), all);
                })
                .map_err(|error| format!("its report is left out: {error}")),
            Self::Lock => match contention::locks(&text) {
                None => Err("its report is left out: it has no table of contended locks".into()),
                Some(locks) if locks.is_empty() => {
                    Err("no lock of the kernel was contended".into())
                }
                Some(locks) => {
                    run.result.locks.extend(locks);
                    Ok(())
                }
            },
        };
        let tool = self.tool();
        run.result.notes.push(match read {
            Ok(()) => {
                format!("the rows of perf {tool} are sampled or traced by perf, set-up included")
            }
            Err(why) => format!("perf {tool}: {why}"),
        });
        Ok(())
    }
}
