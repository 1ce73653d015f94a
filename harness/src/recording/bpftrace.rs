//! From the output of `scripts/capture/pamt.bt` to a recording.
//!
//! The script prints an operation when it is over, CPU by CPU, so its lines are nearly in order of time:
//! they are sorted while they stream, [`WINDOW`] at a time. Processes are numbered as TDs in the order in
//! which they are seen, and times count from the first operation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, BufRead, Write};

use super::error::{Fault, MOST_FAULTS, Problem, RecordingError};
use super::operation::{Operation, What, Words, header};
use super::reader::Lines;

/// Operations that are held back to be sorted.
pub const WINDOW: usize = 65_536;

/// Kernel time since boot, which is what bpftrace's `nsecs` counts.
const CLOCK: &str = "boot";

/// What was converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Operations written.
    pub operations: u64,
    /// Processes seen.
    pub tds: u32,
    /// Events that bpftrace says it lost: the recording has gaps.
    pub lost: u64,
}

/// Why a conversion ended.
#[derive(Debug)]
enum Stopped {
    Input(RecordingError),
    Output(io::Error),
}

/// Converts the output `input` of the script, called `file`, to a recording at `out`.
///
/// # Errors
/// Wrong lines, or what `out` said.
pub fn convert(
    file: &str,
    input: impl BufRead,
    out: &mut impl Write,
) -> io::Result<Result<Converted, RecordingError>> {
    let mut sorter = Sorter::new(out);
    let done = Converter::default().run(file, input, &mut sorter);
    match done {
        Ok(converted) => Ok(Ok(converted)),
        Err(Stopped::Input(error)) => Ok(Err(error)),
        Err(Stopped::Output(error)) => Err(error),
    }
}

/// Numbers processes, and counts.
#[derive(Debug, Default)]
struct Converter {
    tds: BTreeMap<u32, u32>,
    lost: u64,
}

impl Converter {
    fn run<W: Write>(
        mut self,
        file: &str,
        input: impl BufRead,
        sorter: &mut Sorter<'_, W>,
    ) -> Result<Converted, Stopped> {
        let (mut lines, mut faults) = (Lines::new(input), Vec::new());
        while faults.len() < MOST_FAULTS
            && let Some((line, found)) = lines.next()
        {
            let taken = found.and_then(|text| self.line(text));
            let sorted = taken.and_then(|operation| match operation {
                Some(operation) => sorter.push(operation),
                None => Ok(Ok(())),
            });
            match sorted {
                Ok(written) => written.map_err(Stopped::Output)?,
                Err(problem) => {
                    let last = matches!(problem, Problem::Unreadable(_));
                    faults.push(Fault { line, problem });
                    if last {
                        break;
                    }
                }
            }
        }
        if !faults.is_empty() {
            return Err(Stopped::Input(RecordingError::Faults { file: file.to_owned(), faults }));
        }
        let operations = sorter.finish().map_err(Stopped::Output)?;
        if operations == 0 {
            return Err(Stopped::Input(RecordingError::Empty { file: file.to_owned() }));
        }
        Ok(Converted { operations, tds: self.tds.len() as u32, lost: self.lost })
    }

    /// One line: `get|put|wait TIME CPU PID PFN|LOCK TOOK`, or what bpftrace itself says.
    fn line(&mut self, text: &str) -> Result<Option<Operation>, Problem> {
        let mut words = Words::of(text);
        let what = match words.next() {
            Some(what @ ("get" | "put" | "wait")) => what,
            Some("Lost") => {
                self.lost += words.number("events", u64::MAX)?;
                return Ok(None);
            }
            None | Some("Attaching" | "Attached" | "#") => return Ok(None),
            Some(word) => {
                return Err(Problem::Operation { found: word.chars().take(40).collect() });
            }
        };
        let time_ns = words.number("time_ns", u64::MAX)?;
        let cpu = words.number("cpu", u16::MAX.into())? as u16;
        let pid = words.number("pid", u32::MAX.into())? as u32;
        let next = self.tds.len() as u32;
        let td = *self.tds.entry(pid).or_insert(next);
        let what = if what == "wait" {
            let lock = words.number("lock", u64::MAX)?;
            What::Wait { lock, waited_ns: words.number("waited_ns", u64::MAX)? }
        } else {
            let (pfn, took_ns) = (words.pfn()?, Some(words.number("took_ns", u64::MAX)?));
            if what == "get" { What::Get { pfn, took_ns } } else { What::Put { pfn, took_ns } }
        };
        words.end()?;
        Ok(Some(Operation { time_ns, cpu, td, what }))
    }
}

/// Writes operations in order of their time, which they nearly are in.
struct Sorter<'o, W> {
    out: &'o mut W,
    /// The earliest first; those of one time in the order of the file.
    held: BinaryHeap<Reverse<(u64, u64)>>,
    operations: BTreeMap<u64, Operation>,
    taken: u64,
    written: u64,
    begun_ns: u64,
    latest_ns: u64,
}

impl<'o, W: Write> Sorter<'o, W> {
    fn new(out: &'o mut W) -> Self {
        let (held, operations) = (BinaryHeap::new(), BTreeMap::new());
        Self { out, held, operations, taken: 0, written: 0, begun_ns: 0, latest_ns: 0 }
    }

    /// Takes one operation; the outer error is its fault, the inner one the output's.
    fn push(&mut self, operation: Operation) -> Result<io::Result<()>, Problem> {
        let time_ns = operation.time_ns;
        if time_ns < self.latest_ns {
            return Err(Problem::TooLate { time_ns, back_ns: self.latest_ns - time_ns });
        }
        self.held.push(Reverse((time_ns, self.taken)));
        self.operations.insert(self.taken, operation);
        self.taken += 1;
        Ok(if self.held.len() > WINDOW { self.write_earliest() } else { Ok(()) })
    }

    fn write_earliest(&mut self) -> io::Result<()> {
        let Some(Reverse((time_ns, number))) = self.held.pop() else { return Ok(()) };
        let Some(mut operation) = self.operations.remove(&number) else { return Ok(()) };
        if self.written == 0 {
            self.begun_ns = time_ns;
            self.out.write_all(header(CLOCK).as_bytes())?;
        }
        self.latest_ns = time_ns;
        self.written += 1;
        operation.time_ns -= self.begun_ns;
        writeln!(self.out, "{operation}")
    }

    fn finish(&mut self) -> io::Result<u64> {
        while !self.held.is_empty() {
            self.write_earliest()?;
        }
        self.out.flush()?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Summary;
    use super::*;

    fn converted(text: &str) -> Result<(Converted, String), RecordingError> {
        let mut out = Vec::new();
        let done = convert("capture.txt", text.as_bytes(), &mut out).expect("memory takes all");
        done.map(|done| (done, String::from_utf8(out).expect("text")))
    }

    #[test]
    fn processes_become_tds_and_times_count_from_the_first_operation() {
        let text = "Attaching 7 probes...\n\
            get 1000500 2 812 0x200 2868\n\
            get 1000100 3 911 0x201 72\n\
            Lost 3 events\n\
            wait 1000600 3 911 0xffff8881 400\n\
            put 1000900 2 812 0x200 48\n";
        let (done, trace) = converted(text).expect("a capture");
        assert_eq!(done, Converted { operations: 4, tds: 2, lost: 3 });
        assert_eq!(
            trace,
            "pamt-trace 1 clock=boot\n0 3 1 get 0x201 72\n400 2 0 get 0x200 2868\n\
             500 3 1 wait 0xffff8881 400\n800 2 0 put 0x200 48\n"
        );
        assert!(Summary::of("t", trace.as_bytes()).is_ok());
    }

    #[test]
    fn a_capture_without_operations_or_with_wrong_lines_is_refused_by_line() {
        let said = |text| converted(text).expect_err("wrong").to_string();
        assert!(said("Attaching 7 probes...\n").contains("no get and no put"));
        let wrong = said("get 1 2 3 0x1 4\nget 1 2 3\nERROR: no such probe\n");
        assert!(wrong.contains("capture.txt:2: `pfn` is missing"), "{wrong}");
        assert!(wrong.contains("capture.txt:3: `ERROR:` is no operation"), "{wrong}");
    }

    #[test]
    fn an_operation_later_than_the_window_is_a_fault_and_not_a_wrong_order() {
        let many = |n: usize| (0..n).map(|at| format!("get {} 0 1 {at} 1\n", 1000 + at));
        let text: String = many(WINDOW + 2).chain(["get 3 0 1 0 1\n".to_owned()]).collect();
        let said = converted(&text).expect_err("too late").to_string();
        assert!(said.contains("too late to be sorted in"), "{said}");
    }
}
